import JSON
import ProtobufJSON
import TestProtos
import Testing

@Suite("Messages, lists, maps and choices in JSON")
struct StructureJSONTests {
  private func roundTrip(_ type: String, _ json: String, _ style: JSONStyle = .proto) throws
    -> String
  {
    try TranscodingFixture().roundTrip("oneshot.sample.v1.\(type)", json, style)
  }

  private func failure(_ type: String, _ json: String) throws -> TranscodingError? {
    #expect(throws: TranscodingError.self) {
      try TranscodingFixture().bytes("oneshot.sample.v1.\(type)", json)
    }
  }

  @Test("Presence survives: a set default is printed, an unset one is not")
  func presence() throws {
    #expect(
      try roundTrip("Optionals", #"{"number":0,"text":"","flag":false,"scalars":{}}"#)
        == #"{"number":0,"text":"","flag":false,"scalars":{}}"#
    )
    #expect(try roundTrip("Optionals", "{}") == "{}")
    #expect(try roundTrip("Optionals", #"{"number":0}"#, .edge) == #"{"number":0}"#)
    #expect(try roundTrip("Optionals", #"{"number":null,"scalars":null}"#) == "{}")
  }

  @Test("The strings of a long document last until the message is packed")
  func longDocument() throws {
    let strings = (0..<20_000).map { "string \($0) of a document beyond 256 KiB" }
    let json = "{\"strings\":[" + strings.map { "\"\($0)\"" }.joined(separator: ",") + "]}"
    #expect(try TranscodingFixture().read(Sample.Lists.self, json).strings == strings)
  }

  @Test("Lists keep their order; empty ones are printed in the public form only")
  func lists() throws {
    let json =
      #"{"doubles":[1.5,"NaN"],"int64s":["1",2],"bools":[true,false],"strings":["a",""],"#
      + #""datas":["AQI=",""],"colors":["COLOR_RED",0],"scalars":[{},{"int32Value":1}]}"#
    #expect(
      try roundTrip("Lists", json)
        == #"{"doubles":[1.5,"NaN"],"int64s":["1","2"],"bools":[true,false],"strings":["a",""],"#
        + #""datas":["AQI=",""],"colors":["COLOR_RED","COLOR_UNSPECIFIED"],"#
        + #""scalars":[{},{"int32Value":1}]}"#
    )
    #expect(try roundTrip("Lists", #"{"strings":[],"bools":null}"#) == "{}")
    #expect(try roundTrip("Lists", "{}", .edge).contains(#""strings":[]"#))
    #expect(try failure("Lists", #"{"strings":["a",null]}"#)?.pointer == "/strings/1")
    #expect(
      try failure("Lists", #"{"scalars":[{},{"int32Value":"x"}]}"#)?.pointer
        == "/scalars/1/int32Value"
    )
    #expect(try failure("Lists", #"{"strings":"a"}"#)?.reason == .invalidValue)
  }

  @Test("Maps take keys of every kind as text")
  func maps() throws {
    let json =
      #"{"strings":{"a":"b","":""},"numbers":{"-1":"5"},"colors":{"true":"COLOR_RED"},"#
      + #""scalars":{"x":{"boolValue":true}},"datas":{"18446744073709551615":"AQ=="}}"#
    let printed = try roundTrip("Maps", json)
    #expect(printed == json)
    #expect(try failure("Maps", #"{"strings":{"a":null}}"#)?.pointer == "/strings/a")
    #expect(try failure("Maps", #"{"numbers":{"x":1}}"#)?.pointer == "/numbers/x")
    #expect(try failure("Maps", #"{"colors":{"1":0}}"#)?.reason == .invalidValue)
    #expect(
      try failure("Maps", #"{"scalars":{"a/b~c":{"zzz":1}}}"#)?.pointer
        == "/scalars/a~1b~0c/zzz"
    )
    #expect(try failure("Maps", #"{"strings":[]}"#)?.reason == .invalidValue)
  }

  @Test(
    "A map entry whose message the wire leaves out has an empty one, in the form of its type",
    arguments: [
      ([0xAA, 0x01, 0x00], #"{"stringValueMessages":{"":""}}"#),
      ([0xA2, 0x01, 0x00], #"{"timestamps":{"":"1970-01-01T00:00:00Z"}}"#),
      ([0x8A, 0x01, 0x00], #"{"eachScalars":{"":{}}}"#),
      ([0x92, 0x01, 0x02, 0x08, 0x07], #"{"deeper":{"7":{}}}"#),
    ] as [([UInt8], String)]
  )
  func entriesWithoutValue(bytes: [UInt8], printed: String) throws {
    let name = "oneshot.sample.v1.EachMapValue"
    #expect(try TranscodingFixture().print(name, bytes) == printed)
    #expect(try TranscodingFixture().roundTrip(name, printed) == printed)
  }

  @Test("Of many entries with one key the last is printed", arguments: [2, 8, 10, 40])
  func repeatedKeys(count: Int) throws {
    var bytes: [UInt8] = []
    for index in 0..<count {
      let key = UInt8(ascii: "a") + UInt8(index % 2)
      bytes += [0x1A, 5, 0x0A, 1, key, 0x10, UInt8(index)]
    }
    let printed = #"{"int32Values":{"a":\#(count - 2),"b":\#(count - 1)}}"#
    #expect(try TranscodingFixture().print("oneshot.sample.v1.EachMapValue", bytes) == printed)
  }

  @Test("A choice has one member; null does not count")
  func choices() throws {
    #expect(try roundTrip("Choices", #"{"number":0}"#) == #"{"number":0}"#)
    #expect(try roundTrip("Choices", #"{"number":0,"text":null}"#) == #"{"number":0}"#)
    #expect(
      try roundTrip("Choices", #"{"left":"l","flag":false}"#) == #"{"flag":false,"left":"l"}"#
    )
    #expect(try failure("Choices", #"{"number":0,"text":"a"}"#)?.reason == .duplicateField)
    #expect(try failure("Choices", #"{"left":"a","right":"b"}"#)?.reason == .duplicateField)
  }

  @Test("An unknown field is refused with its pointer, or dropped where the surface says so")
  func unknownFields() throws {
    let error = try failure("Optionals", #"{"scalars":{"nope":1}}"#)
    #expect(error?.reason == .unknownField)
    #expect(error?.pointer == "/scalars/nope")
    #expect(try failure("Optionals", #"{"nope":null}"#)?.reason == .unknownField)
    let message = try TranscodingFixture().read(
      Sample.Optionals.self,
      #"{"nope":{"a":[1]},"number":3}"#,
      ignoringUnknown: true
    )
    #expect(message.number == 3)
  }

  @Test("A key of a map, or of a free-form object at any depth, must not come twice")
  func repeatedKeys() throws {
    let map = try failure("Maps", #"{"strings":{"a":"1","b":"2","a":"1"}}"#)
    #expect(map?.reason == .duplicateField)
    #expect(map?.pointer == "/strings/a")
    let escaped = try failure("Maps", #"{"strings":{"a":"1","\u0061":"2"}}"#)
    #expect(escaped?.reason == .duplicateField)
    let free = try failure("WellKnown", #"{"document":{"x":[{"y":1,"y":2}]}}"#)
    #expect(free?.reason == .duplicateField)
    #expect(free?.detail == "The key 'y' is given twice.")
  }

  @Test("Two spellings of a field, or one twice, are refused by name")
  func duplicates() throws {
    let error = try failure("Scalars", #"{"int32Value":1,"int32_value":2}"#)
    #expect(error?.reason == .duplicateField)
    #expect(error?.detail.contains("'int32Value' and 'int32_value'") == true)
    #expect(try failure("Scalars", #"{"int32Value":1,"int32Value":1}"#)?.reason == .duplicateField)
    let aliases = try failure("Options", #"{"input_url":"a","source_url":"b"}"#)
    #expect(aliases?.detail.contains("'input_url' and 'source_url'") == true)
  }

  @Test(
    "A path parameter agrees with the body or is refused",
    arguments: [
      ("string_value", "{}", "a", true),
      ("string_value", #"{"string_value":"a"}"#, "a", true),
      ("string_value", #"{"string_value":"b"}"#, "a", false),
      ("int32_value", #"{"int32_value":7}"#, "7", true),
      ("int32_value", #"{"int32_value":8}"#, "7", false),
    ]
  )
  func pathAndBody(_ name: String, _ json: String, _ value: String, _ agrees: Bool) throws {
    let schema = TranscodingFixture.schema
    let plan = try #require(schema.plan(named: Sample.Scalars.fullName))
    let path = try #require(plan.path(name, in: schema))
    var message = RequestMessage(plan, in: schema)
    var text = Array(json.utf8)
    // The message refers to the parser's buffers.
    let parser = try JSONParser(maximumDepth: 10)
    defer { withExtendedLifetime(parser) {} }
    try message.readBody(&text, with: parser)
    var failure: TranscodingError?
    do throws(TranscodingError) {
      try message.setPathParameter(path, Array(value.utf8))
    } catch {
      failure = error
    }
    #expect(failure?.reason == (agrees ? nil : .duplicateField))
    #expect(failure?.pointer == (agrees ? nil : "/\(name)"))
    var again: TranscodingError?
    do throws(TranscodingError) {
      try message.setQueryParameter(name, [Array(value.utf8)])
    } catch {
      again = error
    }
    #expect(again?.reason == .duplicateField)
  }

  @Test("Aliases and json_name are read; the public form prints original names")
  func names() throws {
    #expect(try roundTrip("Options", #"{"source_url":"u"}"#) == #"{"inputUrl":"u"}"#)
    #expect(try roundTrip("Options", #"{"other":"u"}"#) == #"{"other":"u"}"#)
    #expect(try roundTrip("Options", #"{"renamed":"u"}"#) == #"{"other":"u"}"#)
    #expect(
      try roundTrip("Options", #"{"input_image_url":"u","balance":null}"#, .edge)
        == #"{"input_url":"u","credits":0,"password":"","balance":null,"renamed":""}"#
    )
  }

  @Test("An ignored field is dropped whatever it holds")
  func ignored() throws {
    let message = try TranscodingFixture().read(
      Sample.Options.self,
      #"{"credits":[{}],"password":"p"}"#
    )
    #expect(message.credits == 0)
    #expect(message.password == "p")
  }

  @Test("Nesting goes to a hundred messages and no deeper")
  func depth() throws {
    func nested(_ levels: Int) -> String {
      String(repeating: #"{"left":"#, count: levels - 1) + "{}"
        + String(repeating: "}", count: levels - 1)
    }
    #expect(try roundTrip("Tree", nested(100)) == nested(100))
    #expect(try failure("Tree", nested(101))?.reason == .malformedJSON)
    #expect(try failure("Tree", nested(300))?.reason == .malformedJSON)
  }

  @Test("Only an object is a message", arguments: ["[]", "1", "\"a\"", "null", "true"])
  func notAnObject(json: String) throws {
    #expect(try failure("Scalars", json)?.reason == .invalidValue)
  }

  @Test("Text that is not JSON is malformed", arguments: ["", "{", #"{"a"}"#, "{} {}", "nul"])
  func malformed(json: String) throws {
    #expect(try failure("Scalars", json)?.reason == .malformedJSON)
  }

  @Test("A raw body goes into its field untouched, and into no other kind of field")
  func rawBody() throws {
    let schema = TranscodingFixture.schema
    let plan = try #require(schema.plan(named: Sample.Optionals.fullName))
    var message = RequestMessage(plan, in: schema)
    try message.setBytes(#require(plan.field(named: "data")), [0, 0xFF, 0x7B])
    let bytes = message.packed(reserving: 0)
    #expect(try Sample.Optionals(decoding: bytes).data == [0, 0xFF, 0x7B])
    let number = try #require(plan.field(named: "number"))
    var other = RequestMessage(plan, in: schema)
    #expect(throws: TranscodingError.self) { try other.setBytes(number, [1]) }
    _ = consume other
  }

  @Test("Mutated documents never trap, and what is read can be printed")
  func mutations() throws {
    let fixture = try TranscodingFixture()
    let seed = Array(
      #"{"text":"a","left":"b","scalars":{"int32Value":1,"color":"red"},"tree":{"name":"x"}}"#.utf8
    )
    for round in 0..<20_000 {
      var text = seed
      if round % 4 == 0 { text.removeLast(Int.random(in: 0..<text.count)) }
      for _ in 0...Int.random(in: 0...2) where !text.isEmpty {
        text[Int.random(in: 0..<text.count)] = UInt8.random(in: 32...126)
      }
      let json = String(decoding: text, as: UTF8.self)
      guard let bytes = try? fixture.bytes("oneshot.sample.v1.Choices", json) else { continue }
      _ = try fixture.print("oneshot.sample.v1.Choices", bytes)
      _ = try fixture.print("oneshot.sample.v1.Choices", bytes, .edge)
    }
  }
}
