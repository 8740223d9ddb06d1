import Testing

@testable import HTTP2

@Suite("DATA frame counter") struct DataFrameCounterTests {
  private static func frame(_ type: UInt8, _ count: Int) -> [UInt8] {
    [0, UInt8(count >> 8), UInt8(count & 0xFF), type, 0, 0, 0, 0, 1]
      + [UInt8](repeating: 0, count: count)
  }

  /// 24 bytes of preface, then 3 DATA frames between 2 others.
  private static let input =
    [UInt8](repeating: 0, count: 24) + frame(4, 12) + frame(0, 0) + frame(0, 300) + frame(1, 7)
    + frame(0, 1)

  @Test("DATA is counted wherever the input is cut", arguments: [1, 2, 3, 8, 9, 10, 33, 1000])
  func cuts(size: Int) {
    var counter = DataFrameCounter(preface: 24)
    for start in stride(from: 0, to: Self.input.count, by: size) {
      let piece = Self.input[start..<min(start + size, Self.input.count)]
      piece.withUnsafeBytes { counter.take($0) }
    }
    #expect(counter.frames == 3)
  }

  @Test("A frame counts when its head is complete, not before")
  func head() {
    var counter = DataFrameCounter(preface: 0)
    Self.frame(0, 5)[..<8].withUnsafeBytes { counter.take($0) }
    #expect(counter.frames == 0)
    Self.frame(0, 5)[8..<9].withUnsafeBytes { counter.take($0) }
    #expect(counter.frames == 1)
  }
}
