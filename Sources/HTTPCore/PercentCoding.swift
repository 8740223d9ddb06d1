/// Percent-encoding (RFC 3986 §2.1).
package enum PercentCoding {
  private static let upperDigits = Array("0123456789ABCDEF".utf8)

  /// Encodes every byte but the unreserved ones; `/` stays where `keepingSlash` says so.
  package static func encode(_ text: String, keepingSlash: Bool = false) -> String {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count + 16)
    for byte in text.utf8 {
      if ASCII.isUnreserved(byte) || (keepingSlash && byte == UInt8(ascii: "/")) {
        bytes.append(byte)
      } else {
        bytes.append(UInt8(ascii: "%"))
        bytes.append(upperDigits[Int(byte >> 4)])
        bytes.append(upperDigits[Int(byte & 15)])
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Decodes each `%XX` once.
  ///
  /// - Parameters:
  ///   - bytes: The encoded bytes.
  ///   - plusIsSpace: True in form-encoded queries.
  /// - Returns: The bytes, or nil if a `%` is not followed by two hexadecimal digits.
  package static func decode(
    _ bytes: some Collection<UInt8>,
    plusIsSpace: Bool = false
  ) -> [UInt8]? {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    var iterator = bytes.makeIterator()
    while let byte = iterator.next() {
      if byte == UInt8(ascii: "%") {
        guard
          let high = iterator.next().flatMap(ASCII.hexValue),
          let low = iterator.next().flatMap(ASCII.hexValue)
        else { return nil }
        result.append(high << 4 | low)
      } else {
        result.append(plusIsSpace && byte == UInt8(ascii: "+") ? ASCII.space : byte)
      }
    }
    return result
  }

  /// Decodes to text.
  ///
  /// - Returns: Nil for a broken escape or bytes that are not UTF-8.
  package static func decodeText(
    _ bytes: some Collection<UInt8>,
    plusIsSpace: Bool = false
  ) -> String? {
    decode(bytes, plusIsSpace: plusIsSpace).flatMap { String(validating: $0, as: UTF8.self) }
  }
}

/// The name and value pairs of a query (`a=1&b=2`).
package struct HTTPQuery: Sendable {
  /// The decoded pairs in order; a name may come twice.
  package let items: [(name: String, value: String)]

  /// Parses a query without its `?`.
  ///
  /// - Returns: Nil for broken escapes, bytes that are not UTF-8, or more than `maxItems` pairs.
  package init?(_ bytes: some Collection<UInt8>, maxItems: Int = 64) {
    var items: [(name: String, value: String)] = []
    for pair in bytes.split(separator: UInt8(ascii: "&")) {
      let end = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
      let rest = end == pair.endIndex ? pair[end...] : pair[pair.index(after: end)...]
      guard
        items.count < maxItems,
        let name = PercentCoding.decodeText(pair[..<end], plusIsSpace: true),
        let value = PercentCoding.decodeText(rest, plusIsSpace: true)
      else { return nil }
      items.append((name, value))
    }
    self.items = items
  }

  /// The value of the first pair of this name.
  package subscript(_ name: String) -> String? {
    items.first { $0.name == name }?.value
  }

  /// The value of the only pair of this name; nil as well if the name comes twice.
  package func only(_ name: String) -> String? {
    let matches = items.filter { $0.name == name }
    return matches.count == 1 ? matches[0].value : nil
  }
}
