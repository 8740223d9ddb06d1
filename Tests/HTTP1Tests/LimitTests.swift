import HTTP1
import HTTPCore
import Testing

@Suite("HTTP/1.1 limits") struct LimitTests {
  @Test("A head is served at its limit of bytes and refused one above", arguments: [1, 4096, .max])
  func headBytes(step: Int) {
    var limits = HTTP1Limits()
    limits.headBytes = 1_000
    let frame = "GET / HTTP/1.1\r\nHost: h\r\nA: \r\n\r\n"
    func request(_ size: Int) -> String {
      let filler = String(repeating: "x", count: size - frame.utf8.count)
      return "GET / HTTP/1.1\r\nHost: h\r\nA: \(filler)\r\n\r\n"
    }
    #expect(Transcript(request(1_000), limits: limits, step: step).requests.count == 1)
    #expect(Transcript(request(1_001), limits: limits, step: step).failure?.status == 431)
  }

  @Test("An endless head is refused before it ends")
  func endlessHead() {
    let fields = String(repeating: "A: b\r\n", count: 6_000)
    #expect(Transcript("GET / HTTP/1.1\r\n" + fields, step: 100).failure?.status == 431)
    let value = String(repeating: "x", count: 40_000)
    #expect(Transcript("GET / HTTP/1.1\r\nA: " + value, step: 100).failure?.status == 431)
    #expect(Transcript("GET /" + value, step: 100).failure?.status == 414)
  }

  @Test("100 fields are served, 101 refused")
  func fieldCount() {
    func request(_ count: Int) -> String {
      "GET / HTTP/1.1\r\nHost: h\r\n" + String(repeating: "A: b\r\n", count: count - 1) + "\r\n"
    }
    #expect(Transcript(request(100)).requests.count == 1)
    #expect(Transcript(request(101)).failure == Transcript(request(101), step: 1).failure)
    #expect(Transcript(request(101)).failure?.status == 431)
  }

  @Test("A target is served at its limit and refused one above")
  func targetBytes() {
    func request(_ count: Int) -> String {
      "GET /\(String(repeating: "a", count: count - 1)) HTTP/1.1\r\nHost: h\r\n\r\n"
    }
    #expect(Transcript(request(8_192)).requests.count == 1)
    #expect(Transcript(request(8_193)).failure?.status == 414)
  }

  @Test("A declared length over the route's limit is refused before any body byte")
  func declaredLength() {
    let head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n"
    #expect(Transcript(head + "0123456789a", routeLimit: 11).requests.first?.ended == true)
    let refused = Transcript(head, routeLimit: 10)
    #expect(refused.failure?.status == 413)
    #expect(refused.requests.count == 1)
  }

  @Test("Chunks are refused once they pass the limit", arguments: [1, 5, .max])
  func chunkedLength(step: Int) {
    let head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    let text = head + "6\r\n012345\r\n5\r\n6789a\r\n0\r\n\r\n"
    #expect(Transcript(text, step: step, routeLimit: 11).requests.first?.ended == true)
    #expect(Transcript(text, step: step, routeLimit: 10).failure?.status == 413)
  }

  @Test("Chunk extensions, leading zeros and trailers cannot go on for ever")
  func framingFlood() {
    let head = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    let floods = [
      "1;" + String(repeating: "a", count: 20_000),
      String(repeating: "0", count: 20_000),
      "0\r\n" + String(repeating: "A: b\r\n", count: 4_000),
    ]
    for flood in floods {
      #expect(Transcript(head + flood, step: 1_000).failure?.status == 400)
    }
    let tiny = String(repeating: "1\r\na\r\n", count: 20_000) + "0\r\n\r\n"
    #expect(Transcript(head + tiny, step: 1_000).requests.first?.body.count == 20_000)
  }

  @Test("Mutated and truncated requests never trap, and cutting them never changes the outcome")
  func mutations() {
    var generator = SplitMix(state: 42)
    let seed = Array(
      ("POST /a?b=c HTTP/1.1\nHost: h\nTransfer-Encoding: chunked\nConnection: close\n\n".crlf
        + "4\r\nabcd\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n").utf8
    )
    for _ in 0..<3_000 {
      var bytes = seed
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let index = Int.random(in: 0..<bytes.count, using: &generator)
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: bytes[index] = UInt8.random(in: 0...255, using: &generator)
        case 1: bytes.remove(at: index)
        default: bytes.insert([13, 10, 32, 58, 0].randomElement(using: &generator) ?? 0, at: index)
        }
      }
      let whole = Transcript(bytes: bytes)
      let cut = Transcript(bytes: bytes, step: Int.random(in: 1...9, using: &generator))
      #expect(whole == cut, "\(String(decoding: bytes, as: UTF8.self).debugDescription)")
    }
  }
}

/// A small seeded generator, so that a failure can be repeated.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
