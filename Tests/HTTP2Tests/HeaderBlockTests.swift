import Testing

@testable import HTTP2

@Suite("Header block") struct HeaderBlockTests {
  @Test("Fields keep their order and repeats")
  func order() {
    var block: HeaderBlock = [":path": "/a", "x": "1"]
    block.append("x", "2")
    #expect(block.count == 3)
    #expect(block.first("x") == "1")
    #expect(block.fields.map(\.value) == ["/a", "1", "2"])
    #expect(block.value(of: ":path") == "/a")
    #expect(block.value(of: "missing") == nil)
  }

  @Test("A name that is the prefix of another is not taken for it")
  func prefix() {
    let block: HeaderBlock = ["grpc-timeout-x": "1", "grpc-timeout": "2"]
    #expect(block.value(of: "grpc-timeout") == "2")
  }

  @Test(
    "A text equals its own bytes, and none that differ in one place",
    arguments: ["", "t", "te", ":method", "trailers", "content-type", "application/grpc+x"]
      as [StaticString]
  )
  func equality(_ text: StaticString) {
    let bytes = Array(text.description.utf8)
    let isEqual = bytes.withUnsafeBufferPointer { $0.equals(text) }
    let isLongerEqual = (bytes + [0]).withUnsafeBufferPointer { $0.equals(text) }
    #expect(isEqual)
    #expect(!isLongerEqual)
    for index in bytes.indices {
      var other = bytes
      other[index] ^= 1
      let isOtherEqual = other.withUnsafeBufferPointer { $0.equals(text) }
      #expect(!isOtherEqual)
    }
  }

  @Test("A copy does not see what is added to the other")
  func copies() {
    var block: HeaderBlock = ["a": "1"]
    let copy = block
    block.append("b", "2")
    #expect(copy.fields.map(\.name) == ["a"])
    #expect(block.fields.map(\.name) == ["a", "b"])
    #expect(block.first("a") == "1")
  }

  @Test("Fields of many sizes, empty ones too, outgrow the reserved room")
  func growth() {
    var block = HeaderBlock()
    block.reserve(fields: 2, bytes: 8)
    let values = (0..<200).map { String(repeating: "v", count: $0 * 7 % 100) }
    for value in values { block.append("name", value) }
    #expect(block.fields.map(\.value) == values)
    #expect(block.listBytes == values.reduce(0) { $0 + 4 + $1.utf8.count + 32 })
  }

  @Test("The list size counts 32 bytes for each field")
  func size() {
    let block: HeaderBlock = ["ab": "cde", "f": ""]
    #expect(block.listBytes == 5 + 32 + 1 + 32)
  }
}

@Suite("Outbound body") struct OutboundBodyTests {
  /// Takes pieces of at most these sizes, one after the other.
  private func take(_ body: inout OutboundBody, _ sizes: [Int]) -> [[UInt8]] {
    sizes.map { size in
      var buffer = [UInt8](repeating: 0, count: size)
      let taken = buffer.withUnsafeMutableBytes { body.take(into: $0) }
      return Array(buffer[..<taken])
    }
  }

  @Test("Chunks come out in order whatever the frame size")
  func chunks() {
    var body = OutboundBody()
    body.append([1, 2, 3])
    body.append([])
    body.append([4, 5])
    let first = take(&body, [2, 2])
    #expect(first == [[1, 2], [3, 4]])
    #expect(!body.isDrained)
    body.finish(trailers: .none)
    let rest = take(&body, [8])
    #expect(rest == [[5]])
    #expect(body.isDrained)
  }

  @Test("Many small chunks do not pile up after they were sent")
  func compaction() {
    var body = OutboundBody()
    for round in 0..<1_000 {
      body.append([UInt8(truncatingIfNeeded: round)])
      body.append([0])
      let taken = take(&body, [1, 1])
      #expect(taken == [[UInt8(truncatingIfNeeded: round)], [0]])
    }
    #expect(body.pendingBytes == 0)
  }
}
