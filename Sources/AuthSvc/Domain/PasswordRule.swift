internal import Foundation

/// Which passwords are accepted, and the one form in which they are hashed.
///
/// Length decides, not composition: 8 characters to 72 bytes, since bcrypt reads no further and
/// nothing is cut silently. Common passwords and the user's own address are refused.
enum PasswordRule {
  static let minCharacters = 8
  static let maxBytes = 72

  /// Why a password is refused.
  enum Weakness: Sendable, Hashable {
    case tooShort, tooLong, unusable, common, isAddress

    /// The sentence for the user.
    var message: String {
      switch self {
      case .tooShort: "The password must have at least \(minCharacters) characters."
      case .tooLong: "The password must have at most \(maxBytes) bytes."
      case .unusable: "The password contains a character that cannot be used."
      case .common: "This password is one of the most common ones."
      case .isAddress: "The password must differ from the e-mail address."
      }
    }
  }

  /// The form that is hashed; nil when it cannot be any user's password.
  ///
  /// NFKC in UTF-8, at registration and at login alike, so that the same keys on another system
  /// give the same password.
  static func hashed(_ password: String) -> [UInt8]? {
    let bytes = Array(password.precomposedStringWithCompatibilityMapping.utf8)
    guard !bytes.isEmpty, bytes.count <= maxBytes, !bytes.contains(0) else { return nil }
    return bytes
  }

  /// What is wrong with a new password; nil when it is accepted.
  static func weakness(of password: String, for address: EmailAddress?) -> Weakness? {
    let normal = password.precomposedStringWithCompatibilityMapping
    if normal.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) {
      return .unusable
    }
    if normal.count < minCharacters { return .tooShort }
    if normal.utf8.count > maxBytes { return .tooLong }
    let folded = normal.lowercased()
    if CommonPasswords.contains(folded) { return .common }
    if let address, [address.canonical, address.localPart].contains(folded) { return .isAddress }
    return nil
  }
}
