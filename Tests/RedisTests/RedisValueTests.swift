import Testing

@testable import Redis

@Suite("Redis values and URLs")
struct RedisValueTests {
  private func text(_ commands: RedisCommand...) -> String {
    var output = RedisOutput(capacity: 16)
    for command in commands { command.write(to: &output) }
    return String(decoding: output.unsent, as: UTF8.self)
  }

  @Test("A command is its count of parts, then each with its length")
  func command() {
    let bytes = [UInt8](repeating: 120, count: 12)
    let set = "*3\r\n$3\r\nSET\r\n$3\r\nkü\r\n$12\r\nxxxxxxxxxxxx\r\n"
    #expect(text(.named("SET", ["kü", bytes])) == set)
    let ping = "*1\r\n$4\r\nPING\r\n"
    #expect(text(.named("PING", []), .named("SET", ["kü", bytes])) == ping + set)
  }

  @Test(
    "A number is written by its digits",
    arguments: [0, 9, 10, 99, 100, -1, -10, 1_700_000_000_000, .max, .min]
  )
  func number(_ number: Int) {
    let digits = String(number)
    #expect(text(.named("A", [number])) == "*2\r\n$1\r\nA\r\n$\(digits.count)\r\n\(digits)\r\n")
  }

  @Test("A script is called by its digest, with numbers and other values alike")
  func script() {
    let script = RedisScript("return 1")
    #expect(script.evalsha == nil)
    let evalsha = script.setDigest(String(repeating: "a", count: 40))
    #expect(script.evalsha == evalsha)
    let head = "$7\r\nEVALSHA\r\n$40\r\n\(String(repeating: "a", count: 40))\r\n"
    let expected = "*6\r\n" + head + "$1\r\n1\r\n$1\r\nk\r\n$1\r\n5\r\n$2\r\n-7\r\n"
    #expect(text(.script(evalsha, ["k"], .numbers([5, -7]))) == expected)
    #expect(text(.script(evalsha, ["k"], .values([5, "-7"]))) == expected)
  }

  @Test("What was sent is forgotten, the rest stays in its order")
  func sent() {
    var output = RedisOutput(capacity: 16)
    RedisCommand.named("PING", []).write(to: &output)
    output.drop(4)
    RedisCommand.named("PING", [String(repeating: "x", count: 100_000)]).write(to: &output)
    let rest = String(decoding: output.unsent, as: UTF8.self)
    #expect(rest.hasPrefix("$4\r\nPING\r\n*2\r\n$4\r\nPING\r\n$100000\r\nxxx"))
    output.drop(rest.utf8.count)
    let isEmpty = output.isEmpty
    #expect(isEmpty)
    RedisCommand.named("PING", []).write(to: &output)
    #expect(String(decoding: output.unsent, as: UTF8.self) == "*1\r\n$4\r\nPING\r\n")
  }

  @Test("Numbers are read from integers and from text, and nothing else")
  func numbers() {
    #expect(RedisValue.array([.integer(1), .bytes(Array("-2".utf8))]).integers == [1, -2])
    #expect(RedisValue.array([.integer(1), .null]).integers == [])
    #expect(RedisValue.null.integers == [])
    #expect(RedisValue.bytes(Array("x".utf8)).integer == nil)
  }

  @Test("URLs give place, login and database")
  func urls() throws {
    let plain = try RedisEndpoint(url: "redis://host")
    #expect(plain.place == .tcp(host: "host", port: 6_379))
    #expect(plain.handshake.count == 1)
    let full = try RedisEndpoint(url: "redis://me:p%40ss@[::1]:7000/12")
    #expect(full.place == .tcp(host: "::1", port: 7_000))
    #expect((full.user, full.password, full.database) == ("me", "p@ss", 12))
    #expect(full.handshake.count == 3)
    let socket = try RedisEndpoint(url: "unix://:pw@/run/redis.sock?db=2")
    #expect(socket.place == .unix(path: "/run/redis.sock"))
    #expect((socket.user, socket.password, socket.database) == (nil, "pw", 2))
  }

  @Test(
    "Other URLs are refused without repeating them",
    arguments: [
      "", "host", "rediss://host", "redis://", "redis://host:0", "redis://host:x", "redis://host/x",
      "redis://secret@host", "redis://a:%zz@host", "unix://relative", "unix:///a?x=1",
      "redis://host/99999",
    ]
  )
  func badURLs(_ url: String) {
    let error = #expect(throws: RedisError.self) { try RedisEndpoint(url: url) }
    #expect(error?.kind == .configuration)
    #expect(error?.description.contains("secret") == false)
  }
}
