internal import HTTP2

/// Why a request is answered without running a handler.
enum CallRefusal: Error {
  /// Not gRPC at all: answered as HTTP.
  case http(Int)
  case status(ServiceError)
}

/// The protocol's own fields of a request.
struct RequestHead {
  /// Time that the caller gives; nil when it named none.
  let timeout: Duration?

  /// Checks method, content type, encoding and timeout (grpc doc/PROTOCOL-HTTP2.md).
  init(_ block: HeaderBlock) throws(CallRefusal) {
    guard block.withValue(of: ":method", { $0.elementsEqual("POST".utf8) }) == true else {
      throw .http(405)
    }
    let isGRPC = block.withValue(of: "content-type") { value in
      value.starts(with: "application/grpc".utf8)
    }
    guard isGRPC == true else { throw .http(415) }
    let isIdentity = block.withValue(of: "grpc-encoding") { $0.elementsEqual("identity".utf8) }
    guard isIdentity != false else {
      throw .status(.runtime(.unimplemented, "unknown grpc-encoding"))
    }
    switch block.withValue(of: "grpc-timeout", TimeoutHeader.parse) {
    case .none: timeout = nil
    case .some(.none): throw .status(.runtime(.internalError, "bad grpc-timeout"))
    case .some(.some(let value)): timeout = value
    }
  }
}

/// The protocol's own fields of a response.
enum ResponseHead {
  private static let start: HeaderBlock = [
    ":status": "200", "content-type": "application/grpc", "grpc-accept-encoding": "identity",
  ]
  /// Start of a response without messages.
  static let trailersOnly = start
  static let okTrailers: HeaderBlock = ["grpc-status": "0"]

  static func block(adding extra: HeaderBlock?) -> HeaderBlock {
    guard let extra else { return start }
    var block = start
    block.append(contentsOf: extra)
    return block
  }
}
