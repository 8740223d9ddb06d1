internal import EventLoop

/// `pick_first`: tries the addresses in order and stays with the first that answers.
///
/// No I/O.
///
///     pass over the addresses → selected (others shut down) → lost: a new pass
///                            └→ all failed: every address again as its backoff ends, calls fail
///
/// Unlike gRPC's own, a pass starts at once when the selected connection is lost: our peers restart
/// more often than they leave.
struct PickFirst {
  private struct Entry {
    let id: SubchannelID
    let address: SocketAddress
    var state = ConnectivityState.idle
    /// Whether this pass has had it connect.
    var wasTried = false
  }

  private var addresses: [SocketAddress] = []
  private var entries: [Entry] = []
  private var selected: SubchannelID?
  /// Set when a pass has failed, until an address answers.
  private var failure: String?
  private var nextID = 0

  func pick() -> Pick {
    if let selected { return .subchannel(selected) }
    return failure.map(Pick.fail) ?? .queue
  }

  /// Takes the resolver's answer; a selected address that it still names stays selected.
  mutating func resolved(_ found: [SocketAddress]) -> [BalancerAction] {
    addresses = found.withoutRepetition()
    if let entry = entries.first(where: { $0.id == selected }), addresses.contains(entry.address) {
      return []
    }
    selected = nil
    if addresses.isEmpty { failure = "the name has no address" }
    return adoptAddresses() + advance()
  }

  /// Notes that there are no addresses to try.
  mutating func resolutionFailed(_ reason: String) {
    if addresses.isEmpty { failure = reason }
  }

  mutating func changed(_ id: SubchannelID, _ state: ConnectivityState) -> [BalancerAction] {
    guard let index = entries.firstIndex(where: { $0.id == id }) else { return [] }
    entries[index].state = state
    if selected == id { return state == .ready ? [] : startPass() }
    switch state {
    case .ready: return select(id)
    case .connecting: return []
    case .idle: return failure == nil ? [] : [.connect(id)]
    case .transientFailure: return failure == nil ? advance() : []
    }
  }

  private mutating func select(_ id: SubchannelID) -> [BalancerAction] {
    selected = id
    failure = nil
    let others = entries.filter { $0.id != id }
    entries.removeAll { $0.id != id }
    return others.map { .shutDown($0.id) }
  }

  private mutating func startPass() -> [BalancerAction] {
    selected = nil
    for index in entries.indices { entries[index].wasTried = false }
    return [.resolveAgain] + adoptAddresses() + advance()
  }

  /// Makes the entries those of the addresses, in their order.
  private mutating func adoptAddresses() -> [BalancerAction] {
    var actions: [BalancerAction] =
      entries.filter { !addresses.contains($0.address) }.map { .shutDown($0.id) }
    entries = addresses.map { address in
      if let known = entries.first(where: { $0.address == address }) { return known }
      let entry = Entry(id: SubchannelID(rawValue: nextID), address: address)
      nextID += 1
      actions.append(.create(entry.id, address))
      return entry
    }
    return actions
  }

  /// Has the next address of the pass connect; ends the pass behind the last one.
  private mutating func advance() -> [BalancerAction] {
    guard !entries.contains(where: { $0.state == .connecting }) else { return [] }
    if let index = entries.firstIndex(where: { !$0.wasTried && $0.state == .idle }) {
      entries[index].wasTried = true
      return [.connect(entries[index].id)]
    }
    guard failure == nil else { return connectIdle() }
    for case .transientFailure(let reason) in entries.map(\.state) { failure = reason }
    return entries.isEmpty ? [] : [.resolveAgain] + connectIdle()
  }

  private func connectIdle() -> [BalancerAction] {
    entries.filter { $0.state == .idle }.map { .connect($0.id) }
  }
}

extension [SocketAddress] {
  /// The addresses in their order, each once.
  func withoutRepetition() -> [SocketAddress] {
    var seen = Set<SocketAddress>()
    return filter { seen.insert($0).inserted }
  }
}
