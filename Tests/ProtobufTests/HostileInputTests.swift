import Testing
import TestProtos

@testable import Protobuf

@Suite("Bytes from outside")
struct HostileInputTests {
  /// A tree of `levels` messages, the outermost included.
  private func nested(levels: Int) -> [UInt8] {
    // Built from the inside, back to front.
    var reversed: [UInt8] = []
    for _ in 1..<levels {
      var length = reversed.count
      var varint: [UInt8] = []
      while length >= 0x80 {
        varint.append(UInt8(length & 0x7F) | 0x80)
        length >>= 7
      }
      varint.append(UInt8(length))
      reversed.append(contentsOf: varint.reversed())
      reversed.append(18)
    }
    return reversed.reversed()
  }

  @Test("100 levels of nesting pass, 101 do not")
  func depth() throws {
    _ = try Sample.Tree(decoding: nested(levels: 100))
    #expect(throws: ProtobufError.tooDeep) { try Sample.Tree(decoding: nested(levels: 101)) }
  }

  @Test("60,000 levels of nesting are refused")
  func extremeDepth() {
    let bytes = nested(levels: 60_000)
    #expect(throws: ProtobufError.tooDeep) { try Sample.Tree(decoding: bytes) }
    #expect(throws: ProtobufError.tooDeep) { try GoogleProtobuf.Value(decoding: valueBomb()) }
  }

  /// Lists in lists of `google.protobuf.Value`, cut off where the scan must have given up.
  private func valueBomb() -> [UInt8] {
    var bytes: [UInt8] = []
    for _ in 0..<300 {
      var inner: [UInt8] = [10]
      inner.append(contentsOf: varint(bytes.count))
      inner.append(contentsOf: bytes)
      bytes = [50] + varint(inner.count) + inner
    }
    return bytes
  }

  private func varint(_ value: Int) -> [UInt8] {
    var rest = value
    var bytes: [UInt8] = []
    while rest >= 0x80 {
      bytes.append(UInt8(rest & 0x7F) | 0x80)
      rest >>= 7
    }
    return bytes + [UInt8(rest)]
  }

  @Test("Groups nested without end are refused")
  func groupDepth() {
    let bytes = [[UInt8]](repeating: [0xA3, 6], count: 60_000).flatMap { $0 }
    #expect(throws: ProtobufError.tooDeep) { try Sample.Scalars(decoding: bytes) }
  }

  @Test(
    "Text that is not UTF-8 is refused",
    arguments: [
      [0x80], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80],
      [0xF4, 0x90, 0x80, 0x80], [0xF0, 0x80, 0x80, 0x80], [0xE2, 0x82], [0xFF],
      [0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0xC3],
    ] as [[UInt8]]
  )
  func invalidUTF8(text: [UInt8]) {
    let bytes = [74, UInt8(text.count)] + text
    #expect(throws: ProtobufError.invalidUTF8(field: 9)) { try Sample.Scalars(decoding: bytes) }
    // The same bytes are fine where bytes are declared.
    #expect(throws: Never.self) { try Sample.Scalars(decoding: [98] + bytes.dropFirst()) }
  }

  @Test("Invalid text is found in lists, in maps, in oneofs and in nested messages")
  func invalidUTF8Inside() {
    #expect(throws: ProtobufError.self) { try Sample.Lists(decoding: [66, 1, 0xFF]) }
    #expect(throws: ProtobufError.self) { try Sample.Maps(decoding: [10, 3, 10, 1, 0xFF]) }
    #expect(throws: ProtobufError.self) { try Sample.Choices(decoding: [10, 1, 0xFF]) }
    #expect(throws: ProtobufError.self) { try Sample.Optionals(decoding: [58, 3, 74, 1, 0xFF]) }
  }

  @Test(
    "A value of another wire type than the schema's is kept as an unknown field",
    arguments: [[72, 1], [42, 1, 1], [45, 1, 2, 3, 4]] as [[UInt8]]
  )
  func wrongWireType(bytes: [UInt8]) throws {
    let message = try Sample.Scalars(decoding: [40, 7] + bytes)
    #expect(message.int32Value == 7 && message.stringValue == "")
    #expect(message.unknownFields.bytes == bytes)
    #expect(message.encoded() == [40, 7] + bytes)
  }

  @Test("An unknown field of the number that hides other fields stays what it is")
  func wrapperNumber() throws {
    let field: [UInt8] = [0xFA, 0xFF, 0xFF, 0xFF, 0x0F, 3, 1, 2, 3]
    let message = try Sample.Scalars(decoding: field)
    #expect(message.unknownFields.bytes == field)
    #expect(message.encoded() == field)
  }

  @Test(
    "Broken varints, tags and lengths are refused",
    arguments: [
      [UInt8](repeating: 0xFF, count: 11), [0], [7], [0x28], [0x4A, 5, 1], [0x4A, 0xFF, 0xFF],
      [0x4A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F], [9, 1, 2], [0x0C], [0x4A],
      [0xFB, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1],
      [0xA3, 6], [0xA3, 6, 0x9C, 6],
    ] as [[UInt8]]
  )
  func malformed(bytes: [UInt8]) {
    #expect(throws: ProtobufError.self) { try Sample.Scalars(decoding: bytes) }
  }

  @Test("Unknown groups are kept, at any level, and the rest is read")
  func unknownGroups() throws {
    let group: [UInt8] = [0xA3, 6, 8, 1, 0xAB, 6, 0xAC, 6, 0xA4, 6]
    let message = try Sample.Optionals(decoding: group + [8, 5, 58, 12] + group + [40, 9])
    #expect(message.number == 5)
    #expect(message.scalars?.int32Value == 9)
    #expect(message.unknownFields.bytes == group)
    #expect(message.scalars?.unknownFields.bytes == group)
  }

  @Test("Packed and unpacked lists are both read")
  func packing() throws {
    #expect(try Sample.Lists(decoding: [24, 1, 24, 2]).int64s == [1, 2])
    #expect(try Sample.Lists(decoding: [98, 2, 1, 2]).unpacked == [1, 2])
    #expect(throws: ProtobufError.self) { try Sample.Lists(decoding: [26, 2, 1, 0x80]) }
    #expect(throws: ProtobufError.self) {
      try Sample.Lists(decoding: [10, 7, 1, 2, 3, 4, 5, 6, 7])
    }
  }

  @Test("A message that claims much more memory than it has bytes is refused, not obeyed")
  func amplification() {
    // Each two-byte empty element would become a struct of some hundred bytes.
    let bytes = [[UInt8]](repeating: [90, 0], count: 200_000).flatMap { $0 }
    #expect(throws: ProtobufError.tooLarge) { try Sample.Lists(decoding: bytes) }
  }

  @Test("A message field that comes twice is merged")
  func merging() throws {
    let message = try Sample.Optionals(decoding: [58, 2, 40, 1, 58, 3, 74, 1, 0x61])
    #expect(message.scalars == Sample.Scalars(int32Value: 1, stringValue: "a"))
  }

  @Test("A message member of a oneof that comes twice is merged, unless another came between")
  func oneofMerging() throws {
    let first: [UInt8] = [26, 2, 40, 1]
    let second: [UInt8] = [26, 3, 74, 1, 0x61]
    let both = Sample.Scalars(int32Value: 1, stringValue: "a")
    #expect(try Sample.Choices(decoding: first + second).choice == .scalars(both))
    let between = try Sample.Choices(decoding: first + [16, 5] + second)
    #expect(between.choice == .scalars(Sample.Scalars(stringValue: "a")))
    #expect(try Sample.Choices(decoding: first + second + [16, 5]).choice == .number(5))
  }

  @Test("Cut off or changed anywhere, input is decoded or refused, never more")
  func mutation() {
    var random = SplitMix(state: 0x5EED)
    for vector in pythonVectors {
      let bytes = unhex(vector.hex)
      for count in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 40)) {
        _ = try? reencode(vector.type, Array(bytes[..<count]))
      }
      for _ in 0..<200 {
        var mutant = bytes
        for _ in 0...Int.random(in: 0..<3, using: &random) {
          let index = Int.random(in: mutant.indices, using: &random)
          mutant[index] = UInt8.random(in: 0...255, using: &random)
        }
        guard let once = try? reencode(vector.type, mutant) else { continue }
        // What was accepted is stable from then on, up to the order of maps.
        #expect((try? reencode(vector.type, once))?.count == once.count)
      }
    }
  }

  @Test("Decoding inside decoding does not disturb the outer one")
  func nestedArenas() throws {
    let bytes = Sample.Scalars(stringValue: "outer").encoded()
    try bytes.withUnsafeBytes { raw in
      let outer = try UnpackedMessage(Sample.Scalars.info, raw)
      let inner = try Sample.Scalars(decoding: [74, 5] + Array("inner".utf8))
      #expect(inner.stringValue == "inner")
      #expect(Sample.Scalars(cMessage: outer.cMessage).stringValue == "outer")
    }
  }
}
