import JSON
import Testing

@Suite("JSON writer")
struct JSONWriterTests {
  private func written(_ body: (inout JSONWriter) -> Void) -> String {
    var writer = JSONWriter()
    body(&writer)
    return String(decoding: writer.bytes, as: UTF8.self)
  }

  @Test("Commas stand between members and elements only")
  func commas() {
    let text = written { writer in
      writer.beginObject()
      writer.key("a")
      writer.int(-7)
      writer.key("b")
      writer.beginArray()
      writer.string("x")
      writer.null()
      writer.beginObject()
      writer.endObject()
      writer.beginArray()
      writer.endArray()
      writer.bool(true)
      writer.endArray()
      writer.key("c")
      writer.uint(.max)
      writer.endObject()
    }
    #expect(text == #"{"a":-7,"b":["x",null,{},[],true],"c":18446744073709551615}"#)
  }

  @Test("A string that ends like an opening bracket is still followed by a comma")
  func trickyStrings() {
    let text = written { writer in
      writer.beginArray()
      writer.string("{")
      writer.string("[")
      writer.string(":")
      writer.string("")
      writer.endArray()
    }
    #expect(text == #"["{","[",":",""]"#)
  }

  @Test(
    "Control characters, quotes and backslashes are escaped, the rest is not",
    arguments: [
      ("a\"b", #""a\"b""#), ("\\", #""\\""#), ("\n\r\t", #""\n\r\t""#),
      ("\u{0}\u{1f}", #""\u0000\u001f""#),
      ("é😀/", "\"é😀/\""), ("\u{08}\u{0c}", #""\b\f""#), ("\u{7f}", "\"\u{7f}\""),
    ]
  )
  func escapes(value: String, json: String) {
    #expect(written { $0.string(value) } == json)
  }

  @Test(
    "Doubles are written in their shortest form",
    arguments: [
      (0.0, "0"), (1.0, "1"), (-3.0, "-3"), (0.1, "0.1"), (1e300, "1e+300"),
      (.leastNonzeroMagnitude, "5e-324"),
      (9_007_199_254_740_991, "9007199254740991"), (1e20, "1e+20"), (-0.0, "-0.0"),
    ]
  )
  func doubles(value: Double, json: String) {
    #expect(written { $0.double(value) } == json)
  }

  @Test(
    "Floats are written with the digits a float needs",
    arguments: [
      (Float(0.1), "0.1"), (Float(16_777_215), "16777215"),
      (Float.greatestFiniteMagnitude, "3.4028235e+38"),
    ]
  )
  func floats(value: Float, json: String) {
    #expect(written { $0.float(value) } == json)
  }

  @Test("The smallest integer is written", arguments: [Int64.min, -1, 0, 10, 1_000_000])
  func integers(value: Int64) {
    #expect(written { $0.int(value) } == "\(value)")
  }
}
