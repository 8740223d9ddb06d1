import TestProtos
import Testing

@testable import Protobuf

/// The quick reader of usual messages beside the general way, which knows everything.
@Suite("Quick and general unpacking")
struct UnpackerTests {
  private static let scalars = Sample.Scalars(
    doubleValue: 0.1,
    floatValue: -3.5,
    int64Value: .min,
    uint64Value: .max,
    int32Value: .min,
    fixed64Value: .max,
    fixed32Value: .max,
    boolValue: true,
    stringValue: "naïve 🙂",
    bytesValue: [0, 255, 0],
    uint32Value: .max,
    color: .darkBlue,
    sfixed32Value: .min,
    sfixed64Value: .min,
    sint32Value: .min,
    sint64Value: .min
  )
  private static let lists = Sample.Lists(
    doubles: [1.5, -0.0, .infinity],
    floats: [0.25],
    int64s: [.min, 0, .max, 1, 2, 3, 4, 5, 6],
    uint32s: [0, .max],
    sint32s: [-1, 1],
    fixed64s: [.max],
    bools: [true, false],
    strings: ["", "b", "c\0d", "e", "f", "g", "h", "i", "j"],
    datas: [[], [1, 2]],
    colors: [.red, .unrecognized(99)],
    scalars: [.init(), .init(int32Value: 3), scalars],
    unpacked: [1, 2, 3, 4, 5]
  )
  private static let maps = Sample.Maps(
    strings: ["": "", "a": "1", "b\0": "2"],
    numbers: [-1: .max, 0: 0],
    colors: [true: .darkBlue, false: .unspecified],
    scalars: ["x": .init(stringValue: "y"), "empty": .init()],
    datas: [.max: [1], 0: []]
  )
  private static let optionals = Sample.Optionals(
    number: 0,
    text: "",
    flag: true,
    data: [],
    color: .red,
    ratio: 0,
    scalars: scalars
  )
  private static let choices = Sample.Choices(choice: .tree(.init(name: "t")), other: .right("r"))

  private func generally<M: ProtobufMessage>(_ type: M.Type, _ bytes: [UInt8]) throws -> M {
    try bytes.withUnsafeBytes { raw in
      let unpacked = try UnpackedMessage(generally: M.info, raw)
      return M(cMessage: unpacked.cMessage)
    }
  }

  private func isQuick<M: ProtobufMessage>(_ type: M.Type, _ bytes: [UInt8]) throws -> Bool {
    try bytes.withUnsafeBytes { raw in
      let arena = Arena()
      return try WireUnpacker.unpack(raw, M.info.scanTable, arena) != nil
    }
  }

  /// Whether two outcomes are one; a message with a NaN does not equal itself, its bytes do.
  private func isSame<M: ProtobufMessage>(
    _ quick: Result<M, any Error>,
    _ general: Result<M, any Error>
  ) -> Bool {
    switch (quick, general) {
    case (.success(let one), .success(let other)): one == other || one.encoded() == other.encoded()
    case (.failure(let one), .failure(let other)): "\(one)" == "\(other)"
    default: false
    }
  }

  private func compare<M: ProtobufMessage>(_ message: M) throws {
    let original = message.encoded()
    #expect(try isQuick(M.self, original))
    var numbers = SplitMix(state: 42)
    for round in 0..<4_000 {
      let bytes = round == 0 ? original : damaged(original, &numbers)
      let quick = Result { try M(decoding: bytes) }
      let general = Result { try generally(M.self, bytes) }
      #expect(isSame(quick, general), "\(bytes)")
    }
  }

  /// Changes, removes or doubles some bytes.
  private func damaged(_ original: [UInt8], _ numbers: inout SplitMix) -> [UInt8] {
    var bytes = original
    for _ in 0..<Int.random(in: 1...3, using: &numbers) {
      let place = Int.random(in: 0...bytes.count, using: &numbers)
      switch Int.random(in: 0..<5, using: &numbers) {
      case 0 where place < bytes.count: bytes[place] = .random(in: 0...255, using: &numbers)
      case 1 where place < bytes.count: bytes[place] ^= 1 << Int.random(in: 0..<8, using: &numbers)
      case 2: bytes.removeSubrange(place...)
      case 3: bytes.append(contentsOf: bytes.prefix(place))
      default: bytes.insert(.random(in: 0...40, using: &numbers), at: place)
      }
    }
    return bytes
  }

  @Test("Both read every kind of field alike, whole and damaged")
  func kinds() throws {
    try compare(Self.scalars)
    try compare(Self.lists)
    try compare(Self.maps)
    try compare(Self.optionals)
    try compare(Self.choices)
  }

  @Test(
    "What the quick reader leaves to the general way",
    arguments: [
      [160, 31, 1],  // a field that nobody knows
      [10, 1, 0x61, 16, 5],  // two members of a oneof
      [16, 1, 18, 0],  // another wire type than the schema's
      [10, 1, 0xFF],  // no UTF-8
      [10, 5, 0x61],  // cut off
    ] as [[UInt8]]
  )
  func unusual(_ bytes: [UInt8]) throws {
    #expect(try !isQuick(Sample.Choices.self, bytes))
  }

  @Test("A list that grows keeps every value")
  func growth() throws {
    let message = Sample.Lists(int64s: Array(0..<1_000), strings: (0..<1_000).map { String($0) })
    #expect(try isQuick(Sample.Lists.self, message.encoded()))
    #expect(try roundTrip(message) == message)
  }
}
