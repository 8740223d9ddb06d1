internal import HTTPClient
internal import HTTPCore
internal import ServiceKit

/// Sends one notice once.
struct WebhookSender: Sendable {
  let http: HTTPClient
  let policy: HTTPClientPolicy
  let keys: WebhookKeys
  let clock: any WallClock
  /// For everything: names, connection, answer.
  let timeout: Duration

  /// Bytes of an answer that are read; they are not used.
  private static let responseBytes = 64 * 1_024
  private static let headBytes = 16 * 1_024

  /// Posts `body`; redirects are not followed, and private addresses are refused after their names
  /// are resolved.
  /// - Throws: `CancellationError`.
  func send(_ webhook: ClaimedWebhook, body: [UInt8]) async throws -> WebhookRetryRule.Outcome {
    let seconds = Int64(clock.now().timeIntervalSince1970)
    var headers = keys.headers(
      of: webhook.user,
      id: webhook.publicID,
      timestamp: seconds,
      body: body
    )
    headers.append("content-type", "application/json")
    headers.append("user-agent", "OneShot-Webhooks/1.0")
    do throws(HTTPClientError) {
      let response = try await http.execute(
        HTTPRequest(.post, webhook.url, headers: headers, body: body),
        policy: policy,
        limits: HTTPClientLimits(
          deadline: timeout,
          connect: min(.seconds(5), timeout),
          responseBytes: Self.responseBytes,
          headBytes: Self.headBytes,
          redirects: 0
        )
      )
      return .answered(
        status: response.status.rawValue,
        retryAfter: Self.retryAfter(response.headers["retry-after"])
      )
    } catch {
      return .failed(try Self.word(for: error))
    }
  }

  /// Seconds of a Retry-After field; its form as a date is not used by receivers of webhooks.
  static func retryAfter(_ text: String?) -> Duration? {
    text.flatMap { Int64($0) }.flatMap { $0 >= 0 ? .seconds(min($0, 604_800)) : nil }
  }

  /// A word that tells the owner of the address no more than they know.
  private static func word(for error: HTTPClientError) throws -> String {
    switch error.kind {
    case .cancelled: throw CancellationError()
    case .timedOut: "timed_out"
    case .tooLarge: "too_large"
    case .invalidURL, .invalidRequest, .tooManyRedirects: "refused"
    case .unreachable: "unreachable"
    }
  }
}
