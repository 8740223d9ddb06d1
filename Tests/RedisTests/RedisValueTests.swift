import Testing

@testable import Redis

@Suite("Redis values and URLs")
struct RedisValueTests {
  @Test("A command is its count of arguments, then each with its length")
  func command() {
    var command = RedisCommand("SET", argumentCount: 2)
    "kü".write(to: &command)
    [UInt8](repeating: 120, count: 12).write(to: &command)
    let text = "*3\r\n$3\r\nSET\r\n$3\r\nkü\r\n$12\r\nxxxxxxxxxxxx\r\n"
    #expect(String(decoding: command.bytes, as: UTF8.self) == text)
    command.finish()
    #expect(command.bytes.last == 0)
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
