/// Reads the `.env` form: `KEY=value` lines, `#` comments, optional quotes, optional `export`.
///
/// A value in single quotes is taken as it stands; in double quotes `\n`, `\"` and `\\` are known.
/// Nothing is expanded: a `$` is a dollar sign.
enum EnvFile {
  /// Parses `text`; every line that has no such form becomes a problem with its number.
  static func parse(_ text: String, name: String) -> (values: [String: String], problems: [String])
  {
    var values: [String: String] = [:]
    var problems: [String] = []
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    for (index, raw) in lines.enumerated() {
      let line = trimmed(raw)
      guard !line.isEmpty, !line.hasPrefix("#") else { continue }
      guard let (key, value) = assignment(line) else {
        problems.append("\(name) line \(index + 1): expected KEY=value")
        continue
      }
      if values.updateValue(value, forKey: key) != nil {
        problems.append("\(name) line \(index + 1): \(key) is set twice")
      }
    }
    return (values, problems)
  }

  private static func assignment(_ line: Substring) -> (key: String, value: String)? {
    let body = line.hasPrefix("export ") ? trimmed(line.dropFirst(7)) : line
    guard let equals = body.firstIndex(of: "=") else { return nil }
    let key = trimmed(body[..<equals])
    guard let first = key.utf8.first, !(0x30...0x39).contains(first) else { return nil }
    guard key.utf8.allSatisfy(isNameByte) else { return nil }
    guard let value = value(trimmed(body[body.index(after: equals)...])) else { return nil }
    return (String(key), value)
  }

  private static func value(_ text: Substring) -> String? {
    guard let quote = text.first, quote == "\"" || quote == "'" else {
      // An unquoted value ends before a comment.
      guard let comment = text.range(of: " #") else { return String(text) }
      return String(trimmed(text[..<comment.lowerBound]))
    }
    guard text.count >= 2, text.last == quote else { return nil }
    let inner = text.dropFirst().dropLast()
    return quote == "'" ? String(inner) : unescaped(inner)
  }

  private static func unescaped(_ text: Substring) -> String? {
    var result = ""
    var rest = text.makeIterator()
    while let character = rest.next() {
      guard character == "\\" else {
        result.append(character)
        continue
      }
      switch rest.next() {
      case "n": result.append("\n")
      case "\"": result.append("\"")
      case "\\": result.append("\\")
      default: return nil
      }
    }
    return result
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x5F: true
    default: false
    }
  }

  private static func trimmed(_ text: Substring) -> Substring {
    let blank: Set<Character> = [" ", "\t", "\r", "\r\n"]
    var result = text
    while let first = result.first, blank.contains(first) { result.removeFirst() }
    while let last = result.last, blank.contains(last) { result.removeLast() }
    return result
  }
}
