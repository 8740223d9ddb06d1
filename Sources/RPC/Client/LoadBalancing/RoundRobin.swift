internal import EventLoop

/// `round_robin`: a connection to every address, calls to those that stand in turn.
///
/// No I/O. Every subchannel is kept connected. One that has failed counts as failed until it is ready again,
/// so that calls do not wait for an address that was tried many times (gRPC's sticky
/// TRANSIENT_FAILURE).
struct RoundRobin {
  private struct Entry {
    let id: SubchannelID
    let address: SocketAddress
    var state = ConnectivityState.idle
    /// Why it failed last, until it is ready again.
    var failure: String?
  }

  private var entries: [Entry] = []
  private var ready: [SubchannelID] = []
  private var turn: Int
  private var resolutionFailure: String?
  private var nextID = 0

  /// - Parameter start: Where the turns begin, so that many channels do not begin at one address.
  init(start: Int = 0) {
    turn = start
  }

  mutating func pick() -> Pick {
    guard ready.isEmpty else {
      turn = turn &+ 1
      return .subchannel(ready[Int(UInt(bitPattern: turn) % UInt(ready.count))])
    }
    guard !entries.isEmpty else { return resolutionFailure.map(Pick.fail) ?? .queue }
    guard entries.allSatisfy({ $0.failure != nil }) else { return .queue }
    return .fail(entries.last?.failure ?? "no connection")
  }

  /// Takes the resolver's answer: new addresses are connected, those gone shut down.
  mutating func resolved(_ found: [SocketAddress]) -> [BalancerAction] {
    let addresses = found.withoutRepetition()
    resolutionFailure = addresses.isEmpty ? "the name has no address" : nil
    var actions: [BalancerAction] =
      entries.filter { !addresses.contains($0.address) }.map { .shutDown($0.id) }
    entries = addresses.map { address in
      if let known = entries.first(where: { $0.address == address }) { return known }
      let entry = Entry(id: SubchannelID(rawValue: nextID), address: address)
      nextID += 1
      actions += [.create(entry.id, address), .connect(entry.id)]
      return entry
    }
    collectReady()
    return actions
  }

  /// Notes that there are no addresses to try.
  mutating func resolutionFailed(_ reason: String) {
    if entries.isEmpty { resolutionFailure = reason }
  }

  mutating func changed(_ id: SubchannelID, _ state: ConnectivityState) -> [BalancerAction] {
    guard let index = entries.firstIndex(where: { $0.id == id }) else { return [] }
    let wasReady = entries[index].state == .ready
    entries[index].state = state
    defer { collectReady() }
    switch state {
    case .ready:
      entries[index].failure = nil
      return []
    case .connecting: return []
    case .idle: return wasReady ? [.resolveAgain, .connect(id)] : [.connect(id)]
    case .transientFailure(let reason):
      entries[index].failure = reason
      return [.resolveAgain]
    }
  }

  private mutating func collectReady() {
    ready = entries.filter { $0.state == .ready }.map(\.id)
  }
}
