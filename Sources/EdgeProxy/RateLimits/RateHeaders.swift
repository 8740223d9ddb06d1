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
    for (index, entry) in decision.states.enumerated()
    where isShown(entry, at: index, decision.states) {
      if !policy.isEmpty {
        policy += ", "
        state += ", "
      }
      policy += item(entry.bucket.policy, "q", entry.bucket.window.limit)
      policy += ";w=" + String(entry.bucket.window.seconds)
      state += item(entry.bucket.policy, "r", entry.remaining)
      state += ";t=" + String(seconds(entry, decision))
    }
    headers.append("ratelimit-policy", policy)
    headers.append("ratelimit", state)
    headers.append("x-ratelimit-limit", String(tightest.bucket.window.limit))
    headers.append("x-ratelimit-remaining", String(tightest.remaining))
    let reset = unixSeconds + Int64(seconds(tightest, decision))
    headers.append("x-ratelimit-reset", String(reset))
  }

  /// Of several buckets of one policy (by address and by account) the tightest is shown.
  private static func isShown(_ state: RateState, at index: Int, _ all: [RateState]) -> Bool {
    for (other, candidate) in all.enumerated()
    where other != index && candidate.bucket.policy == state.bucket.policy {
      let isTighter = candidate.remaining < state.remaining
      if isTighter || (candidate.remaining == state.remaining && other < index) { return false }
    }
    return true
  }

  private static func item(_ name: String, _ parameter: String, _ value: Int) -> String {
    "\"" + name + "\";" + parameter + "=" + String(value)
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
