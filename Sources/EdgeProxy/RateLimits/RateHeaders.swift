internal import HTTPCore

/// The fields that tell a client its limits.
///
/// The draft's pair (`RateLimit-Policy`, `RateLimit`), and `X-RateLimit-*` of the tightest limit with
/// the reset as Unix seconds.
enum RateHeaders {
  /// Adds the fields of a decision.
  static func append(_ decision: RateDecision, unixSeconds: Int64, to headers: inout HTTPHeaders) {
    guard let tightest = decision.tightest else { return }
    var policy = ""
    var state = ""
    var names: Set<String> = []
    for entry in decision.states where names.insert(entry.bucket.policy).inserted {
      let window = entry.bucket.window
      if !policy.isEmpty {
        policy += ", "
        state += ", "
      }
      let seconds = seconds(entry, decision)
      policy += "\"\(entry.bucket.policy)\";q=\(window.limit);w=\(window.seconds)"
      state += "\"\(entry.bucket.policy)\";r=\(entry.remaining);t=\(seconds)"
    }
    headers.append("ratelimit-policy", policy)
    headers.append("ratelimit", state)
    headers.append("x-ratelimit-limit", String(tightest.bucket.window.limit))
    headers.append("x-ratelimit-remaining", String(tightest.remaining))
    let reset = unixSeconds + Int64(seconds(tightest, decision))
    headers.append("x-ratelimit-reset", String(reset))
  }

  /// Whole seconds of a refusal's `Retry-After`.
  static func retryAfter(_ decision: RateDecision) -> Duration {
    .seconds(max(1, (decision.retryMilliseconds + 999) / 1000))
  }

  /// Seconds until the bucket has more room; of an exhausted one the same moment as `Retry-After`.
  private static func seconds(_ state: RateState, _ decision: RateDecision) -> Int {
    let isExhausted = !decision.isAllowed && state.remaining == 0
    let wait = isExhausted ? decision.retryMilliseconds : state.resetMilliseconds
    return (wait + 999) / 1000
  }
}
