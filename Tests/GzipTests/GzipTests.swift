import Testing

@testable import Gzip

@Suite("gzip") struct GzipTests {
  private func compress(_ bytes: [UInt8], reserving prefix: Int = 0) throws -> [UInt8]? {
    try bytes.withUnsafeBytes { try Gzip.compress($0, reserving: prefix) }
  }

  private func decompress(_ bytes: [UInt8], limit: Int = 1 << 22) throws -> [UInt8] {
    try bytes.withUnsafeBytes { try Gzip.decompress($0, limit: limit) }
  }

  /// "hello hello hello hello\n" as the gzip tool writes it.
  private let foreign: [UInt8] = [
    0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x03, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57,
    0xc8, 0x40, 0x27, 0xb9, 0x00, 0x00, 0x88, 0x59, 0x0b, 0x18, 0x00, 0x00, 0x00,
  ]

  @Test("What was compressed comes back", arguments: [20, 1_000, 65_537, 4_194_304])
  func roundTrip(count: Int) throws {
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 / 7) }
    let packed = try #require(try compress(bytes + bytes, reserving: 5))
    #expect(packed[..<5] == [0, 0, 0, 0, 0])
    #expect(packed.count < 2 * count)
    #expect(try decompress(Array(packed[5...]), limit: 2 * count) == bytes + bytes)
  }

  @Test("What another program compressed is read")
  func foreignMember() throws {
    #expect(try decompress(foreign) == Array("hello hello hello hello\n".utf8))
  }

  @Test("Bytes that do not become fewer stay as they are")
  func incompressible() throws {
    var random = SystemRandomNumberGenerator()
    #expect(try compress([]) == nil)
    #expect(try compress([1, 2, 3]) == nil)
    #expect(try compress((0..<1_000).map { _ in UInt8.random(in: 0...255, using: &random) }) == nil)
  }

  @Test("Content at the limit passes, and one byte more does not")
  func limit() throws {
    #expect(try decompress(foreign, limit: 24).count == 24)
    #expect(throws: GzipError.tooLarge(limit: 23)) { try decompress(foreign, limit: 23) }
  }

  @Test("A trailer that states too little does not get more through")
  func lyingTrailer() throws {
    var packed = try #require(try compress([UInt8](repeating: 0, count: 1 << 20)))
    packed.replaceSubrange(packed.count - 4..<packed.count, with: [16, 0, 0, 0])
    #expect(throws: GzipError.tooLarge(limit: 1_000)) { try decompress(packed, limit: 1_000) }
  }

  @Test("A trailer that states more than so few bytes can hold takes no memory")
  func boastingTrailer() throws {
    var packed = foreign
    packed.replaceSubrange(packed.count - 4..<packed.count, with: [0, 0, 0x40, 0])
    #expect(throws: GzipError.corrupt) { try decompress(packed, limit: 1 << 23) }
  }

  @Test("Cut, altered and foreign bytes are refused, and none of them crashes")
  func damaged() throws {
    for count in 0..<foreign.count {
      #expect(throws: GzipError.self) { try decompress(Array(foreign[..<count])) }
    }
    // Bytes 4 to 9 say when, how and where it was made; nobody checks them.
    for index in foreign.indices where !(4...9).contains(index) {
      var altered = foreign
      altered[index] ^= 0x55
      #expect(throws: GzipError.self) { try decompress(altered) }
    }
    #expect(throws: GzipError.self) { try decompress(foreign + [0]) }
    #expect(throws: GzipError.corrupt) { try decompress([UInt8](repeating: 0, count: 100)) }
  }
}
