internal import HTTPCore
internal import OneShotAPI

/// How the messages of a server stream are written.
enum EventFormat: Sendable {
  /// Server-sent events (WHATWG HTML §9.2).
  case events
  /// One JSON object a line.
  case lines

  /// Time after which a client whose connection broke comes again.
  private static let retryMilliseconds = 3000

  /// What the client asked for among what the route offers.
  init(_ route: EdgeStream, _ headers: HTTPHeaders) {
    let accept = AcceptRule(headers)
    let wantsLines = accept.names("application/x-ndjson") || accept.names("application/ndjson")
    self = route == .ndjson || (wantsLines && !accept.names("text/event-stream")) ? .lines : .events
  }

  var contentType: String {
    switch self {
    case .events: "text/event-stream"
    case .lines: "application/x-ndjson"
    }
  }

  /// What comes before the first message.
  var opening: [UInt8] {
    switch self {
    case .events: Array("retry: \(Self.retryMilliseconds)\n\n".utf8)
    case .lines: []
    }
  }

  /// What is sent in silence, so that nobody on the way takes the connection for dead.
  var heartbeat: [UInt8] {
    switch self {
    case .events: Array(":\n\n".utf8)
    case .lines: Array("\n".utf8)
    }
  }

  /// One message.
  ///
  /// The JSON has no line breaks; id and name are shown only if they have none either.
  func message(_ json: [UInt8], id: String?, name: String?) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(json.count + 48)
    switch self {
    case .events:
      if let id, Self.isPlain(id) { bytes += "id: \(id)\n".utf8 }
      if let name, Self.isPlain(name) { bytes += "event: \(name)\n".utf8 }
      bytes += "data: ".utf8
      bytes += json
      bytes += "\n\n".utf8
    case .lines:
      bytes += json
      bytes.append(UInt8(ascii: "\n"))
    }
    return bytes
  }

  /// The last message of a stream that failed after its beginning.
  func failure(_ problem: [UInt8]) -> [UInt8] {
    switch self {
    case .events: message(problem, id: nil, name: "error")
    case .lines: message(Array("{\"error\":".utf8) + problem + Array("}".utf8), id: nil, name: nil)
    }
  }

  private static func isPlain(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
  }
}
