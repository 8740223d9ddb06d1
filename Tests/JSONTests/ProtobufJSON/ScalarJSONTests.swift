import ProtobufJSON
import TestProtos
import Testing

@Suite("Scalars in JSON")
struct ScalarJSONTests {
  private let name = "oneshot.sample.v1.Scalars"

  @Test(
    "Accepted forms print in the standard one",
    arguments: [
      (#"{"int32Value":1e2}"#, #"{"int32Value":100}"#),
      (#"{"int32Value":"12"}"#, #"{"int32Value":12}"#),
      (#"{"int32Value":"1e2"}"#, #"{"int32Value":100}"#),
      (#"{"int32_value":1.0}"#, #"{"int32Value":1}"#),
      (#"{"int32Value":-2147483648}"#, #"{"int32Value":-2147483648}"#),
      (#"{"uint32Value":4294967295}"#, #"{"uint32Value":4294967295}"#),
      (#"{"int64Value":9007199254740993}"#, #"{"int64Value":"9007199254740993"}"#),
      (#"{"int64Value":"-9223372036854775808"}"#, #"{"int64Value":"-9223372036854775808"}"#),
      (#"{"uint64Value":18446744073709551615}"#, #"{"uint64Value":"18446744073709551615"}"#),
      (#"{"sint32Value":-5,"sint64Value":-6}"#, #"{"sint32Value":-5,"sint64Value":"-6"}"#),
      (#"{"fixed32Value":7,"fixed64Value":8}"#, #"{"fixed64Value":"8","fixed32Value":7}"#),
      (
        #"{"sfixed32Value":-7,"sfixed64Value":"-8"}"#, #"{"sfixed32Value":-7,"sfixed64Value":"-8"}"#
      ),
      (
        #"{"doubleValue":"NaN","floatValue":"-Infinity"}"#,
        #"{"doubleValue":"NaN","floatValue":"-Infinity"}"#
      ),
      (#"{"doubleValue":"1.5"}"#, #"{"doubleValue":1.5}"#),
      (#"{"doubleValue":100000000000000000000}"#, #"{"doubleValue":1e+20}"#),
      (#"{"doubleValue":-0.0}"#, #"{"doubleValue":-0.0}"#),
      (#"{"floatValue":0.1}"#, #"{"floatValue":0.1}"#),
      (#"{"boolValue":true}"#, #"{"boolValue":true}"#),
      (#"{"stringValue":"a\u0000\n\"é😀"}"#, #"{"stringValue":"a\u0000\n\"é😀"}"#),
      (#"{"bytesValue":"-_8"}"#, #"{"bytesValue":"+/8="}"#),
      (#"{"bytesValue":"+/8="}"#, #"{"bytesValue":"+/8="}"#),
      (#"{"bytesValue":"AQI"}"#, #"{"bytesValue":"AQI="}"#),
      (#"{"color":"COLOR_DARK_BLUE"}"#, #"{"color":"COLOR_DARK_BLUE"}"#),
      (#"{"color":"COLOR_CRIMSON"}"#, #"{"color":"COLOR_RED"}"#),
      (#"{"color":2}"#, #"{"color":"COLOR_DARK_BLUE"}"#),
      (#"{"color":-1}"#, #"{"color":"COLOR_NEGATIVE"}"#),
      (#"{"color":77}"#, #"{"color":77}"#),
      (#"{"color":"dark_blue"}"#, #"{"color":"COLOR_DARK_BLUE"}"#),
      (#"{"color":"Dark_Blue"}"#, #"{"color":"COLOR_DARK_BLUE"}"#),
      (#"{"int32Value":null,"stringValue":null,"color":null}"#, "{}"),
      (#"{"int32Value":0,"stringValue":"","boolValue":false,"bytesValue":""}"#, "{}"),
      ("{}", "{}"),
    ]
  )
  func accepted(json: String, printed: String) throws {
    #expect(try TranscodingFixture().roundTrip(name, json) == printed)
  }

  @Test(
    "A value of the wrong type, form or range is refused with its pointer",
    arguments: [
      #"{"int32Value":1.5}"#, #"{"int32Value":2147483648}"#, #"{"int32Value":""}"#,
      #"{"int32Value":" 1"}"#, #"{"int32Value":"01"}"#, #"{"int32Value":true}"#,
      #"{"int32Value":"0x1"}"#, #"{"int32Value":[]}"#, #"{"int32Value":{}}"#,
      #"{"uint32Value":-1}"#, #"{"int64Value":9223372036854775808}"#, #"{"int64Value":1e30}"#,
      #"{"int64Value":-9223372036854775809}"#,
      #"{"uint64Value":18446744073709551616}"#, #"{"uint64Value":"-1"}"#,
      #"{"boolValue":"true"}"#, #"{"boolValue":1}"#, #"{"boolValue":"yes"}"#,
      #"{"stringValue":1}"#, #"{"stringValue":true}"#, #"{"stringValue":{}}"#,
      #"{"bytesValue":"a"}"#, #"{"bytesValue":"!!!!"}"#, #"{"bytesValue":1}"#,
      #"{"bytesValue":"AQ="}"#,
      #"{"floatValue":1e39}"#, #"{"floatValue":""}"#, #"{"doubleValue":"nan"}"#,
      #"{"doubleValue":"+1"}"#, #"{"color":"purple"}"#, #"{"color":true}"#, #"{"color":1.5}"#,
    ]
  )
  func refused(json: String) throws {
    let error = #expect(throws: TranscodingError.self) {
      try TranscodingFixture().bytes(name, json)
    }
    #expect(error?.reason == .invalidValue)
    #expect(error?.pointer.hasPrefix("/") == true)
  }

  @Test("A number beyond a double is an invalid value")
  func hugeNumber() throws {
    let error = #expect(throws: TranscodingError.self) {
      try TranscodingFixture().bytes(name, #"{"doubleValue":1e400}"#)
    }
    #expect(error?.reason == .invalidValue)
  }

  @Test("The public form prints every scalar, numbers as numbers, enums short")
  func edgeForm() throws {
    let json = try TranscodingFixture().roundTrip(
      name,
      #"{"int64Value":"5","color":"COLOR_DARK_BLUE","stringValue":"x"}"#,
      .edge
    )
    #expect(
      json
        == #"{"double_value":0,"float_value":0,"int64_value":5,"uint64_value":0,"int32_value":0,"#
        + #""fixed64_value":0,"fixed32_value":0,"bool_value":false,"string_value":"x","#
        + #""bytes_value":"","uint32_value":0,"color":"dark_blue","sfixed32_value":0,"#
        + #""sfixed64_value":0,"sint32_value":0,"sint64_value":0}"#
    )
  }
}
