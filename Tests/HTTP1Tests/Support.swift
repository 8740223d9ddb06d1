import HTTP1
import HTTPCore

/// What a whole connection's bytes were parsed to.
struct Transcript: Equatable {
  struct Request: Equatable {
    var head: HTTPRequestHead
    var exchange: HTTP1Exchange
    var body: [UInt8] = []
    var ended = false
  }

  var requests: [Request] = []
  var failure: HTTP1Failure?
  var isIdle = true

  /// Parses `text`, cut into pieces of `step` bytes.
  init(
    _ text: String,
    limits: HTTP1Limits = HTTP1Limits(),
    step: Int = .max,
    routeLimit: Int? = nil
  ) {
    self.init(bytes: Array(text.utf8), limits: limits, step: step, routeLimit: routeLimit)
  }

  init(
    bytes: [UInt8],
    limits: HTTP1Limits = HTTP1Limits(),
    step: Int = .max,
    routeLimit: Int? = nil
  ) {
    let parser = HTTP1RequestParser(limits: limits)
    var start = 0
    while start < bytes.count, failure == nil {
      let end = min(bytes.count, start.addingReportingOverflow(step).overflow ? .max : start + step)
      bytes[start..<end].withUnsafeBytes { feed(parser, $0, routeLimit) }
      start = end
    }
    isIdle = parser.isIdle
  }

  private mutating func feed(
    _ parser: HTTP1RequestParser,
    _ bytes: UnsafeRawBufferPointer,
    _ routeLimit: Int?
  ) {
    var input = bytes
    while true {
      switch parser.next(&input) {
      case .needMoreBytes:
        return
      case .head(let head, let exchange):
        requests.append(Request(head: head, exchange: exchange))
        if let routeLimit { parser.limitBody(to: routeLimit) }
      case .body(let part):
        requests[requests.count - 1].body.append(contentsOf: part)
      case .end:
        requests[requests.count - 1].ended = true
      case .failure(let failure):
        self.failure = failure
        return
      }
    }
  }
}

extension String {
  /// The text with CR LF line ends in place of LF.
  var crlf: String { replacing("\n", with: "\r\n") }
}
