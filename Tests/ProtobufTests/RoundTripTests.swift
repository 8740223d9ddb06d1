import Testing
import TestProtos

@testable import Protobuf

/// The message after a trip over the wire.
func roundTrip<M: ProtobufMessage>(_ message: M) throws -> M {
  try M(decoding: message.encoded())
}

@Suite("Messages on the wire")
struct RoundTripTests {
  @Test("Every scalar survives at its limits")
  func scalars() throws {
    let message = Sample.Scalars(
      doubleValue: .leastNonzeroMagnitude,
      floatValue: -.infinity,
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
    #expect(try roundTrip(message) == message)
  }

  @Test("A message at its defaults has no bytes")
  func defaults() throws {
    #expect(Sample.Scalars().encoded() == [])
    #expect(try Sample.Scalars(decoding: []) == Sample.Scalars())
    #expect(Sample.Lists().encoded() == [])
    #expect(Sample.Maps().encoded() == [])
    #expect(Sample.Optionals().encoded() == [])
  }

  @Test("A negative zero is not a default")
  func negativeZero() throws {
    let message = Sample.Scalars(doubleValue: -0.0, floatValue: -0.0)
    let copy = try roundTrip(message)
    #expect(copy.doubleValue.sign == .minus)
    #expect(copy.floatValue.sign == .minus)
  }

  @Test("A NUL inside a string survives")
  func nulInString() throws {
    let message = Sample.Scalars(stringValue: "before\0after")
    #expect(try roundTrip(message).stringValue == "before\0after")
    #expect(message.encoded() == [74, 12] + Array("before\0after".utf8))
  }

  @Test("An optional field that is set to its default differs from one that is not set")
  func optionals() throws {
    let set = Sample.Optionals(
      number: 0,
      text: "",
      flag: false,
      data: [],
      color: .unspecified,
      ratio: 0,
      scalars: .init()
    )
    #expect(try roundTrip(set) == set)
    #expect(try roundTrip(set) != Sample.Optionals())
    let filled = Sample.Optionals(number: -7, text: "x", flag: true, data: [0], color: .red)
    #expect(try roundTrip(filled) == filled)
  }

  @Test("Lists of every kind survive")
  func lists() throws {
    let message = Sample.Lists(
      doubles: [1.5, -0.0, .infinity],
      floats: [0.25],
      int64s: [.min, 0, .max],
      uint32s: [0, .max],
      sint32s: [-1, 1],
      fixed64s: [.max],
      bools: [true, false],
      strings: ["", "b", "c\0d"],
      datas: [[], [1, 2]],
      colors: [.red, .unrecognized(99)],
      scalars: [.init(), .init(int32Value: 3)],
      unpacked: [1, 2, 3]
    )
    #expect(try roundTrip(message) == message)
  }

  @Test("Maps of every kind survive")
  func maps() throws {
    let message = Sample.Maps(
      strings: ["": "", "a": "1", "b\0": "2"],
      numbers: [-1: .max, 0: 0],
      colors: [true: .darkBlue, false: .unspecified],
      scalars: ["x": .init(stringValue: "y"), "empty": .init()],
      datas: [.max: [1], 0: []]
    )
    #expect(try roundTrip(message) == message)
  }

  @Test("Of two entries with one key the last wins, and a missing value is its default")
  func mapEdges() throws {
    let bytes: [UInt8] = [
      10, 6, 10, 1, 0x61, 18, 1, 0x31, 10, 6, 10, 1, 0x61, 18, 1, 0x32,  // a → 1, a → 2
      34, 3, 10, 1, 0x7A,  // z → no value
      10, 0,  // no key, no value
    ]
    let message = try Sample.Maps(decoding: bytes)
    #expect(message.strings == ["a": "2", "": ""])
    #expect(message.scalars == ["z": Sample.Scalars()])
  }

  @Test(
    "Each member of a oneof survives, at its default too",
    arguments: [
      Sample.Choices.Choice.text(""), .number(0), .scalars(.init()), .color(.unspecified),
      .data([]), .flag(false), .tree(.init(name: "t")), .text("x"), .number(-1),
    ]
  )
  func oneofs(choice: Sample.Choices.Choice) throws {
    let message = Sample.Choices(choice: choice, other: .right("r"))
    #expect(try roundTrip(message) == message)
  }

  @Test("Of two members of a oneof on the wire the last wins")
  func lastMemberWins() throws {
    let message = try Sample.Choices(decoding: [10, 1, 0x61, 16, 5])
    #expect(message.choice == .number(5))
  }

  @Test("Messages that contain themselves survive")
  func recursion() throws {
    let leaf = Sample.Tree(name: "leaf")
    let tree = Sample.Tree(
      name: "root",
      left: leaf,
      children: [leaf, .init(left: leaf)],
      named: ["n": leaf],
      next: .other(.init(tree: leaf))
    )
    #expect(try roundTrip(tree) == tree)
    var changed = tree
    changed.left?.name = "other"
    #expect(tree.left?.name == "leaf")
  }

  @Test("Unknown numbers of an enum are kept")
  func unknownEnumValue() throws {
    let message = try Sample.Scalars(decoding: [112, 77])
    #expect(message.color == .unrecognized(77))
    #expect(message.encoded() == [112, 77])
    #expect(Sample.Color.crimson == .red)
  }

  @Test("Fields that the schema does not know are written again")
  func unknownFields() throws {
    let wide = Sample.Scalars(
      doubleValue: 1,
      floatValue: 2,
      int64Value: -3,
      stringValue: "s",
      bytesValue: [1, 2, 3]
    )
    let narrow = try Sample.Narrow(decoding: wide.encoded())
    #expect(narrow.stringValue == "s")
    #expect(try Sample.Scalars(decoding: narrow.encoded()) == wide)
  }

  @Test("Space is left for a prefix")
  func prefix() {
    let frame = Sample.Narrow(stringValue: "ab").encoded(reserving: 5)
    #expect(frame == [0, 0, 0, 0, 0, 74, 2, 0x61, 0x62])
  }

  @Test("Names that collide with keywords and members work")
  func names() throws {
    let message = Sample.Names(
      default: "a",
      self_: "b",
      init_: "c",
      nItems: "d",
      items: ["e"],
      base: "f",
      class: 7,
      switch: false,
      unknownFields_: "g",
      description: "h",
      camelName: "i",
      nestedKind: .kind3d,
      kind: .import("j")
    )
    #expect(try roundTrip(message) == message)
  }

  @Test("What Python encodes is decoded and encoded to the same bytes")
  func python() throws {
    for vector in pythonVectors {
      let bytes = unhex(vector.hex)
      let again = try reencode(vector.type, bytes)
      #expect(again == bytes, "\(vector.type) \(vector.hex)")
    }
  }
}

/// Decodes as the type of a name and encodes again.
func reencode(_ type: String, _ bytes: [UInt8]) throws -> [UInt8] {
  let types: [any ProtobufMessage.Type] = [
    Sample.Scalars.self, Sample.Optionals.self, Sample.Lists.self, Sample.Maps.self,
    Sample.Choices.self, Sample.Tree.self, Sample.WellKnown.self, Sample.Names.self,
  ]
  let found = try #require(types.first { $0.fullName == "oneshot.sample.v1.\(type)" })
  return try found.init(decoding: bytes).encoded()
}

func unhex(_ hex: String) -> [UInt8] {
  let digits = hex.utf8.map { $0 < 58 ? $0 - 48 : $0 - 87 }
  return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}
