/// How many failures stop retries (gRPC proposal A6, `retryThrottling`).
package struct RetryThrottling: Sendable, Equatable {
  /// Tokens of a full bucket, 1…1,000.
  package var maxTokens: Int
  /// Tokens that a success brings, in thousandths, at least 1.
  package var ratioThousandths: Int

  package init(maxTokens: Int, ratioThousandths: Int) {
    self.maxTokens = maxTokens
    self.ratioThousandths = ratioThousandths
  }

  /// In the long run one retry for ten calls that succeed.
  package static let standard = RetryThrottling(maxTokens: 10, ratioThousandths: 100)
}

/// The token bucket that keeps retries of a channel few.
///
/// A failure takes a token, a success brings a part of one; retries go out only while more than half
/// the tokens are there. No I/O.
struct RetryThrottle {
  private let limit: Int
  private let ratio: Int
  /// In thousandths.
  private var tokens: Int

  init(_ throttling: RetryThrottling) {
    limit = throttling.maxTokens * 1_000
    ratio = throttling.ratioThousandths
    tokens = limit
  }

  /// Whether another attempt may go out.
  var allowsAttempt: Bool { tokens > limit / 2 }

  mutating func succeeded() {
    if tokens < limit { tokens = min(limit, tokens + ratio) }
  }

  mutating func failed() {
    tokens = max(0, tokens - 1_000)
  }
}
