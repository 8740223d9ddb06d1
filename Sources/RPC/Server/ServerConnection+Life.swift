internal import EventLoop
internal import HTTP2

/// How far a connection has come with taking its leave.
///
///     none → announced (first GOAWAY and a PING) → final (last GOAWAY)
enum Departure: Equatable {
  case none
  /// The peer knows when it has answered the PING.
  case announced(reason: StaticString)
  /// Calls that came until now are finished; with the last of them the connection ends.
  case final

  func isAcknowledged(in session: HTTP2Session) -> Bool {
    if case .announced = self { session.isShutdownAcknowledged } else { false }
  }

  static func == (left: Departure, right: Departure) -> Bool {
    switch (left, right) {
    case (.none, .none), (.final, .final), (.announced, .announced): true
    default: false
    }
  }
}

// The connection's own life: time, pings, and leaving.
extension ServerConnection {
  /// About once a second: ends what the peer keeps waiting.
  func tick(_ now: MonotonicInstant) {
    guard let session else { return }
    do {
      let stalled = try session.tick(now, extraWork: handlers)
      for _ in 0..<stalled { server.streamEnded("slow_read") }
      if stalled > 0 { transport?.setNeedsFlush() }
    } catch .timeout(.idle) {
      report(transport.map { ConnectionEnd(.timeout(.idle), peer: $0.peerAddress) })
      // A call that is on its way is still taken.
      return drain(reason: "max_idle")
    } catch {
      return end(because: error)
    }
    endLateCalls(session, now)
    keep(session, now)
  }

  private func endLateCalls(_ session: HTTP2Session, _ now: MonotonicInstant) {
    var late: [(ServerCall, ServiceError)] = []
    session.forEachHandler { handler in
      guard let call = handler as? ServerCall else { return }
      if let end = call.skipsUntil, end <= now { return cutOff(call) }
      if let error = call.lateness(at: now, server.limits.http2.times) {
        late.append((call, error))
      }
    }
    for (call, error) in late {
      server.streamEnded("slow_body")
      fail(call, error)
      call.wakeReader()
    }
  }

  private func keep(_ session: HTTP2Session, _ now: MonotonicInstant) {
    switch keeper.look(at: now, reads: reads) {
    case .nothing: break
    case .ping:
      session.ping()
      transport?.setNeedsFlush()
    case .leave: drain(reason: "max_age")
    case .giveUp:
      let error = session.giveUp()
      report(transport.map { ConnectionEnd(error, peer: $0.peerAddress) })
      // Nobody is there to read a farewell.
      close()
    case .cutOff: close()
    }
  }

  /// Holds the peer to the rules of keepalive.
  func judgePings() {
    guard let session else { return }
    let now = MonotonicInstant.now
    for _ in pingsSeen..<session.pingsReceived {
      let isFine = keeper.pingCame(
        at: now,
        hasCalls: session.openStreams > 0,
        hasSent: session.hasSentMessages
      )
      session.hasSentMessages = false
      guard !isFine else { continue }
      end(because: session.refusePings())
      break
    }
    pingsSeen = session.pingsReceived
  }

  // MARK: Leaving

  /// Tells the peer to go elsewhere; running calls go on (RFC 9113 §6.8).
  ///
  /// The first GOAWAY refuses nothing: calls that are on their way are still taken. When the peer has
  /// answered the PING behind it, it knows; then the second one names the last call.
  func drain(reason: StaticString = "shutdown") {
    guard departure == .none, let session else { return }
    session.announceShutdown()
    departure = .announced(reason: reason)
    transport?.setNeedsFlush()
    _ = loop.schedule(after: server.limits.connection.goAwayPatience) { [self] in
      refuseNewCalls()
    }
  }

  /// The session is finished with its last stream, and the connection with the session.
  func refuseNewCalls() {
    guard case .announced(let reason) = departure else { return }
    departure = .final
    session?.goAway(debug: reason)
    transport?.setNeedsFlush()
  }

  /// Ends the connection and cancels what still runs.
  func close() {
    transport?.close()
  }
}
