package import Net

extension ConfigurationReader {
  /// A whole number of `range`.
  package mutating func int(_ key: ConfigKey, in range: ClosedRange<Int>) -> Int {
    let text = string(key)
    guard !text.isEmpty else { return range.lowerBound }
    guard let value = Int(text), range.contains(value) else {
      problem(key, "expected \(range.lowerBound)…\(range.upperBound), not '\(shown(key, text))'")
      return range.lowerBound
    }
    return value
  }

  /// A whole number of `range`, nil when missing.
  package mutating func optionalInt(_ key: ConfigKey, in range: ClosedRange<Int>) -> Int? {
    optionalString(key) == nil ? nil : int(key, in: range)
  }

  /// A decimal number of `range`.
  package mutating func double(_ key: ConfigKey, in range: ClosedRange<Double>) -> Double {
    let text = string(key)
    guard !text.isEmpty else { return range.lowerBound }
    guard let value = Double(text), range.contains(value) else {
      problem(key, "expected \(range.lowerBound)…\(range.upperBound), not '\(shown(key, text))'")
      return range.lowerBound
    }
    return value
  }

  /// `true` or `false`, also `1`, `0`, `yes`, `no`, `on` and `off`.
  package mutating func bool(_ key: ConfigKey) -> Bool {
    let text = string(key)
    switch text.lowercased() {
    case "true", "1", "yes", "on": return true
    case "false", "0", "no", "off", "": return false
    default:
      problem(key, "expected true or false, not '\(shown(key, text))'")
      return false
    }
  }

  /// Whole seconds of `range` as a duration.
  package mutating func seconds(_ key: ConfigKey, in range: ClosedRange<Int>) -> Duration {
    .seconds(int(key, in: range))
  }

  /// Whole milliseconds of `range` as a duration.
  package mutating func milliseconds(_ key: ConfigKey, in range: ClosedRange<Int>) -> Duration {
    .milliseconds(int(key, in: range))
  }

  /// Comma-separated texts; blanks around them are dropped.
  package mutating func list(_ key: ConfigKey) -> [String] {
    guard let text = optionalString(key) else { return [] }
    return text.split(separator: ",").map { part in
      String(part.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }.filter { !$0.isEmpty }
  }

  /// Comma-separated whole numbers of `range`.
  package mutating func ints(_ key: ConfigKey, in range: ClosedRange<Int>) -> [Int] {
    var values: [Int] = []
    for part in list(key) {
      guard let value = Int(part), range.contains(value) else {
        problem(key, "expected numbers of \(range.lowerBound)…\(range.upperBound), not '\(part)'")
        return []
      }
      values.append(value)
    }
    return values
  }

  /// One of the raw values of `Choice`.
  package mutating func choice<Choice: RawRepresentable & CaseIterable>(
    _ key: ConfigKey,
    as type: Choice.Type,
    standIn: Choice
  ) -> Choice where Choice.RawValue == String {
    let text = string(key)
    guard !text.isEmpty else { return standIn }
    guard let value = Choice(rawValue: text) else {
      let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
      problem(key, "expected one of \(names), not '\(shown(key, text))'")
      return standIn
    }
    return value
  }

  /// One `host:port` or `unix:/path`.
  package mutating func endpoint(_ key: ConfigKey) -> Endpoint {
    let text = string(key)
    guard !text.isEmpty else { return Self.noEndpoint }
    return parsed(key, text)
  }

  /// One `host:port` or `unix:/path`, nil when missing.
  package mutating func optionalEndpoint(_ key: ConfigKey) -> Endpoint? {
    guard let text = optionalString(key) else { return nil }
    return parsed(key, text)
  }

  /// `host:port[,host:port]`; at least one.
  package mutating func targets(_ key: ConfigKey) -> [Endpoint] {
    let parts = list(key)
    if parts.isEmpty { problem(key, "expected host:port[,host:port]") }
    return parts.map { parsed(key, $0) }
  }

  private static let noEndpoint = Endpoint.host("", port: 0)

  private mutating func parsed(_ key: ConfigKey, _ text: String) -> Endpoint {
    do {
      return try Endpoint(text)
    } catch {
      problem(key, "expected host:port, not '\(shown(key, text))'")
      return Self.noEndpoint
    }
  }

  /// An absolute `http` or `https` URL without a slash at its end.
  package mutating func baseURL(_ key: ConfigKey) -> String {
    var text = string(key)
    guard !text.isEmpty else { return text }
    while text.hasSuffix("/") { text.removeLast() }
    guard text.hasPrefix("http://") || text.hasPrefix("https://") else {
      problem(key, "expected an http:// or https:// URL, not '\(shown(key, text))'")
      return text
    }
    return text
  }

  private func shown(_ key: ConfigKey, _ text: String) -> String {
    key.isSecret ? "<redacted>" : text
  }
}
