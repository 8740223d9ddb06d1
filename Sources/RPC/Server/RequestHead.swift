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
  /// How the request's messages are compressed, where their frames say so.
  let compression: Compression?

  /// Checks method, content type, encoding and timeout (grpc doc/PROTOCOL-HTTP2.md).
  init(_ block: HeaderBlock) throws(CallRefusal) {
    guard block.withValue(of: ":method", { $0.elementsEqual("POST".utf8) }) == true else {
      throw .http(405)
    }
    let isGRPC = block.withValue(of: "content-type") { value in
      value.starts(with: "application/grpc".utf8)
    }
    guard isGRPC == true else { throw .http(415) }
    do {
      compression = try block.compression
    } catch {
      throw .status(error)
    }
    switch block.withValue(of: "grpc-timeout", TimeoutHeader.parse) {
    case .none: timeout = nil
    case .some(.none): throw .status(.runtime(.internalError, "bad grpc-timeout"))
    case .some(.some(let value)): timeout = value
    }
  }
}

extension HeaderBlock {
  /// What `grpc-encoding` names; nil for none.
  ///
  /// - Throws: ``ServiceError`` `.unimplemented` for an encoding that we do not know.
  var compression: Compression? {
    get throws(ServiceError) {
      let named = withValue(of: "grpc-encoding") { value in
        Result { () throws(ServiceError) in try Compression(header: value) }
      }
      return try named?.get()
    }
  }
}

/// The protocol's own fields of a response.
enum ResponseHead {
  private static let start: HeaderBlock = [
    ":status": "200", "content-type": "application/grpc",
    "grpc-accept-encoding": Compression.accepted,
  ]
  /// Start of a response without messages.
  static let trailersOnly = start
  private static let okTrailers: HeaderBlock = ["grpc-status": "0"]

  static func trailers(adding extra: HeaderBlock?) -> HeaderBlock {
    guard let extra else { return okTrailers }
    var block = okTrailers
    block.append(contentsOf: extra)
    return block
  }

  static func block(adding extra: HeaderBlock?, compression: Compression?) -> HeaderBlock {
    var block = start
    if let compression { block.append("grpc-encoding", compression.rawValue) }
    if let extra { block.append(contentsOf: extra) }
    return block
  }
}
