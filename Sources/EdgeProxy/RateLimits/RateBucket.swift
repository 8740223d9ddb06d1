/// One window of one policy for one subject: what the limiter counts.
struct RateBucket: Sendable, Equatable {
  /// Name in Redis and in the local limiter.
  let key: String
  /// Name in the `RateLimit` headers.
  let policy: String
  let window: RatePolicy.Window
}

/// What the limiter says about one bucket.
struct RateState: Sendable, Equatable {
  let bucket: RateBucket
  /// Requests that may still come now.
  let remaining: Int
  /// Until more may come: when the oldest counted requests leave the window.
  let resetMilliseconds: Int
}

/// The decision over all buckets of a request.
struct RateDecision: Sendable, Equatable {
  var isAllowed: Bool
  /// The session was ended by its user or by the service.
  var isRevoked = false
  /// In the order asked; empty when nothing limits the request.
  var states: [RateState]
  /// Until the request may pass; 0 when it did.
  var retryMilliseconds = 0

  /// The state that leaves least room, relative to its limit.
  var tightest: RateState? {
    states.min { left, right in
      left.remaining * right.bucket.window.limit < right.remaining * left.bucket.window.limit
    }
  }
}
