import Crypto
import Foundation
import JWTKit
import Testing

@testable import EdgeProxy

/// Makes access tokens as AuthSvc does, and many that it does not.
struct TokenMint {
  let key = ES256PrivateKey()
  let user = UUID()
  let session = UUID()

  struct Claims: JWTPayload {
    var sub: String
    var sid: String
    var role = "user"
    var iss = "oneshot"
    var aud = ["oneshot-api"]
    var iat = Int(Date().timeIntervalSince1970)
    var exp = Int(Date().timeIntervalSince1970) + 600
    var nbf: Int?

    func verify(using algorithm: some JWTAlgorithm) async throws {}
  }

  var claims: Claims {
    Claims(sub: user.uuidString.lowercased(), sid: session.uuidString.lowercased())
  }

  func token(_ change: (inout Claims) -> Void = { _ in }) async throws -> String {
    var claims = claims
    change(&claims)
    let keys = JWTKeyCollection()
    await keys.add(ecdsa: key)
    return try await keys.sign(claims)
  }

  /// A token with any header and payload, signed with the right key unless told otherwise.
  func raw(header: String, payload: String? = nil, signature: [UInt8]? = nil) throws -> String {
    let text = try payload ?? String(decoding: JSONEncoder().encode(claims), as: UTF8.self)
    let input = Self.base64(Array(header.utf8)) + "." + Self.base64(Array(text.utf8))
    let private256 = try P256.Signing.PrivateKey(pemRepresentation: key.pemRepresentation)
    let signed = try private256.signature(for: Data(input.utf8)).rawRepresentation
    return input + "." + Self.base64(signature ?? [UInt8](signed))
  }

  static func base64(_ bytes: [UInt8]) -> String {
    Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
      .replacing("=", with: "")
  }
}

@Suite("Access tokens")
struct TokenTests {
  private let mint = TokenMint()

  private func check(_ token: String) async throws -> VerifiedToken {
    let verifier = await TokenVerifier(publicKey: mint.key.publicKey)
    return try await TokenVerifier.check(token, with: verifier.signingKeys, now: Date())
  }

  @Test("A good token names its user, session and role")
  func good() async throws {
    let verified = try await check(mint.token { $0.role = "admin" })
    #expect(verified.principal.userID == mint.user)
    #expect(verified.principal.role == .admin)
    #expect(verified.session == mint.session.uuidString.lowercased())
    #expect(verified.metadata.map(\.name).contains("x-oneshot-user-id"))
  }

  @Test("A token with wrong claims is refused")
  func wrongClaims() async throws {
    let past = Int(Date().timeIntervalSince1970) - 1
    let changes: [(inout TokenMint.Claims) -> Void] = [
      { $0.exp = past }, { $0.nbf = past + 600 }, { $0.iss = "other" }, { $0.aud = ["other"] },
      { $0.aud = ["oneshot-api", "other"] }, { $0.sub = "me" }, { $0.sid = "" },
      { $0.role = "root" },
      { $0.aud = [] },
    ]
    for change in changes {
      let token = try await mint.token(change)
      await #expect(throws: TokenFailure.self) { try await check(token) }
    }
  }

  @Test("A token of another key or another algorithm is refused")
  func otherKeys() async throws {
    let stranger = try await TokenMint().token()
    await #expect(throws: TokenFailure.self) { try await check(stranger) }
    let keys = JWTKeyCollection()
    await keys.add(
      hmac: HMACKey(from: mint.key.publicKey.pemRepresentation),
      digestAlgorithm: .sha256
    )
    let confused = try await keys.sign(mint.claims)
    await #expect(throws: TokenFailure.self) { try await check(confused) }
  }

  @Test(
    "A header that names anything but ES256, or a way to another key, is refused",
    arguments: [
      #"{"alg":"none"}"#, #"{"alg":"None"}"#, #"{"alg":""}"#, #"{"alg":"HS256"}"#,
      #"{"alg":"ES384"}"#,
      #"{"alg":"es256"}"#, #"{"typ":"JWT"}"#, #"{"alg":["ES256"]}"#,
      #"{"alg":"ES256","jku":"http://x"}"#,
      #"{"alg":"ES256","x5u":"http://x"}"#, #"{"alg":"ES256","jwk":{}}"#,
      #"{"alg":"ES256","x5c":[]}"#,
      #"{"alg":"ES256","crit":["exp"]}"#, #"{"alg":"HS256","alg":"none"}"#, "[]", "{", "",
    ]
  )
  func headers(header: String) async throws {
    let token = try mint.raw(header: header)
    await #expect(throws: TokenFailure.self) { try await check(token) }
  }

  @Test("A plain header of the right key passes, so that the cases above fail by their header")
  func control() async throws {
    let token = try mint.raw(header: #"{"alg":"ES256","typ":"JWT"}"#)
    #expect(try await check(token).principal.userID == mint.user)
  }

  @Test("A signature of zeros, of another text or of another length is refused")
  func signatures() async throws {
    let header = #"{"alg":"ES256","typ":"JWT"}"#
    for signature in [[UInt8](repeating: 0, count: 64), [], [UInt8](repeating: 1, count: 63)] {
      let token = try mint.raw(header: header, signature: signature)
      await #expect(throws: TokenFailure.self) { try await check(token) }
    }
    let parts = try await mint.token().split(separator: ".")
    let other = try await mint.token { $0.role = "admin" }.split(separator: ".")
    await #expect(throws: TokenFailure.self) {
      try await check("\(parts[0]).\(other[1]).\(parts[2])")
    }
  }

  @Test(
    "Texts that are no tokens are refused",
    arguments: [
      "", ".", "..", "a.b", "a.b.c", "a.b.c.d", String(repeating: "a", count: 1_000_000),
    ]
  )
  func notTokens(text: String) async {
    await #expect(throws: TokenFailure.self) { try await check(text) }
  }

  @Test("A checked token is known until it expires, and their number is bounded")
  func known() async throws {
    var verifier = await TokenVerifier(publicKey: mint.key.publicKey)
    let token = try await mint.token()
    let now = Date()
    #expect(verifier.known(token, now: now) == nil)
    let verified = try await TokenVerifier.check(token, with: verifier.signingKeys, now: now)
    verifier.remember(token, verified, now: now)
    #expect(verifier.known(token, now: now)?.session == verified.session)
    #expect(verifier.known(token, now: now.addingTimeInterval(3600)) == nil)
    #expect(verifier.known(token, now: now) == nil)
    for index in 0..<20_001 { verifier.remember("t\(index)", verified, now: now) }
    #expect(verifier.known("t20000", now: now) != nil)
  }
}
