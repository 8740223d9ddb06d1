import JSON
import Testing

@Suite("JSON parser")
struct JSONParserTests {
  private func parse<R>(_ text: String, _ body: (JSONElement) -> R) throws -> R {
    let parser = try JSONParser(maximumDepth: 64)
    var bytes = Array(text.utf8)
    defer { #expect(bytes == Array(text.utf8), "the caller's bytes are given back unchanged") }
    return try parser.parse(&bytes, body)
  }

  @Test("Every kind of value is found in its place")
  func kinds() throws {
    let text =
      #"{"a":1,"b":[true,false,null],"c":{"d":"x\u00e9\n"},"e":18446744073709551615,"f":1.5}"#
    try parse(text) { root in
      #expect(root.kind == .object)
      #expect(root.count == 5)
      #expect(root.member("a")?.int64 == 1)
      #expect(root.member("e")?.uint64 == .max)
      #expect(root.member("f")?.double == 1.5)
      #expect(root.member("c")?.member("d")?.string == "xé\n")
      let list = root.member("b")?.first
      #expect(list?.kind == .true)
      #expect(list?.next.next.kind == .null)
      #expect(list?.next.next.next.isEnd == true)
      #expect(root.member("zzz") == nil)
    }
  }

  @Test(
    "A text that is not JSON is malformed",
    arguments: [
      "{", "[1,]", "{\"a\":1,}", "01", "1.", "+1", ".5", "-", "1e", "nul", "'a'", "{\"a\" 1}",
      "[1 2]",
      "\"a", "\"\u{01}\"", "[1]x", "{1:2}", "NaN", "0x10", "[01e400]",
    ]
  )
  func malformed(text: String) {
    #expect(throws: JSONError.malformed) { try parse(text) { _ in } }
  }

  @Test("An empty text says so")
  func empty() {
    #expect(throws: JSONError.empty) { try parse("") { _ in } }
    #expect(throws: JSONError.empty) { try parse("  \n") { _ in } }
  }

  @Test("Nesting beyond the limit is refused, at the limit it is not")
  func depth() throws {
    let parser = try JSONParser(maximumDepth: 64)
    for (depth, passes) in [(60, true), (70, false), (100_000, false)] {
      var text = [UInt8](repeating: UInt8(ascii: "["), count: depth)
      text += [UInt8](repeating: UInt8(ascii: "]"), count: depth)
      if passes {
        try parser.parse(&text) { #expect($0.kind == .array) }
      } else {
        #expect(throws: JSONError.tooDeep) { try parser.parse(&text) { _ in } }
      }
    }
  }

  @Test("Bytes that are not UTF-8 and lone surrogates are refused")
  func unicode() throws {
    let parser = try JSONParser()
    var bytes: [UInt8] = [0x22, 0xC3, 0x28, 0x22]
    #expect(throws: JSONError.invalidUnicode) { try parser.parse(&bytes) { _ in } }
    #expect(throws: JSONError.self) { try parse(#""\ud800""#) { _ in } }
    try parse(#""\ud83d\ude00""#) { #expect($0.string == "😀") }
  }

  @Test("An integer beyond 64 bits becomes a double")
  func longIntegers() throws {
    try parse(
      #"{"a":100000000000000000000,"b":"1e999 100000000000000000000","c":-9223372036854775809}"#
    ) {
      #expect($0.member("a")?.double == 1e20)
      #expect($0.member("b")?.string == "1e999 100000000000000000000")
      #expect($0.member("c")?.kind == .double)
    }
  }

  @Test("A number beyond a double is out of range, and says where")
  func hugeNumber() {
    #expect(throws: JSONError.numberOutOfRange(offset: 5)) { try parse("{\"a\":1e400}") { _ in } }
  }

  @Test("A NUL in a string stays")
  func nul() throws {
    try parse(#""a\u0000b""#) { #expect(Array($0.utf8) == [0x61, 0, 0x62]) }
  }

  @Test("A parser serves long and short texts in turn")
  func reuse() throws {
    let parser = try JSONParser()
    for size in [1, 5_000, 300_000, 3, 70_000] {
      var text = Array("\"\(String(repeating: "x", count: size))\"".utf8)
      let length = try parser.parse(&text) { $0.utf8.count }
      #expect(length == size)
    }
  }

  @Test("Mutated and truncated texts never trap")
  func mutations() throws {
    let parser = try JSONParser(maximumDepth: 32)
    let seed = Array(#"{"a":[1,-2.5e3,"x\u00e9",{"b":null}],"c":true,"d":"\"\\"}"#.utf8)
    var random = SystemRandomNumberGenerator()
    for round in 0..<20_000 {
      var text = seed
      if round % 3 == 0 { text.removeLast(Int.random(in: 0..<text.count, using: &random)) }
      for _ in 0..<Int.random(in: 0...3, using: &random) where !text.isEmpty {
        text[Int.random(in: 0..<text.count, using: &random)] = UInt8.random(in: 0...255)
      }
      _ = try? parser.parse(&text) { visit($0) }
    }
  }

  private func visit(_ element: JSONElement) -> Int {
    switch element.kind {
    case .object, .array:
      var total = 1
      var cursor = element.first
      while !cursor.isEnd {
        total += visit(cursor)
        cursor = cursor.next
      }
      return total
    case .string: return element.utf8.count
    default: return 1
    }
  }
}
