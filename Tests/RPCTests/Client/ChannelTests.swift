import EventLoop
import Foundation
import HTTP2
import Net
import Synchronization
import Testing

@testable import RPC

/// What a test's resolver answers.
private final class Names: Sendable {
  private let addresses = Mutex<[SocketAddress]>([])
  let lookups = Counter()

  init(_ addresses: [SocketAddress]) { set(addresses) }

  func set(_ addresses: [SocketAddress]) { self.addresses.withLock { $0 = addresses } }

  func answer() throws -> [SocketAddress] {
    lookups.increment()
    let known = addresses.withLock { $0 }
    guard !known.isEmpty else { throw EventLoopError.noAddress(host: "gone.test") }
    return known
  }
}

@Suite("Channel") struct ChannelTests {
  private let method = RPCFixture.method("Echo")

  @Test("round_robin spreads calls evenly over all addresses")
  func spreads() async throws {
    try await ClientFixture.run { fixture in
      let first = try await fixture.peer { _ in .reply([1]) }
      let second = try await fixture.peer { _ in .reply([2]) }
      let channel = try fixture.channel("\(first.address),\(second.address)")
      // Both connections stand when both have answered.
      while Set([first, second].map { $0.requests.isEmpty }) != [false] {
        _ = try await channel.call(method)
      }
      let before = [first.requests.count, second.requests.count]
      for _ in 0..<100 { _ = try await channel.call(method) }
      #expect(first.requests.count - before[0] == 50)
      #expect(second.requests.count - before[1] == 50)
      await channel.close()
    }
  }

  @Test("pick_first stays with the first address that answers, and falls back when it leaves")
  func picksFirst() async throws {
    try await ClientFixture.run { fixture in
      let first = try await fixture.peer { $0.number == 3 ? .drop : .reply([1]) }
      let second = try await fixture.peer { _ in .reply([2]) }
      let channel = try fixture.channel("\(first.address),\(second.address)") {
        $0.loadBalancing = .pickFirst
      }
      for _ in 0..<2 {
        let reply = try await channel.call(method)
        #expect(reply == [1])
      }
      #expect(second.connections == 0)
      await first.listener.stop()
      _ = try? await channel.call(method)
      let reply = try await channel.call(method)
      #expect(reply == [2])
      await channel.close()
    }
  }

  @Test("Calls stay on their caller's loop: each has one connection of its own")
  func loops() async throws {
    let group = try EventLoopGroup(count: 2)
    defer { group.stop() }
    let peer = try await ScriptedPeer.start(group: group) { _ in .reply([1]) }
    let channel = Channel(
      try .init(target: "\(peer.address)", serverName: "x", tls: nil),
      group: group
    )
    let method = method
    for _ in 0..<3 {
      for loop in group.loops {
        let call = Task(executorPreference: loop) { try await channel.call(method) }
        let reply = try await call.value
        #expect(reply == [1])
      }
    }
    #expect(peer.requests.count == 6)
    #expect(peer.connections == 2)
    await channel.close()
    await peer.stop()
  }

  @Test("The service config can make calls wait for ready")
  func configuredToWait() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer { _ in .reply([1]) }
      let names = Names([])
      let channel = try fixture.channel("gone.test:1") {
        $0.resolve = { _, _ in
          // The first look-up fails, and a call that does not wait fails with it.
          defer { names.set([peer.address]) }
          return try names.answer()
        }
        var config = ServiceConfig.MethodConfig()
        config.waitForReady = true
        $0.serviceConfig.methods["/test.Service/Echo"] = config
      }
      let reply = try await channel.call(method)
      #expect(reply == [1])
      #expect(names.lookups.value == 2)
      await channel.close()
    }
  }

  @Test("A Unix socket is an address like others")
  func unixSocket() async throws {
    try await ClientFixture.run { fixture in
      let path = FileManager.default.temporaryDirectory.path + "/rpc-\(UUID().uuidString).sock"
      let peer = try await ScriptedPeer.start(group: fixture.group, endpoint: .unix(path: path)) {
        _ in .reply([3])
      }
      let channel = try fixture.channel("unix:\(path)")
      let reply = try await channel.call(method)
      #expect(reply == [3])
      await channel.close()
      await peer.stop()
    }
  }

  @Test("When a peer is lost its name is looked up again, and calls follow it to a new address")
  func resolvesAgain() async throws {
    try await ClientFixture.run { fixture in
      let old = try await fixture.peer { $0.number == 2 ? .drop : .reply([1]) }
      let new = try await fixture.peer { _ in .reply([2]) }
      let names = Names([old.address])
      let channel = try fixture.channel("service.test:1") {
        $0.resolve = { _, _ in try names.answer() }
        $0.minResolutionInterval = .zero
      }
      let reply = try await channel.call(method)
      #expect(reply == [1])
      names.set([new.address])
      await old.listener.stop()
      _ = try? await channel.call(method)
      var options = CallOptions.timeout(.seconds(20))
      options.waitForReady = true
      let moved = try await channel.call(method, [], options)
      #expect(moved == [2])
      await channel.close()
    }
  }

  @Test("A peer that stays away does not make us look its name up at each attempt")
  func lookupsAreRare() async throws {
    try await ClientFixture.run { fixture in
      let gone = try await fixture.peer { _ in .silence }
      let names = Names([gone.address])
      await gone.listener.stop()
      let channel = try fixture.channel("service.test:1") {
        $0.resolve = { _, _ in try names.answer() }
      }
      for _ in 0..<20 {
        let error = await #expect(throws: ServiceError.self) { try await channel.call(method) }
        #expect(error?.code == .unavailable)
      }
      #expect(names.lookups.value == 1)
      await channel.close()
    }
  }

  @Test("A name that cannot be resolved fails calls with the reason, and is tried again")
  func unresolved() async throws {
    try await ClientFixture.run { fixture in
      let peer = try await fixture.peer { _ in .reply([1]) }
      let names = Names([])
      let channel = try fixture.channel("gone.test:1") {
        $0.resolve = { _, _ in try names.answer() }
      }
      let error = await #expect(throws: ServiceError.self) { try await channel.call(method) }
      #expect(error?.code == .unavailable)
      #expect(error?.message.contains("gone.test") == true)
      names.set([peer.address])
      var options = CallOptions.timeout(.seconds(20))
      options.waitForReady = true
      let reply = try await channel.call(method, [], options)
      #expect(reply == [1])
      await channel.close()
    }
  }

  @Test("A call that waits for a connection ends when its task is cancelled")
  func cancelledWhileWaiting() async throws {
    try await ClientFixture.run { fixture in
      let resolving = Signal()
      let channel = try fixture.channel("service.test:1") {
        $0.resolve = { _, _ in
          resolving.fire()
          try await Task.sleep(for: .seconds(3_600))
          return []
        }
      }
      let caller = Task { try await channel.call(method) }
      await resolving.wait()
      caller.cancel()
      let error = await #expect(throws: ServiceError.self) { try await caller.value }
      #expect(error?.code == .cancelled)
      await channel.close()
    }
  }

  @Test("No more calls wait for a connection than the limit allows")
  func waitingLimit() async throws {
    try await ClientFixture.run { fixture in
      let resolving = Signal()
      let channel = try fixture.channel("service.test:1") {
        $0.maxWaitingCalls = 1
        $0.resolve = { _, _ in
          resolving.fire()
          try await Task.sleep(for: .seconds(3_600))
          return []
        }
      }
      let caller = Task { try await channel.call(method) }
      await resolving.wait()
      let error = await #expect(throws: ServiceError.self) { try await channel.call(method) }
      #expect(error?.message == "too many calls wait for a connection")
      await channel.close()
      await #expect(throws: ServiceError.self) { try await caller.value }
    }
  }
}
