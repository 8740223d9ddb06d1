package import EventLoop

/// What a subchannel can do at the moment (grpc doc/connectivity-semantics-and-api.md).
package enum ConnectivityState: Sendable, Equatable {
  case idle
  case connecting
  case ready
  /// Rests after a failed attempt; the text says what failed.
  case transientFailure(String)
}

/// Names a subchannel between a load-balancing policy and its driver.
package struct SubchannelID: Sendable, Hashable {
  let rawValue: Int
}

/// Where a call goes.
package enum Pick: Sendable, Equatable {
  case subchannel(SubchannelID)
  /// Nowhere yet: a connection is being made.
  case queue
  /// Every address has failed; the text is the last failure.
  case fail(String)
}

/// What a load-balancing policy asks its driver to do.
package enum BalancerAction: Sendable, Equatable {
  /// Make an idle subchannel.
  case create(SubchannelID, SocketAddress)
  case connect(SubchannelID)
  /// Running calls may finish; no new ones.
  case shutDown(SubchannelID)
  case resolveAgain
}
