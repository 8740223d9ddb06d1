internal import EventLoop
internal import Synchronization

/// What the connections of one server on one loop share: a look at the clock about once a second, and the
/// tasks of their handlers.
///
/// Loop only but for its making: one timer for all connections, and none while there is none.
// @unchecked: confined to its loop.
final class ConnectionTicker: @unchecked Sendable {
  private let loop: EventLoop
  private let pause: Duration
  private var connections: [ObjectIdentifier: ServerConnection] = [:]
  private var timer: LoopTimer?
  let handlers: HandlerTasks

  init(loop: EventLoop, pause: Duration) {
    self.loop = loop
    handlers = HandlerTasks(loop: loop)
    self.pause = pause
  }

  func add(_ connection: ServerConnection) {
    connections[ObjectIdentifier(connection)] = connection
    if timer == nil { schedule() }
  }

  func remove(_ connection: ServerConnection) {
    connections[ObjectIdentifier(connection)] = nil
    guard connections.isEmpty else { return }
    handlers.close()
    timer?.cancel()
    timer = nil
  }

  private func schedule() {
    timer = loop.schedule(after: pause) { [self] in
      timer = nil
      handlers.trim()
      let now = MonotonicInstant.now
      for connection in connections.values { connection.tick(now) }
      if !connections.isEmpty, timer == nil { schedule() }
    }
  }
}

/// The tickers of a server, one a loop.
final class ConnectionTickers: Sendable {
  private let tickers = Mutex<[ObjectIdentifier: ConnectionTicker]>([:])
  private let pause: Duration

  init(pause: Duration) { self.pause = pause }

  func ticker(of loop: EventLoop) -> ConnectionTicker {
    tickers.withLock { tickers in
      if let known = tickers[ObjectIdentifier(loop)] { return known }
      let ticker = ConnectionTicker(loop: loop, pause: pause)
      tickers[ObjectIdentifier(loop)] = ticker
      return ticker
    }
  }
}
