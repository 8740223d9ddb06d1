import Protobuf
import ProtobufJSON
import TestProtos
import Testing

@Suite("Well-known types in JSON")
struct WellKnownJSONTests {
  private func roundTrip(_ type: String, _ json: String) throws -> String {
    try TranscodingFixture().roundTrip(type, json)
  }

  private let message = "oneshot.sample.v1.WellKnown"

  @Test(
    "Times of every offset print in UTC",
    arguments: [
      ("2030-01-01T05:30:00+05:30", "2030-01-01T00:00:00Z"),
      ("2030-01-01T00:00:00.1Z", "2030-01-01T00:00:00.100Z"),
      ("2030-01-01T00:00:00.123456Z", "2030-01-01T00:00:00.123456Z"),
      ("2030-01-01T00:00:00.123456789Z", "2030-01-01T00:00:00.123456789Z"),
      ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
      ("9999-12-31T23:59:59.999999999Z", "9999-12-31T23:59:59.999999999Z"),
      ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59.500Z"),
      ("2024-02-29T12:00:00-08:00", "2024-02-29T20:00:00Z"),
      ("2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z"),
    ]
  )
  func times(text: String, printed: String) throws {
    #expect(try roundTrip(message, #"{"at":"\#(text)"}"#) == #"{"at":"\#(printed)"}"#)
  }

  @Test(
    "Texts that are no times are refused",
    arguments: [
      "", "2030-01-01", "2030-01-01T00:00:00", "2030-01-01t00:00:00Z", "2030-01-01T00:00:00z",
      "2030-13-01T00:00:00Z", "2023-02-29T00:00:00Z", "2030-01-01T24:00:00Z",
      "2030-01-01T00:60:00Z",
      "2030-01-01T00:00:60Z", "2030-01-01T00:00:00.Z", "2030-01-01T00:00:00.1234567891Z",
      "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "2030-01-01T00:00:00+0530",
      "0001-01-01T00:00:00+00:01", "2030-01-01 00:00:00Z", " 2030-01-01T00:00:00Z",
      "1900-02-29T00:00:00Z",
    ]
  )
  func badTimes(text: String) throws {
    #expect(throws: TranscodingError.self) {
      try TranscodingFixture().bytes(message, #"{"at":"\#(text)"}"#)
    }
  }

  @Test(
    "Durations print with 0, 3, 6 or 9 digits",
    arguments: [
      ("1.5s", "1.500s"), ("-0.5s", "-0.500s"), ("0s", "0s"), ("3s", "3s"),
      ("0.000001s", "0.000001s"),
      ("0.000000001s", "0.000000001s"), ("315576000000s", "315576000000s"),
      ("-315576000000s", "-315576000000s"), ("-1.25s", "-1.250s"),
    ]
  )
  func durations(text: String, printed: String) throws {
    #expect(try roundTrip(message, #"{"length":"\#(text)"}"#) == #"{"length":"\#(printed)"}"#)
  }

  @Test(
    "Texts that are no durations are refused",
    arguments: [
      "", "1", "s", "1.s", ".5s", "1.1234567891s", "315576000001s", "-315576000001s", "1e3s", "+1s",
      "315576000000.1s", "1 s", "9999999999999s",
    ]
  )
  func badDurations(text: String) throws {
    #expect(throws: TranscodingError.self) {
      try TranscodingFixture().bytes(message, #"{"length":"\#(text)"}"#)
    }
  }

  @Test(
    "A dynamic value holds any JSON, null included",
    arguments: [
      "null", "true", "1", "1.5", #""x""#, "[]", "{}", #"[1,"a",null,[true],{"k":{}}]"#,
    ]
  )
  func values(json: String) throws {
    #expect(try roundTrip(message, #"{"value":\#(json)}"#) == #"{"value":\#(json)}"#)
  }

  @Test("A document is an object; null means unset")
  func documents() throws {
    let json = #"{"document":{"a":[1,{"b":null}]}}"#
    #expect(try roundTrip(message, json) == json)
    #expect(try roundTrip(message, #"{"document":null}"#) == "{}")
    #expect(throws: TranscodingError.self) {
      try TranscodingFixture().bytes(message, #"{"document":[]}"#)
    }
  }

  @Test("A dynamic value nests to the limit of messages")
  func valueDepth() throws {
    let deep = String(repeating: "[", count: 60) + String(repeating: "]", count: 60)
    #expect(throws: TranscodingError.self) {
      try TranscodingFixture().bytes(message, #"{"value":\#(deep)}"#)
    }
    let flat = String(repeating: "[", count: 40) + String(repeating: "]", count: 40)
    #expect(try roundTrip(message, #"{"value":\#(flat)}"#) == #"{"value":\#(flat)}"#)
  }

  @Test("Values that JSON cannot hold are refused when printed")
  func unprintable() throws {
    let fixture = try TranscodingFixture()
    let infinite = GoogleProtobuf.Value(kind: .numberValue(.infinity))
    #expect(throws: TranscodingError.self) {
      try fixture.print(Sample.WellKnown(value: infinite))
    }
    #expect(throws: TranscodingError.self) {
      try fixture.print(Sample.WellKnown(value: GoogleProtobuf.Value()))
    }
    let late = GoogleProtobuf.Timestamp(seconds: 253_402_300_800)
    #expect(throws: TranscodingError.self) { try fixture.print(Sample.WellKnown(at: late)) }
    let mixed = GoogleProtobuf.Duration(seconds: 1, nanos: -1)
    #expect(throws: TranscodingError.self) { try fixture.print(Sample.WellKnown(length: mixed)) }
  }

  @Test(
    "Wrappers are their bare values",
    arguments: [
      ("Int32Value", "5", "5"), ("Int64Value", "5", #""5""#), ("UInt64Value", #""7""#, #""7""#),
      ("UInt32Value", "9", "9"), ("BoolValue", "true", "true"), ("StringValue", #""x""#, #""x""#),
      ("BytesValue", #""AQI""#, #""AQI=""#), ("DoubleValue", #""NaN""#, #""NaN""#),
      ("FloatValue", "0.5", "0.5"),
    ]
  )
  func wrappers(type: String, json: String, printed: String) throws {
    #expect(try roundTrip("google.protobuf.\(type)", json) == printed)
  }

  @Test("A wrapper that is null is absent")
  func nullWrapper() throws {
    #expect(try roundTrip(message, #"{"nullable":null}"#) == "{}")
    #expect(try roundTrip(message, #"{"nullable":""}"#) == #"{"nullable":""}"#)
  }

  @Test("Field masks change their spelling")
  func masks() throws {
    let mask = try TranscodingFixture().read(
      GoogleProtobuf.FieldMask.self,
      #""fooBar,baz.quxQuux""#
    )
    #expect(mask.paths == ["foo_bar", "baz.qux_quux"])
    #expect(try TranscodingFixture().print(mask) == #""fooBar,baz.quxQuux""#)
    #expect(try roundTrip("google.protobuf.FieldMask", #""""#) == #""""#)
    #expect(throws: TranscodingError.self) {
      try TranscodingFixture().bytes("google.protobuf.FieldMask", #""foo_bar""#)
    }
    for path in ["fooBar", "foo_3", "foo__bar", "foo_", "a,b", ""] {
      #expect(throws: TranscodingError.self) {
        try TranscodingFixture().print(GoogleProtobuf.FieldMask(paths: [path]))
      }
    }
  }

  @Test("Any shows its type beside the fields, or a special form under value")
  func anything() throws {
    let name = "google.protobuf.Any"
    let prefix = #"{"@type":"type.googleapis.com/"#
    let plain = prefix + #"oneshot.sample.v1.Optionals","number":3}"#
    #expect(try roundTrip(name, plain) == plain)
    let moved = #"{"number":3,"@type":"type.googleapis.com/oneshot.sample.v1.Optionals"}"#
    #expect(try roundTrip(name, moved) == plain)
    let special = prefix + #"google.protobuf.Duration","value":"1.500s"}"#
    #expect(try roundTrip(name, special) == special)
    let nested = prefix + #"google.protobuf.Any","value":\#(plain)}"#
    #expect(try roundTrip(name, nested) == nested)
    let empty = prefix + #"google.protobuf.Empty"}"#
    #expect(try roundTrip(name, empty) == empty)
    #expect(try roundTrip(name, "{}") == "{}")
  }

  @Test(
    "Any of an unknown type, or without one, is refused",
    arguments: [
      #"{"@type":"type.googleapis.com/no.Such"}"#, #"{"number":1}"#,
      #"{"@type":"oneshot.sample.v1.Optionals"}"#,
      #"{"@type":"type.googleapis.com/oneshot.sample.v1.Optionals","zzz":1}"#,
      #"{"@type":"type.googleapis.com/google.protobuf.Duration"}"#, #"{"@type":1}"#, "[]",
    ]
  )
  func badAny(json: String) throws {
    #expect(throws: TranscodingError.self) {
      try TranscodingFixture().bytes("google.protobuf.Any", json)
    }
  }

  // Found by FuzzJSON: it was printed, and its text refused.
  @Test("Any whose type has no slash is not printed, as it is not read")
  func anyWithoutSlash() throws {
    let type = "oneshot.sample.v1.Optionals"
    let good = GoogleProtobuf.AnyMessage.with { $0.typeUrl = "/" + type }
    #expect(try TranscodingFixture().print(good) == #"{"@type":"/oneshot.sample.v1.Optionals"}"#)
    let bad = GoogleProtobuf.AnyMessage.with { $0.typeUrl = type }
    #expect(throws: TranscodingError.self) { try TranscodingFixture().print(bad) }
  }
}
