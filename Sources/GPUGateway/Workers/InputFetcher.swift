internal import EventLoop
internal import Foundation
internal import HTTPClient
internal import HTTPCore
internal import ObjectStore
internal import OneShotAPI

/// Brings the pictures of a job: our own straight from the store, others over HTTP.
struct InputFetcher: Sendable {
  let objects: any ObjectStore
  let http: HTTPClient
  let group: EventLoopGroup
  /// Largest picture.
  let maxBytes: Int

  /// Time for one address, redirects included.
  private static let timeout: Duration = .seconds(10)
  private static let maxRedirects = 3

  /// The bytes behind `source`, which is `user`'s or public.
  func fetch(_ source: Gpu.ImageSource, for user: UUID) async throws -> [UInt8] {
    switch source.location {
    case .objectKey(let key): return try await object(key, of: user)
    case .url(let url): return try await remote(url)
    case nil: throw RunFailure.input("MISSING_FIELD", "An input picture is missing.")
    }
  }

  private func object(_ key: String, of user: UUID) async throws -> [UInt8] {
    // Another user's object is as absent as one that never was.
    guard InputRule.owns(user, key) else { throw RunFailure.notUploaded }
    do throws(ObjectStoreError) {
      return try await objects.get(key, maxBytes: maxBytes).bytes
    } catch {
      switch error.kind {
      case .notFound, .invalidKey: throw RunFailure.notUploaded
      case .tooLarge:
        throw RunFailure.input("INPUT_TOO_LARGE", "The picture has more than \(maxBytes) bytes.")
      case .cancelled: throw CancellationError()
      case .unavailable, .refused: throw RunFailure.provider("\(error)")
      }
    }
  }

  private func remote(_ url: String) async throws -> [UInt8] {
    let limits = HTTPClientLimits(
      deadline: Self.timeout,
      responseBytes: maxBytes,
      redirects: Self.maxRedirects
    )
    let response: HTTPResponse
    do throws(HTTPClientError) {
      response = try await http.execute(
        HTTPRequest(.get, url),
        policy: .publicOnly,
        limits: limits
      )
    } catch {
      throw try await refusal(of: url, error)
    }
    guard response.status.rawValue == 200 else {
      throw RunFailure.unreachable("status \(response.status.rawValue)")
    }
    return response.body
  }

  /// Why an address gave nothing.
  ///
  /// The sentence is the same whatever happened inside: only that a
  /// name leads to no public address is told apart, which its owner knows without us.
  private func refusal(of url: String, _ error: HTTPClientError) async throws -> RunFailure {
    switch error.kind {
    case .cancelled: throw CancellationError()
    case .tooLarge:
      return .input("INPUT_TOO_LARGE", "The picture has more than \(maxBytes) bytes.")
    case .timedOut, .tooManyRedirects: return .unreachable(error.description)
    case .invalidURL, .invalidRequest, .unreachable:
      guard await leadsInside(url) else { return .unreachable(error.description) }
      return .input(
        "PRIVATE_ADDRESS_REFUSED",
        HTTPClientError.publicText,
        cause: error.description
      )
    }
  }

  private func leadsInside(_ url: String) async -> Bool {
    guard let host = URLComponents(string: url)?.host, !host.isEmpty else { return false }
    let name = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
    guard let addresses = try? await group.preferred().resolve(name, port: 80) else { return false }
    return addresses.contains { address in
      switch address {
      case .v4(let bytes, _), .v6(let bytes, _): !PublicAddress.isPublic(bytes)
      case .unix: true
      }
    }
  }
}

extension RunFailure {
  /// A picture that cannot be used.
  static func input(_ reason: String, _ message: String, cause: String? = nil) -> RunFailure {
    RunFailure(reason: reason, message: message, isRetryable: false, cause: cause)
  }

  /// The place was promised, but nothing was sent there.
  static var notUploaded: RunFailure {
    input("UPLOAD_INCOMPLETE", "The picture was not uploaded.")
  }

  /// The address gave no picture.
  static func unreachable(_ cause: String) -> RunFailure {
    input("INPUT_UNREACHABLE", HTTPClientError.publicText, cause: cause)
  }
}
