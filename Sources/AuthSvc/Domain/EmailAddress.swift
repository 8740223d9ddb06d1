internal import Foundation

/// An e-mail address that mail can be sent to, and the form in which two addresses are the same.
///
/// The local part stays as typed, the domain is lower-cased. Addresses are equal when their NFC and
/// lower-cased forms are: no tricks with dots or plus signs. Domains are ASCII (an international
/// one in its `xn--` form) with at least two labels.
struct EmailAddress: Sendable, Hashable {
  /// Longest address in bytes (RFC 5321 §4.5.3.1.3 less the brackets).
  static let maxBytes = 254
  private static let maxLocalBytes = 64
  private static let maxLabelBytes = 63

  /// Where mails go.
  let text: String
  /// What uniqueness is decided on.
  let canonical: String

  /// Takes an address as a person typed it; nil when it is none.
  init?(_ typed: String) {
    let trimmed = typed.trimmingCharacters(in: .whitespaces)
    guard trimmed.utf8.count <= Self.maxBytes, let at = trimmed.lastIndex(of: "@") else {
      return nil
    }
    let local = trimmed[..<at]
    let domain = trimmed[trimmed.index(after: at)...].lowercased()
    guard Self.isLocalPart(local), Self.isDomain(domain) else { return nil }
    text = "\(local)@\(domain)"
    canonical = text.precomposedStringWithCanonicalMapping.lowercased()
  }

  /// The part before the `@`, lower-cased.
  var localPart: String {
    String(canonical.prefix { $0 != "@" })
  }

  private static func isLocalPart(_ local: Substring) -> Bool {
    guard (1...maxLocalBytes).contains(local.utf8.count) else { return false }
    guard !local.hasPrefix("."), !local.hasSuffix("."), !local.contains("..") else { return false }
    let refused: Set<Unicode.Scalar> = [
      "(", ")", "<", ">", "[", "]", ":", ";", "@", "\\", ",", "\"",
    ]
    return local.unicodeScalars.allSatisfy { scalar in
      scalar.value > 0x20 && scalar.value != 0x7F && !refused.contains(scalar)
        && !(0x80...0x9F).contains(scalar.value) && !scalar.properties.isWhitespace
    }
  }

  private static func isDomain(_ domain: String) -> Bool {
    let labels = domain.split(separator: ".", omittingEmptySubsequences: false)
    guard labels.count >= 2, labels.last?.allSatisfy(\.isNumber) == false else { return false }
    return labels.allSatisfy { label in
      (1...maxLabelBytes).contains(label.utf8.count)
        && !label.hasPrefix("-") && !label.hasSuffix("-")
        && label.utf8.allSatisfy { byte in
          (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || byte == UInt8(ascii: "-")
        }
    }
  }
}
