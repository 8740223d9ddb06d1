internal import Foundation
internal import ServiceKit

/// A user, as stored.
struct User: Sendable, Hashable {
  var id: UserID
  /// Where mails go.
  var email: String
  var name: String?
  /// user or admin.
  var role: String
  var createdAt: Date
}

/// What a login is checked against.
struct Credential: Sendable {
  var user: User
  var passwordHash: String
}

/// What BillingSvc knows of a user.
struct AccountSummary: Sendable, Hashable {
  /// Spendable credits.
  var credits: Int64
  /// "active" while a paid plan runs, else "inactive".
  var subscriptionStatus: String
  var planCode: String
}

/// Where a session was opened from; shown to the user, never trusted.
struct SessionOrigin: Sendable, Hashable {
  private static let maxBytes = 255

  var address: String?
  var userAgent: String?

  /// Cuts what is too long and drops what cannot be shown.
  init(address: String?, userAgent: String?) {
    self.address = address.map(Self.shown)
    self.userAgent = userAgent.map(Self.shown)
  }

  private static func shown(_ text: String) -> String {
    let printable = text.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }
    return String(String.UnicodeScalarView(printable.prefix(maxBytes / 4)))
  }
}

/// Why a session ended.
enum RevocationReason: String, Sendable {
  case logout
  case tokenReused = "token_reused"
}

/// What came of a refresh token.
enum RefreshOutcome: Sendable, Hashable {
  case rotated(session: SessionID, user: UserID, role: String)
  /// It had been used before; the session is ended by this.
  case reused(session: SessionID)
  case expired
  /// The session had ended, or the token never was.
  case invalid
}
