import Testing

@testable import Net

@Suite("Output buffer") struct OutputBufferTests {
  @Test("Bytes leave in the order in which they came, whatever is taken in between")
  func order() {
    var buffer = OutputBuffer()
    var loop = [UInt8](repeating: 0xFF, count: 10)
    buffer.borrow(&loop)
    var sent: [UInt8] = []
    var expected: [UInt8] = []
    for round in 0..<100 {
      let piece = (0..<round * 37 % 500).map { UInt8(truncatingIfNeeded: round + $0) }
      buffer.append(piece)
      buffer.append(piece[...].dropFirst())
      expected += piece + piece.dropFirst()
      let count = buffer.count / (round % 3 + 1)
      buffer.withPending { sent += $0.prefix(count) }
      buffer.consume(count)
      let left = buffer.count
      #expect(left == expected.count - sent.count)
    }
    buffer.withPending { sent += $0 }
    buffer.consume(buffer.count)
    let isEmpty = buffer.isEmpty
    #expect(sent == expected)
    #expect(isEmpty)
  }

  @Test("A loop gets its memory back when all was sent, and no more than it keeps")
  func memory() {
    var loop: [UInt8] = []
    var buffer = OutputBuffer()
    buffer.append([1, 2, 3])
    buffer.giveBack(&loop)
    #expect(loop.isEmpty)
    buffer.consume(3)
    buffer.giveBack(&loop)
    #expect(!loop.isEmpty)
    let kept = loop.count

    buffer.borrow(&loop)
    buffer.append([4, 5])
    buffer.withPending { #expect(Array($0) == [4, 5]) }
    buffer.append([UInt8](repeating: 6, count: 200_000))
    buffer.consume(200_002)
    buffer.giveBack(&loop)
    #expect(loop.isEmpty)
    buffer.append([7])
    buffer.consume(1)
    buffer.giveBack(&loop)
    #expect(loop.count == kept)
  }
}
