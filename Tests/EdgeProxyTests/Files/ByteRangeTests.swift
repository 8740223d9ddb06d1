import Testing

@testable import EdgeProxy

@Suite("Byte ranges")
struct ByteRangeTests {
  @Test(
    "A range is cut to the file",
    arguments: [
      ("bytes=0-0", 0..<1), ("bytes=0-", 0..<10), ("bytes=3-5", 3..<6), ("bytes=9-100", 9..<10),
      ("bytes=-3", 7..<10), ("bytes=-100", 0..<10), ("Bytes=1-2", 1..<3),
    ]
  )
  func parts(field: String, range: Range<Int>) {
    #expect(ByteRange(field, size: 10) == .part(range))
  }

  @Test(
    "A field that is not one range of bytes asks for the whole file",
    arguments: [
      nil, "", "bytes", "bytes=", "bytes=-", "bytes=5-3", "bytes=a-b", "items=0-1", "bytes=0-1,3-4",
      "bytes=--1", "bytes=0-1-2", "bytes=9999999999999999-",
    ]
  )
  func whole(field: String?) {
    #expect(ByteRange(field, size: 10) == .whole)
  }

  @Test(
    "A range behind the end cannot be satisfied",
    arguments: ["bytes=10-", "bytes=10-11", "bytes=-0"]
  )
  func unsatisfiable(field: String) {
    #expect(ByteRange(field, size: 10) == .unsatisfiable)
  }

  @Test("Nothing of an empty file can be asked for")
  func empty() {
    #expect(ByteRange("bytes=0-", size: 0) == .unsatisfiable)
    #expect(ByteRange("bytes=-1", size: 0) == .unsatisfiable)
  }
}
