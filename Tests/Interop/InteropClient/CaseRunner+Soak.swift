internal import InteropAPI
internal import RPC

extension CaseRunner {
  /// Large calls one after another on one channel.
  func rpcSoak() async throws {
    try await soak("rpc_soak") { try await soakCall(on: channel) }
  }

  /// The same, with a new channel, and therefore a new connection, for each.
  func channelSoak() async throws {
    try await soak("channel_soak") {
      let fresh = Channel(configuration, group: group)
      do {
        try await soakCall(on: fresh)
      } catch {
        await fresh.close()
        throw error
      }
      await fresh.close()
    }
  }

  private func soakCall(on channel: Channel) async throws {
    try await largeUnary(
      on: channel,
      requestBytes: soak.requestBytes,
      responseBytes: soak.responseBytes
    )
  }

  private func soak(_ name: String, _ iterate: () async throws -> Void) async throws {
    let peer = "\(configuration.endpoints[0])"
    let end = ContinuousClock.now + soak.overallTimeout
    var tally = SoakTally(maxLatency: soak.maxLatencyMilliseconds)
    for index in 0..<soak.iterations {
      let started = ContinuousClock.now
      guard started < end else { break }
      var error: (any Error)?
      do { try await iterate() } catch let thrown { error = thrown }
      let elapsed = Milliseconds(since: started)
      let verdict = tally.add(elapsed, error)
      say("soak iteration: \(index) elapsed_ms: \(elapsed.value) peer: \(peer) \(verdict)")
      let next = started + .milliseconds(soak.minTimeBetweenCallsMilliseconds)
      try await ContinuousClock().sleep(until: next)
    }
    say("\(name): \(tally)")
    try expect("the number of iterations in time", tally.latencies.count, is: soak.iterations)
    guard tally.failures <= soak.maxFailures else {
      throw CaseFailure("\(tally.failures) iterations failed, \(soak.maxFailures) may")
    }
  }
}

/// What a soak case has seen so far.
struct SoakTally: CustomStringConvertible {
  /// Milliseconds that an iteration may take.
  let maxLatency: Int64
  private(set) var latencies: [Int64] = []
  private(set) var failures = 0

  init(maxLatency: Int64) { self.maxLatency = maxLatency }

  /// Counts an iteration and says what became of it.
  mutating func add(_ elapsed: Milliseconds, _ error: (any Error)?) -> String {
    latencies.append(elapsed.value)
    if let error {
      failures += 1
      return "failed: \(error)"
    }
    guard elapsed.value <= maxLatency else {
      failures += 1
      return "exceeds max acceptable latency: \(maxLatency)"
    }
    return "succeeded"
  }

  var description: String {
    let sorted = latencies.sorted()
    let median = sorted.isEmpty ? 0 : sorted[sorted.count / 2]
    return "\(latencies.count) iterations, \(failures) failures, latency median \(median) ms, "
      + "worst \(sorted.last ?? 0) ms"
  }
}
