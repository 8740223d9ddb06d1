internal import Crypto
internal import Foundation
internal import HTTPCore

/// What a link's bearer may do.
package struct SignedAccess: Sendable, Hashable {
  /// The thing allowed.
  package enum Operation: String, Sendable {
    case upload = "PUT"
    case download = "GET"
  }

  /// The object.
  package let key: String
  /// What may be done.
  package let operation: Operation
  /// An upload's Content-Type, byte for byte, or a download's answer; nil for the stored one.
  package let contentType: String?
  /// Most bytes of an upload; 0 for downloads.
  package let maxBytes: Int64
  /// When the link ends, in seconds since 1970.
  package let expires: Int64
}

/// Why a link gives no access.
package enum SignedLinkRefusal: String, Error, Sendable {
  /// It is not one of ours, whatever its signature says.
  case malformed
  /// It was changed, or signed with another key.
  case badSignature
  /// Its time is over.
  case expired
  /// It allows something else.
  case wrongMethod
}

/// Signs and checks links to the disk store's objects: pure, without clock or disk.
///
/// `/files/<key>?expires=<unix>&method=PUT|GET&type=<content type>&max=<bytes>&signature=<hex>`.
/// There is exactly one spelling of each link: whatever differs from it in order, escapes or extra
/// parameters is refused before the signature is looked at.
struct SignedLink {
  static let pathPrefix = "/files/"
  /// Longest link that is looked at.
  static let maximumBytes = 4 * 1024

  private let key: SymmetricKey

  init(signingKey: String) {
    key = SymmetricKey(data: Array(signingKey.utf8))
  }

  /// The link's path and query.
  func sign(_ access: SignedAccess) -> String {
    Self.unsigned(access) + "&signature=" + Hex.encode(code(of: access))
  }

  /// Checks a request's target.
  func check(
    _ target: [UInt8],
    method: HTTPMethod,
    unixSeconds: Int64
  ) -> Result<SignedAccess, SignedLinkRefusal> {
    guard target.count <= Self.maximumBytes, let (access, signature) = Self.parse(target) else {
      return .failure(.malformed)
    }
    guard
      HMAC<SHA256>.isValidAuthenticationCode(
        signature,
        authenticating: Self.message(access),
        using: key
      )
    else { return .failure(.badSignature) }
    guard unixSeconds < access.expires else { return .failure(.expired) }
    switch (access.operation, method) {
    case (.upload, .put), (.download, .get), (.download, .head): return .success(access)
    default: return .failure(.wrongMethod)
    }
  }

  private func code(of access: SignedAccess) -> HMAC<SHA256>.MAC {
    HMAC<SHA256>.authenticationCode(for: Self.message(access), using: key)
  }

  /// The link without its signature is what is signed: it is unambiguous.
  private static func message(_ access: SignedAccess) -> [UInt8] {
    Array("oneshot link 1\n\(unsigned(access))".utf8)
  }

  private static func unsigned(_ access: SignedAccess) -> String {
    let path = pathPrefix + PercentCoding.encode(access.key, keepingSlash: true)
    let type = PercentCoding.encode(access.contentType ?? "")
    return "\(path)?expires=\(access.expires)&method=\(access.operation.rawValue)"
      + "&type=\(type)&max=\(access.maxBytes)"
  }

  private static func parse(_ target: [UInt8]) -> (SignedAccess, [UInt8])? {
    guard
      target.starts(with: pathPrefix.utf8),
      let mark = target.firstIndex(of: UInt8(ascii: "?")),
      let key = PercentCoding.decodeText(target[pathPrefix.utf8.count..<mark]),
      ObjectKeyRule.isValid(key),
      let query = HTTPQuery(target[(mark + 1)...], maxItems: 5),
      let signature = query.only("signature"), let code = Hex.decode(signature),
      let operation = query.only("method").flatMap(SignedAccess.Operation.init),
      let expires = query.only("expires").flatMap({ Int64($0) }),
      let maxBytes = query.only("max").flatMap({ Int64($0) }),
      let type = query.only("type")
    else { return nil }
    let access = SignedAccess(
      key: key,
      operation: operation,
      contentType: type.isEmpty ? nil : type,
      maxBytes: maxBytes,
      expires: expires
    )
    let canonical = unsigned(access) + "&signature=\(signature)"
    return target.elementsEqual(canonical.utf8) ? (access, code) : nil
  }
}
