internal import HTTP2

/// Why a request is answered without running a handler.
enum CallRefusal: Error {
  /// Not gRPC at all: answered as HTTP, by a body only where the method has one.
  case http(Int, hasBody: Bool = true)
  case status(ServiceError)
}

/// The protocol's own fields of a request.
struct RequestHead {
  /// Time that the caller gives; nil when it named none.
  let timeout: Duration?
  /// How the request's messages are compressed, where their frames say so.
  let compression: Compression?
  /// Valid as long as the block.
  let path: UnsafeBufferPointer<UInt8>

  /// Checks method, content type, `te`, encoding and timeout (grpc doc/PROTOCOL-HTTP2.md).
  init(_ block: borrowing HeaderBlock) throws(CallRefusal) {
    let fields = RequestFields(block)
    guard fields.isPost else { throw .http(405, hasBody: !fields.isHead) }
    guard fields.isGRPC else { throw .http(415) }
    guard fields.takesTrailers else {
      throw .status(
        .runtime(.internalError, "te: trailers is missing: a proxy on the way may drop trailers")
      )
    }
    guard !fields.isTimeoutBad else { throw .status(.runtime(.internalError, "bad grpc-timeout")) }
    timeout = fields.timeout
    path = fields.path
    guard fields.hasEncoding else {
      compression = nil
      return
    }
    do {
      compression = try block.compression
    } catch {
      throw .status(error)
    }
  }
}

/// What one pass over a request's head finds; the last of equal names counts.
private struct RequestFields {
  var isPost = false
  var isHead = false
  var isGRPC = false
  var takesTrailers = false
  var hasEncoding = false
  var path = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
  var timeout: Duration?
  var isTimeoutBad = false

  init(_ block: borrowing HeaderBlock) {
    block.forEach { note($0, $1) }
  }

  @inline(__always)
  private mutating func note(
    _ name: UnsafeBufferPointer<UInt8>,
    _ value: UnsafeBufferPointer<UInt8>
  ) {
    // Names of other lengths are none of ours: most fields cost one comparison.
    switch name.count {
    case 2 where name.equals("te"): takesTrailers = value.equals("trailers")
    case 5 where name.equals(":path"): path = value
    case 7 where name.equals(":method"):
      isPost = value.equals("POST")
      isHead = value.equals("HEAD")
    case 12 where name.equals("content-type"): isGRPC = Self.isGRPC(value)
    case 12 where name.equals("grpc-timeout"):
      timeout = TimeoutHeader.parse(value)
      isTimeoutBad = timeout == nil
    case 13 where name.equals("grpc-encoding"): hasEncoding = true
    default: break
    }
  }

  /// `application/grpc`, alone or followed by a format or parameters; `application/grpc-web` is another
  /// protocol.
  private static func isGRPC(_ value: UnsafeBufferPointer<UInt8>) -> Bool {
    let name: StaticString = "application/grpc"
    let count = name.utf8CodeUnitCount
    guard value.count >= count else { return false }
    guard UnsafeBufferPointer(rebasing: value[..<count]).equals(name) else { return false }
    guard value.count > count else { return true }
    return value[count] == UInt8(ascii: "+") || value[count] == UInt8(ascii: ";")
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
  /// Start of a response to which nothing is added.
  static let plain = FixedHeaders(start)
  /// End of a call that went well.
  static let ok = FixedHeaders(okTrailers)

  private static let start: HeaderBlock = [
    ":status": "200", "content-type": "application/grpc",
    "grpc-accept-encoding": Compression.accepted,
  ]
  /// Start of a response without messages.
  static let trailersOnly = start
  private static let okTrailers: HeaderBlock = ["grpc-status": "0"]

  /// An answer in HTTP's own terms; one about metadata says it in gRPC's as well.
  static func http(_ status: Int) -> HeaderBlock {
    var block: HeaderBlock = [":status": String(status)]
    guard status == 431 else {
      block.append("content-type", "text/plain")
      return block
    }
    block.append("content-type", "application/grpc")
    let error = ServiceError.runtime(.resourceExhausted, "the metadata is over the limit")
    StatusDetails.append(error, to: &block)
    return block
  }

  /// The body of such an answer, for people who look with a browser; nil when gRPC says it all.
  static func httpBody(_ status: Int) -> [UInt8]? {
    guard status != 431 else { return nil }
    let text = "\(status): this port speaks gRPC, by POST with content-type application/grpc\n"
    return Array(text.utf8)
  }

  static func trailers(adding extra: HeaderBlock) -> HeaderBlock {
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
