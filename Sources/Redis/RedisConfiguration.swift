/// The named limits of a client; each loop has its own connection.
package struct RedisLimits: Sendable {
  /// How long a script may take, which decides something for a waiting request.
  package var scriptTimeout: Duration = .milliseconds(20)
  /// How long another command may take.
  package var commandTimeout: Duration = .milliseconds(500)
  /// How long connecting may take, from the look-up of the name to the first answer.
  package var connectTimeout: Duration = .seconds(1)
  /// How long after its deadline a command may stay unanswered before the connection is dropped.
  package var stallTimeout: Duration = .milliseconds(250)
  /// Commands of one loop that may wait for their answers.
  package var commandsInFlight = 4_096
  /// Commands that may wait for the first connection.
  package var commandsBeforeConnect = 256
  /// Longest pause between attempts to connect.
  package var longestBackoff: Duration = .milliseconds(500)
  /// Messages kept for one slow subscriber.
  package var bufferedMessages = 1_024

  package init() {}
}

/// Where Redis is, and how to log in.
struct RedisEndpoint: Sendable, Equatable {
  enum Place: Sendable, Equatable {
    case tcp(host: String, port: UInt16)
    case unix(path: String)
  }

  var place: Place
  var user: String?
  var password: String?
  var database = 0

  /// Reads `redis://[user:password@]host[:port][/database]` or `unix://[user:password@]/path[?db=1]`.
  init(url: String) throws(RedisError) {
    guard let colon = url.firstIndex(of: ":"), var rest = url[colon...].dropPrefix("://") else {
      throw Self.invalid("no scheme")
    }
    if let at = rest.lastIndex(of: "@") {
      try Self.login(rest[..<at], &user, &password)
      rest = rest[rest.index(after: at)...]
    }
    switch url[..<colon] {
    case "redis":
      place = .tcp(host: "", port: 0)
      try parseTCP(rest)
    case "unix":
      let parts = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
      guard let path = parts.first, path.hasPrefix("/"), path.utf8.count < 108 else {
        throw Self.invalid("the path of a socket begins with / and has at most 107 bytes")
      }
      place = .unix(path: String(path))
      if parts.count == 2 { database = try Self.database(parts[1].dropPrefix("db=")) }
    default:
      throw Self.invalid("the scheme is neither redis nor unix")
    }
  }

  private mutating func parseTCP(_ text: Substring) throws(RedisError) {
    let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    let (host, port) = try Self.hostAndPort(parts.first ?? "")
    guard !host.isEmpty else { throw Self.invalid("no host") }
    place = .tcp(host: host, port: port)
    if parts.count == 2, !parts[1].isEmpty { database = try Self.database(parts[1]) }
  }

  private static func hostAndPort(_ text: Substring) throws(RedisError) -> (String, UInt16) {
    var host = text
    var portText: Substring?
    if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
      host = text[text.index(after: text.startIndex)..<end]
      let tail = text[text.index(after: end)...]
      portText = tail.isEmpty ? nil : tail.dropPrefix(":")
    } else if let colon = text.lastIndex(of: ":") {
      host = text[..<colon]
      portText = text[text.index(after: colon)...]
    }
    guard let portText else { return (String(host), 6379) }
    guard let port = UInt16(portText), port > 0 else { throw invalid("the port is no port") }
    return (String(host), port)
  }

  private static func login(
    _ text: Substring,
    _ user: inout String?,
    _ password: inout String?
  ) throws(RedisError) {
    let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2 else { throw invalid("a user without a password") }
    user = parts[0].isEmpty ? nil : try unescaped(parts[0])
    password = try unescaped(parts[1])
  }

  /// Undoes percent coding.
  private static func unescaped(_ text: Substring) throws(RedisError) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      let digits = String(decoding: rest.prefix(2), as: UTF8.self)
      guard digits.utf8.count == 2, let value = UInt8(digits, radix: 16) else {
        throw invalid("a percent sign without two digits")
      }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  private static func database(_ text: Substring?) throws(RedisError) -> Int {
    guard let text, let number = Int(text), (0..<16_384).contains(number) else {
      throw invalid("the database is no number")
    }
    return number
  }

  /// The URL itself may hold a password and is not repeated.
  private static func invalid(_ reason: String) -> RedisError {
    RedisError(.configuration, "the Redis URL cannot be used: \(reason)")
  }
}

extension Substring {
  /// The rest after `prefix`; nil when it does not begin so.
  fileprivate func dropPrefix(_ prefix: String) -> Substring? {
    hasPrefix(prefix) ? dropFirst(prefix.count) : nil
  }
}
