import Testing
import TestProtos

@testable import Protobuf

@Suite("Tables of messages")
struct MessageInfoTests {
  @Test("Fields are found by original name, JSON name, alias and number")
  func lookUp() throws {
    let info = Sample.Options.info
    #expect(info.field(named: "input_url")?.number == 1)
    #expect(info.field(named: "inputUrl")?.number == 1)
    #expect(info.field(named: "source_url") == nil)
    #expect(info.field(namedOrAliased: "source_url")?.number == 1)
    #expect(info.field(named: "other")?.name == "renamed")
    #expect(info.field(number: 4)?.name == "balance")
    #expect(info.field(number: 6) == nil)
  }

  @Test("Options of fields arrive")
  func options() throws {
    let info = Sample.Options.info
    #expect(info.field(number: 2)?.ignoredInput == true)
    #expect(info.field(number: 3)?.secret == true)
    #expect(info.field(number: 4)?.nullWhenUnset == true)
    #expect(info.field(number: 1)?.ignoredInput == false)
  }

  @Test("Presence, lists, maps and oneofs are told apart")
  func cardinality() throws {
    #expect(Sample.Optionals.info.fields.allSatisfy { $0.hasPresence })
    #expect(Sample.Scalars.info.fields.allSatisfy { $0.cardinality == .implicit })
    #expect(Sample.Lists.info.fields.allSatisfy { $0.isRepeated && !$0.isMap })
    #expect(Sample.Maps.info.fields.allSatisfy { $0.isMap && $0.message?.isMapEntry == true })
    #expect(Sample.Choices.info.oneofs == ["choice", "other"])
    #expect(Sample.Choices.info.fields.map(\.oneofIndex) == [0, 0, 0, 0, 0, 0, 0, 1, 1])
    #expect(Sample.Optionals.info.fields.allSatisfy { $0.oneofIndex == nil })
  }

  @Test("A message reaches its own table")
  func recursion() {
    #expect(Sample.Tree.info.field(number: 2)?.message === Sample.Tree.info)
  }

  @Test("Enums have short names in any case, and aliases")
  func enums() {
    let info = Sample.Color.info
    #expect(info.value(anyName: "dark_blue")?.number == 2)
    #expect(info.value(anyName: "Color_Dark_Blue")?.number == 2)
    #expect(info.value(fullName: "dark_blue") == nil)
    #expect(info.value(number: 1)?.fullName == "COLOR_RED")
    #expect(Sample.Color(named: "CRIMSON") == .red)
    #expect(Sample.Color.darkBlue.shortName == "dark_blue")
    #expect(Sample.Color.unrecognized(9).shortName == "9")
  }

  @Test("Well-known types are marked")
  func wellKnown() {
    #expect(GoogleProtobuf.Timestamp.info.wellKnown == .timestamp)
    #expect(GoogleProtobuf.StringValue.info.wellKnown == .wrapper)
    #expect(GoogleProtobuf.Struct.info.wellKnown == .structure)
    #expect(Sample.Scalars.info.wellKnown == nil)
  }

  @Test("Reflection serves each file with all its imports")
  func files() {
    let names = Set(TestProtoFiles.all.map(\.name))
    #expect(names.contains("oneshot/sample/v1/sample.proto"))
    for file in TestProtoFiles.all {
      #expect(names.isSuperset(of: file.dependencies))
      #expect(!file.bytes.isEmpty)
    }
  }
}
