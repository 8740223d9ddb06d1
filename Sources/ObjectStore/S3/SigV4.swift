internal import Crypto
internal import Foundation
package import HTTPCore

/// AWS Signature Version 4 for S3: pure, without clock or network.
///
/// Follows S3's variant: the path is encoded once and never normalised, and a presigned body is
/// `UNSIGNED-PAYLOAD`.
package struct SigV4: Sendable {
  /// Hash of the empty body.
  package static let emptyBodyHash =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
  private static let algorithm = "AWS4-HMAC-SHA256"

  private let region: String
  private let accessKey: String
  private let secretKey: String
  private let sessionToken: String?

  /// Takes the credentials to sign with.
  package init(region: String, accessKey: String, secretKey: String, sessionToken: String? = nil) {
    self.region = region
    self.accessKey = accessKey
    self.secretKey = secretKey
    self.sessionToken = sessionToken
  }

  /// What is signed.
  package struct Request: Sendable {
    /// The method; a link for GET does not serve HEAD.
    package var method: HTTPMethod
    /// Host as it will be sent, with its port unless it is the scheme's own.
    package var host: String
    /// Path, not yet encoded; any bytes of UTF-8.
    package var path: String
    /// Parameters of the operation, in the order to send them.
    package var query: [(name: String, value: String)]
    /// Fields to sign besides Host, names in lower case.
    package var headers: [(name: String, value: String)]

    /// Describes a request.
    package init(
      _ method: HTTPMethod,
      host: String,
      path: String,
      query: [(name: String, value: String)] = [],
      headers: [(name: String, value: String)] = []
    ) {
      self.method = method
      self.host = host
      self.path = path
      self.query = query
      self.headers = headers
    }
  }

  /// The hash that a body is signed by.
  package static func hash(_ body: [UInt8]) -> String {
    Hex.encode(SHA256.hash(data: body))
  }

  /// Signs by query; returns encoded path and query.
  package func presignedTarget(
    _ request: Request,
    unixSeconds: Int64,
    lifetimeSeconds: Int64
  ) -> String {
    let date = CivilTime(unixSeconds: unixSeconds).basicISO8601
    let scope = scope(date)
    let (signedNames, _) = canonicalHeaders(request)
    var query = request.query
    query.append(("X-Amz-Algorithm", Self.algorithm))
    query.append(("X-Amz-Credential", "\(accessKey)/\(scope)"))
    query.append(("X-Amz-Date", date))
    query.append(("X-Amz-Expires", String(lifetimeSeconds)))
    if let sessionToken { query.append(("X-Amz-Security-Token", sessionToken)) }
    query.append(("X-Amz-SignedHeaders", signedNames))
    var signed = request
    signed.query = query
    let signature = signature(signed, date: date, scope: scope, bodyHash: "UNSIGNED-PAYLOAD")
    return "\(Self.encodedPath(request.path))?\(Self.encoded(query))&X-Amz-Signature=\(signature)"
  }

  /// Signs by fields; returns the fields to add to the request.
  package func signedFields(
    _ request: Request,
    bodyHash: String,
    unixSeconds: Int64
  ) -> [(name: String, value: String)] {
    let date = CivilTime(unixSeconds: unixSeconds).basicISO8601
    let scope = scope(date)
    var signed = request
    signed.headers.append(("x-amz-content-sha256", bodyHash))
    signed.headers.append(("x-amz-date", date))
    if let sessionToken { signed.headers.append(("x-amz-security-token", sessionToken)) }
    let (names, _) = canonicalHeaders(signed)
    let signature = signature(signed, date: date, scope: scope, bodyHash: bodyHash)
    let authorization =
      "\(Self.algorithm) Credential=\(accessKey)/\(scope), SignedHeaders=\(names), "
      + "Signature=\(signature)"
    return signed.headers + [("authorization", authorization)]
  }

  /// A path as it is sent: each byte but the unreserved ones and `/` escaped, once.
  package static func encodedPath(_ path: String) -> String {
    PercentCoding.encode(path, keepingSlash: true)
  }

  // MARK: Parts

  private func scope(_ date: String) -> String {
    "\(date.prefix(8))/\(region)/s3/aws4_request"
  }

  private static func encoded(_ query: [(name: String, value: String)]) -> String {
    query.map { "\(PercentCoding.encode($0.name))=\(PercentCoding.encode($0.value))" }
      .joined(separator: "&")
  }

  private static func canonicalQuery(_ query: [(name: String, value: String)]) -> String {
    query.map { (PercentCoding.encode($0.name), PercentCoding.encode($0.value)) }
      .sorted { left, right in
        left.0 == right.0 ? isBefore(left.1, right.1) : isBefore(left.0, right.0)
      }
      .map { "\($0.0)=\($0.1)" }.joined(separator: "&")
  }

  private static func isBefore(_ left: String, _ right: String) -> Bool {
    left.utf8.lexicographicallyPrecedes(right.utf8)
  }

  private func canonicalHeaders(_ request: Request) -> (names: String, lines: String) {
    let all = (request.headers + [("host", request.host)])
      .map { ($0.name, Self.collapsed($0.value)) }
      .sorted { Self.isBefore($0.0, $1.0) }
    let lines = all.map { "\($0.0):\($0.1)\n" }.joined()
    return (all.map(\.0).joined(separator: ";"), lines)
  }

  /// The value without outer spaces and with runs of inner ones made one.
  private static func collapsed(_ value: String) -> String {
    value.split(separator: " ").joined(separator: " ")
  }

  private func signature(
    _ request: Request,
    date: String,
    scope: String,
    bodyHash: String
  ) -> String {
    let (names, lines) = canonicalHeaders(request)
    let canonical = [
      request.method.rawValue, Self.encodedPath(request.path), Self.canonicalQuery(request.query),
      lines, names, bodyHash,
    ].joined(separator: "\n")
    let hash = Hex.encode(SHA256.hash(data: Array(canonical.utf8)))
    let text = "\(Self.algorithm)\n\(date)\n\(scope)\n\(hash)"
    let parts = [String(date.prefix(8)), region, "s3", "aws4_request"]
    let key = parts.reduce(Array("AWS4\(secretKey)".utf8)) { Self.mac($1, $0) }
    return Hex.encode(Self.mac(text, key))
  }

  private static func mac(_ text: String, _ key: [UInt8]) -> [UInt8] {
    Array(
      HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: SymmetricKey(data: key))
    )
  }
}
