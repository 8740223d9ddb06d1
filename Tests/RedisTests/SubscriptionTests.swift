import Testing

@testable import Redis

extension RedisSuite {
  @Suite("Subscriptions")
  struct SubscriptionTests {
    @Test("Every message after the confirmation arrives, in order, at everybody")
    func messages() async throws {
      try await TestRedis.run(loops: 2) { redis in
        let channel = redis.key("c")
        var first = redis.client.events(of: channel).makeAsyncIterator()
        var second = redis.client.events(of: channel).makeAsyncIterator()
        #expect(await first.next() == .subscribed)
        #expect(await second.next() == .subscribed)
        for number in 0..<100 {
          let receivers = try await redis.client.publish(channel, [UInt8(number), 0])
          #expect(receivers == 1)
        }
        for number in 0..<100 {
          var event = await first.next()
          // The confirmation of the second subscription may come to the first one, too.
          if event == .subscribed { event = await first.next() }
          #expect(event == .message([UInt8(number), 0]))
          #expect(await second.next() == .message([UInt8(number), 0]))
        }
      }
    }

    @Test("The plain stream gives payloads alone, each channel its own")
    func payloads() async throws {
      try await TestRedis.run { redis in
        var payloads = redis.client.subscribe(redis.key("a")).makeAsyncIterator()
        var other = redis.client.events(of: redis.key("b")).makeAsyncIterator()
        #expect(await other.next() == .subscribed)
        try await redis.client.publish(redis.key("b"), [2])
        try await redis.client.publish(redis.key("a"), [1])
        #expect(await payloads.next() == [1])
        #expect(await other.next() == .message([2]))
      }
    }

    @Test("After the connection was ended the subscription begins again")
    func resubscription() async throws {
      let url = try TestRedis.url()
      let base = url.split(separator: "/", omittingEmptySubsequences: false).prefix(3)
      // A database of its own, by which the server's list tells our connection from others.
      try await TestRedis.run(url: base.joined(separator: "/") + "/9") { redis in
        let channel = redis.key("c")
        var events = redis.client.events(of: channel).makeAsyncIterator()
        for round in 0..<3 {
          #expect(await events.next() == .subscribed)
          try await redis.client.publish(channel, [UInt8(round)])
          #expect(await events.next() == .message([UInt8(round)]))
          let list = try await redis.client.command("CLIENT", "LIST", "TYPE", "pubsub").text ?? ""
          for line in list.split(separator: "\n") where line.contains(" db=9 ") {
            let id = try #require(line.split(separator: " ").first?.dropFirst(3))
            _ = try await redis.client.command("CLIENT", "KILL", "ID", String(id))
          }
        }
        #expect(await events.next() == .subscribed)
      }
    }

    @Test("Leaving and joining channels in quick turns keeps the connection whole")
    func churn() async throws {
      try await TestRedis.run { redis in
        let client = redis.client
        for round in 0..<50 {
          let channel = redis.key("c\(round % 3)")
          var events = client.events(of: channel).makeAsyncIterator()
          #expect(await events.next() == .subscribed)
        }
        var last = client.events(of: redis.key("c0")).makeAsyncIterator()
        #expect(await last.next() == .subscribed)
        try await client.publish(redis.key("c0"), [1])
        #expect(await last.next() == .message([1]))
        try await redis.wait("two channels left") {
          let channels = try? await client.command("PUBSUB", "CHANNELS", redis.key("*")).array
          return channels?.count == 1
        }
      }
    }

    @Test("Streams end with the client")
    func end() async throws {
      try await TestRedis.run { redis in
        let client = try RedisClient(
          url: redis.url,
          group: redis.group,
          logger: TestRedis.quiet
        )
        var payloads = client.subscribe(redis.key("c")).makeAsyncIterator()
        await client.shutdown()
        #expect(await payloads.next() == nil)
        var late = client.subscribe(redis.key("c")).makeAsyncIterator()
        #expect(await late.next() == nil)
      }
    }
  }
}
