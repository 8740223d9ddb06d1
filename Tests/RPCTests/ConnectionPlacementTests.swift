import EventLoop
import Testing

@testable import Net

@Suite("Placement of connections")
struct ConnectionPlacementTests {
  private let peer = SocketAddress.v4(bytes: [127, 0, 0, 1], port: 1)

  @Test("Each connection goes to the loop with the fewest", arguments: 4...8)
  func fewest(connections: Int) {
    let census = ConnectionCensus(limits: ListenerLimits(), loops: 4)
    var open = [0, 0, 0, 0]
    for _ in 0..<connections {
      guard let loop = census.admit(peer, to: 0..<4) else { continue }
      open[loop] += 1
    }
    #expect(open.reduce(0, +) == connections)
    #expect((open.max() ?? 0) - (open.min() ?? 0) <= 1)
  }

  @Test("Connections that end make room on their loop")
  func release() {
    let census = ConnectionCensus(limits: ListenerLimits(), loops: 3)
    let loops = (0..<6).compactMap { _ in census.admit(peer, to: 0..<3) }
    #expect(loops.sorted() == [0, 0, 1, 1, 2, 2])
    census.release(peer, from: 1)
    census.release(peer, from: 1)
    let next = (0..<2).map { _ in census.admit(peer, to: 0..<3) }
    #expect(next == [1, 1])
  }

  @Test("Single connections in a row take the loops in turn")
  func inTurn() {
    let census = ConnectionCensus(limits: ListenerLimits(), loops: 2)
    let loops = (0..<4).map { _ in
      let loop = census.admit(peer, to: 0..<2)
      if let loop { census.release(peer, from: loop) }
      return loop
    }
    #expect(loops == [loops[0], loops[1], loops[0], loops[1]])
    #expect(loops[0] != loops[1])
  }

  @Test("The limits in all and for one address count on every loop")
  func limits() {
    var limits = ListenerLimits()
    limits.maxConnections = 3
    limits.maxConnectionsPerAddress = 2
    let census = ConnectionCensus(limits: limits, loops: 4)
    let other = SocketAddress.v4(bytes: [127, 0, 0, 2], port: 1)
    let admitted = [peer, peer, peer, other, other].map { census.admit($0, to: 0..<4) != nil }
    #expect(admitted == [true, true, false, true, false])
  }
}
