/// The grammar of `host[:port]` without user information (RFC 3986 §3.2).
package enum Authority {
  /// True for a name, IPv4 address or bracketed IPv6 address with an optional port.
  package static func isValid(_ bytes: some Collection<UInt8>) -> Bool {
    guard let first = bytes.first, bytes.count <= 261 else { return false }
    guard first == UInt8(ascii: "[") else {
      let host = bytes.prefix { $0 != UInt8(ascii: ":") }
      return !host.isEmpty && host.allSatisfy(isNameByte)
        && isValidPort(bytes.dropFirst(host.count))
    }
    let inside = bytes.dropFirst().prefix { $0 != UInt8(ascii: "]") }
    let rest = bytes.dropFirst(inside.count + 1)
    return inside.count >= 2 && inside.allSatisfy(isAddressByte)
      && rest.first == UInt8(ascii: "]") && isValidPort(rest.dropFirst())
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    if ASCII.isUnreserved(byte) { return true }
    switch byte {
    case UInt8(ascii: "!"), UInt8(ascii: "$"), UInt8(ascii: "&"), UInt8(ascii: "'"),
      UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "*"), UInt8(ascii: "+"),
      UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "="), UInt8(ascii: "%"):
      return true
    default:
      return false
    }
  }

  private static func isAddressByte(_ byte: UInt8) -> Bool {
    ASCII.hexValue(byte) != nil || byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".")
  }

  private static func isValidPort(_ bytes: some Collection<UInt8>) -> Bool {
    guard !bytes.isEmpty else { return true }
    let digits = bytes.dropFirst()
    return bytes.first == UInt8(ascii: ":") && digits.count <= 5 && digits.allSatisfy(ASCII.isDigit)
  }
}
