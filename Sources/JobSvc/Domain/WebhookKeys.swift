internal import Crypto
internal import Foundation
internal import HTTPCore
internal import ServiceKit

/// Signs notices by the scheme of Standard Webhooks, with a key for each user.
///
/// The keys come from one secret of the deployment by HKDF-SHA256 (RFC 5869) and are stored nowhere.
/// So no user can forge what another receives, and a new secret changes all keys at once; the one
/// before it signs as well for as long as it is configured.
struct WebhookKeys: Sendable {
  /// Secrets of the deployment; the first is the current one.
  private let secrets: [SymmetricKey]

  /// Least bytes of a secret.
  static let minimumBytes = 32
  private static let purpose = "oneshot webhook key v1 "

  /// Takes the current secret and the one before it.
  init(secret: String, previous: String? = nil) {
    secrets = ([secret] + (previous.map { [$0] } ?? [])).map { SymmetricKey(data: Data($0.utf8)) }
  }

  /// The current key of a user as libraries take it: `whsec_` and base64.
  func text(of user: UserID) -> String {
    let bytes = key(of: user, secrets[0]).withUnsafeBytes { Data($0) }
    return "whsec_" + bytes.base64EncodedString()
  }

  /// The signed fields of one attempt.
  ///
  /// The id is the same for all attempts; the timestamp is that of this one, in seconds since 1970.
  func headers(of user: UserID, id: String, timestamp: Int64, body: [UInt8]) -> HTTPHeaders {
    let content = Data("\(id).\(timestamp).".utf8) + Data(body)
    let codes = secrets.map { secret in
      Data(HMAC<SHA256>.authenticationCode(for: content, using: key(of: user, secret)))
    }
    var headers = HTTPHeaders()
    headers.append("webhook-id", id)
    headers.append("webhook-timestamp", "\(timestamp)")
    headers.append(
      "webhook-signature",
      codes.map { "v1," + $0.base64EncodedString() }.joined(separator: " ")
    )
    headers.append("x-webhook-signature", codes[0].map(Self.hex).joined())
    return headers
  }

  private func key(of user: UserID, _ secret: SymmetricKey) -> SymmetricKey {
    HKDF<SHA256>.deriveKey(
      inputKeyMaterial: secret,
      info: Data((Self.purpose + user.description).utf8),
      outputByteCount: 32
    )
  }

  private static func hex(_ byte: UInt8) -> String {
    let text = String(byte, radix: 16)
    return text.count == 1 ? "0" + text : text
  }
}
