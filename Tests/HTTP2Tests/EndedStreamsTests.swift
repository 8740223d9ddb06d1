import Testing

@testable import HTTP2

@Suite("Ended streams") struct EndedStreamsTests {
  /// Streams 1, 3, … up to `last` were taken.
  private func streams(upTo last: Int32) -> EndedStreams {
    var streams = EndedStreams()
    for id in stride(from: 1, through: last, by: 2) {
      streams.begin(id)
      streams.take()
    }
    return streams
  }

  @Test("A frame of a stream that its client has ended is an error")
  func ended() {
    let streams = streams(upTo: 5)
    #expect([1, 3, 5].map { streams.judge($0) } == [.ended, .ended, .ended])
  }

  @Test("A frame of a stream that we have reset may have been on its way")
  func reset() {
    var streams = streams(upTo: 5)
    streams.pardon(3)
    #expect([1, 3, 5].map { streams.judge($0) } == [.ended, .pardoned, .ended])
  }

  @Test("So may one of a stream that was never taken, which nobody resets at once")
  func untaken() {
    var streams = streams(upTo: 5)
    streams.begin(7)
    #expect(streams.judge(7) == .pardoned)
    streams.begin(9)
    streams.take()
    #expect([5, 7, 9].map { streams.judge($0) } == [.ended, .pardoned, .ended])
  }

  @Test("An identifier that was left out is closed and was never open")
  func leftOut() {
    var streams = streams(upTo: 5)
    streams.begin(11)
    streams.take()
    #expect([5, 7, 9, 11].map { streams.judge($0) } == [.ended, .leftOut, .leftOut, .ended])
  }

  @Test("What the library judges by itself is left to it: even identifiers, streams to come")
  func others() {
    let streams = streams(upTo: 5)
    #expect([0, 2, 4, 7].allSatisfy { streams.judge($0) == .pardoned })
  }

  @Test("With more resets than are remembered, all streams before the oldest are pardoned")
  func bound() {
    let count = Int32(EndedStreams.maxPardons)
    var streams = streams(upTo: 2 * count + 21)
    for index in 0..<count { streams.pardon(2 * index + 11) }
    #expect(streams.judge(9) == .ended)
    #expect(streams.judge(2 * count + 11) == .ended)
    streams.pardon(2 * count + 13)
    // The oldest, 11, was forgotten: nobody can tell it from those before it.
    #expect([9, 11, 13, 2 * count + 13].allSatisfy { streams.judge($0) == .pardoned })
    #expect(streams.judge(2 * count + 11) == .ended)
  }
}
