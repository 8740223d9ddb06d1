/// Decides which connection runs which unit of work, and when connections are opened.
///
/// Pure.
///
/// A connection is
/// - *connecting*: asked for, not usable yet;
/// - *shared*: takes units of many callers at once, up to a depth;
/// - *reserved*: shared, but takes nothing new, since a waiting transaction gets it once it is empty;
/// - *leased*: belongs to one transaction until `leaseEnded`.
///
/// While connecting fails, at most one attempt runs at a time, with pauses that the driver keeps.
struct PoolStateMachine {
  typealias ConnectionID = Int

  enum Action: Equatable {
    case run(UnitID, on: ConnectionID)
    case lease(UnitID, on: ConnectionID)
    case open(ConnectionID)
    case refuse(UnitID)
  }

  fileprivate enum State { case connecting, shared, reserved, leased }

  fileprivate struct Connection {
    let id: ConnectionID
    var state: State
    var load = 0
    /// When its oldest unit came to the front.
    var busySince: ContinuousClock.Instant?
  }

  private let limits: PostgresLimits
  // A handful: a linear search beats a dictionary.
  private var connections: [Connection] = []
  private var sharedWaiters = RingQueue<UnitID>()
  private var leaseWaiters = RingQueue<UnitID>()
  /// Waiters that gave up stay in their queue until they come to its front.
  private var waiting: Set<UnitID> = []
  private var nextConnection = 1
  private var isBackingOff = false
  private var isFailing = false
  private var isShutDown = false

  init(limits: PostgresLimits) {
    precondition(limits.connectionsPerLoop > 0, "a pool has at least one connection")
    self.limits = limits
  }

  /// Connections that can be used.
  var openCount: Int { connections.count { $0.state != .connecting } }
  var waiterCount: Int { waiting.count }

  // MARK: Requests

  /// A connection for one more shared unit, counted as its load; nil when all are full or missing.
  ///
  /// Prefers the connection with most work that still answers quickly, so that statements share
  /// system calls, and leaves a slow one alone, so that nobody waits behind a long statement.
  mutating func placeShared(now: ContinuousClock.Instant) -> ConnectionID? {
    guard Self.nextWaiter(&sharedWaiters, waiting) == nil else { return nil }
    guard let index = bestShared(now: now) else { return nil }
    return take(index, now: now)
  }

  /// Puts a unit into the queue after `placeShared` found nothing.
  mutating func waitShared(_ unit: UnitID) -> [Action] {
    guard !isShutDown, waiting.count < limits.waitersPerLoop else { return [.refuse(unit)] }
    waiting.insert(unit)
    sharedWaiters.append(unit)
    return openIfUseful()
  }

  /// Asks for a connection of one's own.
  mutating func requestLease(_ unit: UnitID) -> [Action] {
    if leaseWaiters.isEmpty, let index = connections.firstIndex(where: { $0.isIdle }) {
      connections[index].state = .leased
      return [.lease(unit, on: connections[index].id)]
    }
    guard !isShutDown, waiting.count < limits.waitersPerLoop else { return [.refuse(unit)] }
    waiting.insert(unit)
    leaseWaiters.append(unit)
    let actions = openIfUseful()
    if actions.isEmpty { reserveOne() }
    return actions
  }

  /// A waiter gave up.
  ///
  /// - Returns: Whether it was waiting.
  mutating func gaveUp(_ unit: UnitID) -> Bool {
    defer { releaseReservations() }
    return waiting.remove(unit) != nil
  }

  // MARK: Events

  /// A unit of a connection is finished.
  mutating func unitFinished(
    on id: ConnectionID,
    now: ContinuousClock.Instant
  ) -> [Action] {
    guard let index = index(of: id) else { return [] }
    connections[index].load -= 1
    connections[index].busySince = connections[index].load > 0 ? now : nil
    return waiting.isEmpty ? [] : serveWaiters(now: now)
  }

  /// Counts a unit that a lease sends, so that the connection's age is known.
  mutating func leasedUnitStarted(on id: ConnectionID, now: ContinuousClock.Instant) {
    guard let index = index(of: id) else { return }
    _ = take(index, now: now)
  }

  /// The transaction is over and its connection clean.
  mutating func leaseEnded(on id: ConnectionID, now: ContinuousClock.Instant) -> [Action] {
    guard let index = index(of: id) else { return [] }
    connections[index].state = .shared
    return serveWaiters(now: now)
  }

  mutating func opened(_ id: ConnectionID, now: ContinuousClock.Instant) -> [Action] {
    guard let index = index(of: id) else { return [] }
    connections[index].state = .shared
    isFailing = false
    return serveWaiters(now: now) + openIfUseful()
  }

  /// An open connection is gone.
  mutating func closed(_ id: ConnectionID) -> [Action] {
    connections.removeAll { $0.id == id }
    return openIfUseful()
  }

  /// A connecting one did not make it; the driver calls `backoffElapsed` after a pause.
  mutating func failed(_ id: ConnectionID) {
    connections.removeAll { $0.id == id }
    isFailing = true
    isBackingOff = true
  }

  mutating func backoffElapsed() -> [Action] {
    isBackingOff = false
    return openIfUseful()
  }

  /// Opens the first connection ahead of demand.
  mutating func start() -> [Action] { openIfUseful() }

  /// Nothing is opened or queued any more; returns the connections to close.
  mutating func shutDown() -> [ConnectionID] {
    isShutDown = true
    waiting = []
    defer { connections = [] }
    return connections.map(\.id)
  }

  // MARK: Rules

  private func index(of id: ConnectionID) -> Int? { connections.firstIndex { $0.id == id } }

  private mutating func take(_ index: Int, now: ContinuousClock.Instant) -> ConnectionID {
    connections[index].load += 1
    if connections[index].busySince == nil { connections[index].busySince = now }
    return connections[index].id
  }

  /// Best first: quick and partly busy, idle, then (once no more may be opened) the least loaded.
  private func bestShared(now: ContinuousClock.Instant) -> Int? {
    var quick: Int?
    var idle: Int?
    var least: Int?
    for index in connections.indices where connections[index].state == .shared {
      let connection = connections[index]
      guard connection.load > 0 else {
        idle = idle ?? index
        continue
      }
      if connection.load < limits.preferredDepth, !isSlow(connection, now),
        connection.load > quick.map({ connections[$0].load }) ?? 0
      {
        quick = index
      }
      if connection.load < limits.unitsInFlight,
        connection.load < least.map({ connections[$0].load }) ?? .max
      {
        least = index
      }
    }
    if let best = quick ?? idle { return best }
    return mayOpen ? nil : least
  }

  private func isSlow(_ connection: Connection, _ now: ContinuousClock.Instant) -> Bool {
    guard let since = connection.busySince else { return false }
    return now - since > limits.slowStatement
  }

  /// Whether another connection could be had by asking for it.
  private var mayOpen: Bool {
    guard !isShutDown, !isBackingOff, connections.count < limits.connectionsPerLoop else {
      return false
    }
    return !isFailing || !connections.contains { $0.state == .connecting }
  }

  private mutating func openIfUseful() -> [Action] {
    var actions: [Action] = []
    while mayOpen, wantsAnother {
      let id = nextConnection
      nextConnection += 1
      connections.append(Connection(id: id, state: .connecting))
      actions.append(.open(id))
    }
    return actions
  }

  /// One connection is always kept; more while waiters outnumber the attempts under way.
  private var wantsAnother: Bool {
    let connecting = connections.count { $0.state == .connecting }
    return connections.isEmpty || waiting.count > connecting
  }

  /// Lets one shared connection run empty for each waiting transaction without one.
  private mutating func reserveOne() {
    guard connections.count(where: { $0.state == .reserved }) < leaseWaiters.count else { return }
    let shared = connections.indices.filter { connections[$0].state == .shared }
    guard let index = shared.min(by: { connections[$0].load < connections[$1].load }) else {
      return
    }
    connections[index].state = .reserved
  }

  /// Gives what is free to those who wait, the oldest first.
  ///
  /// A transaction that finds no empty connection has one reserved and lets younger units pass.
  private mutating func serveWaiters(now: ContinuousClock.Instant) -> [Action] {
    var actions: [Action] = []
    while true {
      let lease = Self.nextWaiter(&leaseWaiters, waiting)
      let shared = Self.nextWaiter(&sharedWaiters, waiting)
      if let lease, lease < shared ?? .max, let action = serveLease(lease) {
        actions.append(action)
      } else if let shared, let action = serveShared(shared, now: now) {
        actions.append(action)
      } else if let lease, let action = serveLease(lease) {
        actions.append(action)
      } else {
        break
      }
    }
    if Self.nextWaiter(&leaseWaiters, waiting) != nil { reserveOne() }
    releaseReservations()
    return actions
  }

  private mutating func serveLease(_ unit: UnitID) -> Action? {
    guard let index = connections.firstIndex(where: { $0.isIdle }) else { return nil }
    leaseWaiters.popFirst()
    waiting.remove(unit)
    connections[index].state = .leased
    return .lease(unit, on: connections[index].id)
  }

  private mutating func serveShared(_ unit: UnitID, now: ContinuousClock.Instant) -> Action? {
    guard let index = bestShared(now: now) else { return nil }
    sharedWaiters.popFirst()
    waiting.remove(unit)
    return .run(unit, on: take(index, now: now))
  }

  /// The oldest waiter that has not given up.
  private static func nextWaiter(
    _ queue: inout RingQueue<UnitID>,
    _ waiting: Set<UnitID>
  ) -> UnitID? {
    while let unit = queue.first {
      if waiting.contains(unit) { return unit }
      queue.popFirst()
    }
    return nil
  }

  /// Reservations that no waiter needs any more become shared again.
  private mutating func releaseReservations() {
    guard Self.nextWaiter(&leaseWaiters, waiting) == nil else { return }
    for index in connections.indices where connections[index].state == .reserved {
      connections[index].state = .shared
    }
  }
}

extension PoolStateMachine.Connection {
  /// Whether a transaction may have it now.
  fileprivate var isIdle: Bool { load == 0 && (state == .shared || state == .reserved) }
}
