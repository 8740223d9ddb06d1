/// How a server keeps a connection: its own pings, those of the peer, and how long it may live.
///
/// Rules and defaults are gRPC's (doc/keepalive.md, proposals A8 and A9). Times are kept with the
/// precision of ``RPCLimits/timePrecision``. How long a connection may be idle stands in
/// `HTTP2TimeLimits.idle`.
package struct ConnectionLimits: Sendable {
  /// Silence of the peer after which it is asked for a sign of life; nil: never.
  package var keepaliveTime: Duration? = .seconds(7_200)
  /// How long the peer may then stay silent before the connection is given up.
  package var keepaliveTimeout: Duration = .seconds(20)
  /// Least time between two pings of the peer, unless we sent headers or data between them.
  package var minPingInterval: Duration = .seconds(300)
  /// Whether `minPingInterval` also holds without calls, when otherwise two hours do.
  package var permitsPingsWithoutCalls = false
  /// Early pings that are forgiven, the next one ends the connection; 0: all are.
  package var maxPingStrikes = 2
  /// Age at which the peer is asked to connect anew, give or take `ageJitter`; nil: never.
  package var maxAge: Duration?
  /// Time that calls have to end after `maxAge`; nil: as long as they take.
  package var maxAgeGrace: Duration?
  /// Share by which the age of each connection differs, so that not all end at once.
  package var ageJitter = 0.1
  /// How long a peer may leave the first GOAWAY unacknowledged before it gets the final one.
  package var goAwayPatience: Duration = .seconds(1)

  package init() {}
}
