internal import EventLoop

/// The load-balancing policies by their names in a service config.
package enum LoadBalancingPolicy: String, Sendable, Equatable {
  case pickFirst = "pick_first"
  case roundRobin = "round_robin"
}

/// The policy of one channel; an enum keeps calls to it concrete.
enum LoadBalancer {
  case pickFirst(PickFirst)
  case roundRobin(RoundRobin)

  init(_ policy: LoadBalancingPolicy, start: Int) {
    switch policy {
    case .pickFirst: self = .pickFirst(PickFirst())
    case .roundRobin: self = .roundRobin(RoundRobin(start: start))
    }
  }

  /// Where the next call goes.
  mutating func pick() -> Pick {
    switch self {
    case .pickFirst(let policy): return policy.pick()
    case .roundRobin(var policy):
      defer { self = .roundRobin(policy) }
      return policy.pick()
    }
  }

  /// The resolver has answered.
  mutating func resolved(_ addresses: [SocketAddress]) -> [BalancerAction] {
    switch self {
    case .pickFirst(var policy):
      defer { self = .pickFirst(policy) }
      return policy.resolved(addresses)
    case .roundRobin(var policy):
      defer { self = .roundRobin(policy) }
      return policy.resolved(addresses)
    }
  }

  /// The resolver has failed; addresses that are known stay.
  mutating func resolutionFailed(_ reason: String) {
    switch self {
    case .pickFirst(var policy):
      policy.resolutionFailed(reason)
      self = .pickFirst(policy)
    case .roundRobin(var policy):
      policy.resolutionFailed(reason)
      self = .roundRobin(policy)
    }
  }

  /// A subchannel's state has changed.
  mutating func changed(_ id: SubchannelID, _ state: ConnectivityState) -> [BalancerAction] {
    switch self {
    case .pickFirst(var policy):
      defer { self = .pickFirst(policy) }
      return policy.changed(id, state)
    case .roundRobin(var policy):
      defer { self = .roundRobin(policy) }
      return policy.changed(id, state)
    }
  }
}
