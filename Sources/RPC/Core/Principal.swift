package import FoundationEssentials

/// On whose behalf a call is made, as the edge has found out.
///
/// Trusted because only services with a certificate of ours can send it.
package struct Principal: Sendable, Hashable {
  /// What a user may do.
  package enum Role: String, Sendable {
    case user, admin
  }

  package var userID: UUID
  package var sessionID: UUID
  package var role: Role

  package init(userID: UUID, sessionID: UUID, role: Role) {
    self.userID = userID
    self.sessionID = sessionID
    self.role = role
  }

  /// Reads the metadata that the edge adds; nil for an anonymous call.
  init?(_ metadata: Metadata) {
    guard let user = metadata["x-oneshot-user-id"].flatMap(UUID.init(uuidString:)),
      let session = metadata["x-oneshot-session-id"].flatMap(UUID.init(uuidString:))
    else { return nil }
    let role = metadata["x-oneshot-role"].flatMap(Role.init(rawValue:)) ?? .user
    self.init(userID: user, sessionID: session, role: role)
  }

  /// The metadata that carries the principal.
  package var metadataFields: [(String, String)] {
    [
      ("x-oneshot-user-id", userID.uuidString.lowercased()),
      ("x-oneshot-session-id", sessionID.uuidString.lowercased()),
      ("x-oneshot-role", role.rawValue),
    ]
  }
}
