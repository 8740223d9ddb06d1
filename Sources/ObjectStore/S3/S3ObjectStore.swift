internal import Foundation
package import HTTPClient
internal import HTTPCore

/// Where a bucket is and who we are there.
package struct S3Configuration: Sendable {
  /// http(s)://host[:port] of the service, without a slash at its end; keys go by path style.
  package var endpoint: String
  /// The bucket's region; `auto` for Cloudflare R2.
  package var region: String
  /// The bucket.
  package var bucket: String
  /// Access key id.
  package var accessKey: String
  /// Secret access key.
  package var secretKey: String

  /// Joins the parts.
  package init(
    endpoint: String,
    region: String,
    bucket: String,
    accessKey: String,
    secretKey: String
  ) {
    self.endpoint = endpoint
    self.region = region
    self.bucket = bucket
    self.accessKey = accessKey
    self.secretKey = secretKey
  }
}

/// Keeps objects in an S3 bucket, or one of a service that speaks S3.
package struct S3ObjectStore: ObjectStore {
  /// What calls to the bucket may cost.
  package struct Limits: Sendable {
    /// Time of one attempt.
    package var attempt: Duration = .seconds(60)
    /// Attempts of one call, when the service is busy or away.
    package var attempts = 3
    /// Longest wait before the second attempt; it doubles with each.
    package var backoff: Duration = .milliseconds(200)

    /// Makes the default limits.
    package init() {}
  }

  /// Bytes of an answer that is no object, but an error's XML.
  private static let maximumErrorBytes = 64 * 1024

  private let configuration: S3Configuration
  private let limits: Limits
  private let host: String
  private let signer: SigV4
  private let http: HTTPClient
  private let now: @Sendable () -> Int64

  /// Describes a store; nothing is sent yet.
  ///
  /// - Parameters:
  ///   - configuration: The bucket.
  ///   - http: The client to reach it by.
  ///   - limits: What calls may cost.
  ///   - now: The wall clock, in seconds since 1970.
  /// - Throws: `.refused` for an endpoint that is more or less than scheme and host.
  package init(
    _ configuration: S3Configuration,
    http: HTTPClient,
    limits: Limits = Limits(),
    now: @escaping @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970) }
  ) throws(ObjectStoreError) {
    self.configuration = configuration
    self.limits = limits
    self.http = http
    self.now = now
    host = try Self.sentHost(configuration.endpoint)
    signer = SigV4(
      region: configuration.region,
      accessKey: configuration.accessKey,
      secretKey: configuration.secretKey
    )
  }

  /// The Host that will be sent: a port that is the scheme's own is left out of it.
  private static func sentHost(_ endpoint: String) throws(ObjectStoreError) -> String {
    for (scheme, usual) in [("https://", ":443"), ("http://", ":80")]
    where endpoint.hasPrefix(scheme) {
      let host = endpoint.dropFirst(scheme.count)
      guard Authority.isValid(host.utf8) else { break }
      return String(host.hasSuffix(usual) ? host.dropLast(usual.count) : host)
    }
    throw ObjectStoreError(.refused, "endpoint \(endpoint.debugDescription)")
  }

  /// Stores bytes.
  package func put(
    _ key: String,
    bytes: [UInt8],
    contentType: String
  ) async throws(ObjectStoreError) {
    try ContentTypeRule.check(contentType)
    let response = try await send(.put, key, body: bytes, contentType: contentType)
    guard response.status.rawValue == 200 else { throw failure(response, key) }
  }

  /// Stores a local file's bytes.
  package func put(
    _ key: String,
    file path: String,
    contentType: String
  ) async throws(ObjectStoreError) {
    let bytes: [UInt8]
    do {
      bytes = try await http.group.preferred().offload {
        try DiskFile(root: "").readPlain(path, maxBytes: DiskObjectStore.maximumFileBytes)
      }
    } catch let error as ObjectStoreError {
      throw error
    } catch {
      throw ObjectStoreError(.unavailable, "\(error)")
    }
    try await put(key, bytes: bytes, contentType: contentType)
  }

  /// Reads an object.
  package func get(
    _ key: String,
    maxBytes: Int
  ) async throws(ObjectStoreError) -> StoredObject {
    let response = try await send(.get, key, maxBytes: max(maxBytes, Self.maximumErrorBytes))
    guard response.status.rawValue == 200 else { throw failure(response, key) }
    guard response.body.count <= maxBytes else {
      throw ObjectStoreError(.tooLarge, "\(key) has \(response.body.count) bytes")
    }
    return StoredObject(bytes: response.body, contentType: contentType(response))
  }

  /// Describes an object; nil without one.
  package func head(_ key: String) async throws(ObjectStoreError) -> ObjectInfo? {
    let response = try await send(.head, key, maxBytes: .max)
    if response.status.rawValue == 404 { return nil }
    guard
      response.status.rawValue == 200,
      let size = response.headers["content-length"].flatMap({ Int($0) })
    else { throw failure(response, key) }
    return ObjectInfo(size: size, contentType: contentType(response))
  }

  /// Removes an object; it is fine if there is none.
  package func delete(_ key: String) async throws(ObjectStoreError) {
    let response = try await send(.delete, key)
    guard [200, 204, 404].contains(response.status.rawValue) else {
      throw failure(response, key)
    }
  }

  /// Signs an address at the bucket.
  package func presign(_ request: PresignRequest) throws(ObjectStoreError) -> String {
    try ObjectKeyRule.check(request.key)
    let seconds = try request.checkedSeconds()
    var signed = SigV4.Request(.get, host: host, path: path(request.key))
    switch request.operation {
    case .upload(let contentType, _):
      try ContentTypeRule.check(contentType)
      signed.method = .put
      signed.headers = [("content-type", contentType)]
    case .download(let contentType):
      if let contentType { signed.query = [("response-content-type", contentType)] }
    }
    let target = signer.presignedTarget(signed, unixSeconds: now(), lifetimeSeconds: seconds)
    return configuration.endpoint + target
  }

  private func path(_ key: String) -> String {
    "/\(configuration.bucket)/\(key)"
  }

  private func contentType(_ response: HTTPResponse) -> String {
    response.headers["content-type"] ?? "application/octet-stream"
  }

  // MARK: Sending

  private func send(
    _ method: HTTPMethod,
    _ key: String,
    body: [UInt8]? = nil,
    contentType: String? = nil,
    maxBytes: Int = maximumErrorBytes
  ) async throws(ObjectStoreError) -> HTTPResponse {
    try ObjectKeyRule.check(key)
    let bodyHash = body.map { SigV4.hash($0) } ?? SigV4.emptyBodyHash
    var attempt = 1
    while true {
      var request = SigV4.Request(method, host: host, path: path(key))
      if let contentType { request.headers.append(("content-type", contentType)) }
      let fields = signer.signedFields(request, bodyHash: bodyHash, unixSeconds: now())
      var message = HTTPRequest(
        method,
        configuration.endpoint + SigV4.encodedPath(request.path),
        body: body
      )
      for field in fields { message.headers.append(field.name, field.value) }
      do throws(HTTPClientError) {
        let response = try await http.execute(
          message,
          policy: .trusted,
          limits: HTTPClientLimits(
            deadline: limits.attempt,
            responseBytes: maxBytes,
            redirects: 0
          )
        )
        guard isBusy(response.status), attempt < limits.attempts else { return response }
      } catch {
        guard error.isRetryable, attempt < limits.attempts else { throw translated(error) }
      }
      try await pause(afterAttempt: attempt)
      attempt += 1
    }
  }

  private func isBusy(_ status: HTTPStatus) -> Bool {
    [429, 500, 502, 503, 504].contains(status.rawValue)
  }

  private func pause(afterAttempt attempt: Int) async throws(ObjectStoreError) {
    let longest = limits.backoff * (1 << (attempt - 1))
    do {
      try await Task.sleep(for: longest * Double.random(in: 0.5...1))
    } catch {
      throw ObjectStoreError(.cancelled, "while waiting to try again")
    }
  }

  private func translated(_ error: HTTPClientError) -> ObjectStoreError {
    switch error.kind {
    case .tooLarge: ObjectStoreError(.tooLarge, error.detail)
    case .cancelled: ObjectStoreError(.cancelled, error.detail)
    case .invalidURL, .invalidRequest, .tooManyRedirects:
      ObjectStoreError(.refused, error.description)
    case .unreachable, .timedOut: ObjectStoreError(.unavailable, error.description)
    }
  }

  private func failure(_ response: HTTPResponse, _ key: String) -> ObjectStoreError {
    let status = response.status.rawValue
    let code = S3ErrorCode(response.body).text
    let kind: ObjectStoreError.Kind =
      switch status {
      case 404: .notFound
      case 429, 500...: .unavailable
      default: .refused
      }
    return ObjectStoreError(kind, "\(status) \(code)")
  }
}

/// The code inside an error's XML, for logs: `<Code>SlowDown</Code>`.
struct S3ErrorCode {
  let text: String

  init(_ body: [UInt8]) {
    let xml = String(decoding: body.prefix(4_096), as: UTF8.self)
    guard
      let start = xml.range(of: "<Code>"),
      let end = xml.range(of: "</Code>", range: start.upperBound..<xml.endIndex)
    else {
      text = ""
      return
    }
    text = String(xml[start.upperBound..<end.lowerBound].filter { $0.isLetter }.prefix(64))
  }
}
