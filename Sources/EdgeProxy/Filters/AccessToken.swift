internal import Foundation
internal import JSON
internal import JWTKit
internal import RPC

/// What an access token says, as AuthSvc writes it.
struct AccessClaims: JWTPayload {
  let sub: String
  let sid: String
  let role: String
  let iss: String
  let aud: Audience
  let exp: Double
  let nbf: Double?

  /// One audience or several. (JWTKit's own claim traps on an empty list.)
  struct Audience: Codable, Sendable {
    let values: [String]

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let one = try? container.decode(String.self) {
        values = [one]
      } else {
        values = try container.decode([String].self)
      }
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      try container.encode(values)
    }
  }

  static let issuer = "oneshot"
  static let audience = "oneshot-api"

  /// Claims are checked by ``TokenVerifier``, against its own clock.
  func verify(using algorithm: some JWTAlgorithm) async throws {}
}

/// Who a token stands for, and until when.
struct VerifiedToken: Sendable {
  let principal: Principal
  /// Metadata for the calls made on the principal's behalf.
  let metadata: [(name: String, value: String)]
  /// Id of the session in the form that Redis keys have.
  let session: String
  let expires: Date
}

/// Why a token is refused.
enum TokenFailure: Error, Equatable {
  case malformed
  case badSignature
  case wrongClaims
  case expired
}

/// Checks access tokens: ES256 by the one public key of AuthSvc, issuer, audience and times.
///
/// The signature is checked once; then the token is known until it expires. One for each loop.
struct TokenVerifier {
  /// Tokens that are remembered.
  private static let maxKnown = 20_000
  /// Longest token that is looked at.
  private static let maxTokenBytes = 4096
  /// How far clocks may differ.
  private static let leeway: TimeInterval = 5

  private let keys: JWTKeyCollection
  private var known: [String: VerifiedToken] = [:]

  /// Makes a verifier for tokens of `publicKey`, a P-256 key in PEM.
  init(publicKey: ES256PublicKey) async {
    keys = JWTKeyCollection()
    await keys.add(ecdsa: publicKey)
  }

  private init(keys: JWTKeyCollection) { self.keys = keys }

  /// A token that was checked before and has not expired.
  mutating func known(_ token: String, now: Date) -> VerifiedToken? {
    guard let verified = known[token] else { return nil }
    guard verified.expires > now else {
      known[token] = nil
      return nil
    }
    return verified
  }

  /// Remembers a checked token; when there are too many, the expired ones go, then all.
  mutating func remember(_ token: String, _ verified: VerifiedToken, now: Date) {
    if known.count >= Self.maxKnown {
      known = known.filter { $0.value.expires > now }
      if known.count >= Self.maxKnown { known.removeAll() }
    }
    known[token] = verified
  }

  /// The keys, for ``check(_:with:now:)`` outside of the state that holds this value.
  var signingKeys: JWTKeyCollection { keys }

  /// Checks a token from scratch.
  static func check(
    _ token: String,
    with keys: JWTKeyCollection,
    now: Date
  ) async throws(TokenFailure) -> VerifiedToken {
    guard token.utf8.count <= maxTokenBytes, isES256(token) else { throw .malformed }
    let claims: AccessClaims
    do {
      claims = try await keys.verify(token, as: AccessClaims.self)
    } catch {
      throw .badSignature
    }
    guard
      claims.iss == AccessClaims.issuer, claims.aud.values == [AccessClaims.audience],
      let user = UUID(uuidString: claims.sub), let session = UUID(uuidString: claims.sid),
      let role = Principal.Role(rawValue: claims.role)
    else { throw .wrongClaims }
    let time = now.timeIntervalSince1970
    if let start = claims.nbf, start > time + leeway { throw .wrongClaims }
    guard claims.exp > time else { throw .expired }
    let principal = Principal(userID: user, sessionID: session, role: role)
    return VerifiedToken(
      principal: principal,
      metadata: principal.metadataFields.map { (name: $0.0, value: $0.1) },
      session: session.uuidString.lowercased(),
      expires: Date(timeIntervalSince1970: claims.exp)
    )
  }

  /// Whether the token's own header names ES256 and nothing that could lead to another key.
  private static func isES256(_ token: String) -> Bool {
    let parts = token.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, parts.allSatisfy({ !$0.isEmpty }) else { return false }
    var base64 = String(parts[0]).replacing("-", with: "+").replacing("_", with: "/")
    while base64.utf8.count % 4 != 0 { base64.append("=") }
    guard let data = Data(base64Encoded: base64), let parser = try? JSONParser(maximumDepth: 4)
    else { return false }
    var text = [UInt8](data)
    let isPlain = try? parser.parse(&text) { header in
      header.member("alg")?.kind == .string && header.member("alg")?.string == "ES256"
        && ["jku", "jwk", "x5u", "x5c", "crit"].allSatisfy { header.member($0) == nil }
    }
    return isPlain == true
  }
}
