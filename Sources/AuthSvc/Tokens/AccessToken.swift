internal import Foundation
internal import JWTKit
internal import ServiceKit

/// What an access token says; the edge checks all of it.
struct AccessToken: JWTPayload, Hashable {
  static let issuer = "oneshot"
  static let audience = "oneshot-api"

  /// The user, a UUID in lower case.
  var sub: String
  /// The session, a UUID in lower case.
  var sid: String
  /// Unix seconds of issue and of expiry.
  var iat: Int64
  var exp: Int64
  var iss = Self.issuer
  var aud = Self.audience
  /// user or admin.
  var role: String

  func verify(using algorithm: some JWTAlgorithm) throws {
    guard iss == Self.issuer, aud == Self.audience else {
      throw JWTError.claimVerificationFailure(
        failedClaim: IssuerClaim(value: iss),
        reason: "another issuer or audience"
      )
    }
  }
}

/// Signs access tokens with ES256.
struct TokenIssuer: Sendable {
  /// How long a token opens doors.
  let lifetime: Duration
  private let keys: JWTKeyCollection
  private let clock: any WallClock

  /// Takes the private key as PEM: P-256 in PKCS #8 or SEC 1; jwt-kit throws for anything else.
  init(privateKeyPEM: String, lifetime: Duration, clock: any WallClock) async throws {
    self.lifetime = lifetime
    self.clock = clock
    keys = JWTKeyCollection()
    await keys.add(ecdsa: try ES256PrivateKey(pem: privateKeyPEM))
  }

  /// Signs a token for one session.
  func issue(to user: UserID, session: SessionID, role: String) async throws -> String {
    let now = Int64(clock.now().timeIntervalSince1970)
    let token = AccessToken(
      sub: "\(user)",
      sid: "\(session)",
      iat: now,
      exp: now + lifetime.components.seconds,
      role: role
    )
    return try await keys.sign(token)
  }
}
