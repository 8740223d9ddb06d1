import EventLoop
import Foundation
import Testing

@testable import Postgres

@Suite("Values")
struct ValueTests {
  @Test("Placeholders are numbered through, also beyond nine")
  func placeholders() {
    var query: PostgresQuery = "a \(1) b \("x")"
    query.append(unescaped: " c ")
    for number in 3...12 { query.bind(number) }
    #expect(query.sql == "a $1 b $2 c $3$4$5$6$7$8$9$10$11$12")
    #expect(query.parameters.entries.count == 12)
  }

  @Test("The key of a statement knows the types of its values")
  func keys() {
    let (number, text): (PostgresQuery, PostgresQuery) = ("SELECT \(1)", "SELECT \("1")")
    #expect(StatementKey(number) != StatementKey(text))
    #expect(StatementKey(number) == StatementKey("SELECT \(2)"))
  }

  @Test(
    "The cache drops what was used longest ago",
    arguments: [1, 3]
  )
  func cache(_ capacity: Int) {
    var cache = StatementCache(capacity: capacity)
    for index in 0..<10 { _ = cache.use(StatementKey(PostgresQuery(unescaped: "\(index)"))) }
    #expect(cache.count == capacity)
    guard case .prepared = cache.use(StatementKey("9")) else {
      Issue.record("the youngest was dropped")
      return
    }
    guard case .new(_, let evicted?) = cache.use(StatementKey("new")) else {
      Issue.record("nothing was dropped")
      return
    }
    #expect(evicted == StatementCache.cString(capacity == 1 ? "s10" : "s8"))
  }

  @Test(
    "Decimal numbers are printed from their binary digits",
    arguments: [
      ([1, 0, 0, 0, 7], "7"),
      ([1, 0, 0x4000, 2, 7], "-7.00"),
      ([2, 1, 0, 0, 12, 34], "120034"),
      ([1, 65535, 0, 4, 5], "0.0005"),
      ([1, 65534, 0, 8, 5], "0.00000005"),
      ([2, 0, 0, 3, 1, 5000], "1.500"),
      ([0, 0, 0, 0], "0"),
      ([0, 0, 0xC000, 0], "NaN"),
      ([1, 1, 0, 0, 3], "30000"),
    ] as [([UInt16], String)]
  )
  func numeric(_ words: [UInt16], _ text: String) throws {
    let bytes = words.flatMap { [UInt8($0 >> 8), UInt8($0 & 255)] }
    let value = try bytes.withUnsafeBytes {
      try NumericText.decode(PostgresCell(bytes: $0, type: .numeric))
    }
    #expect(value.text == text)
  }

  @Test("Cut and hostile cells are errors, never traps", arguments: 0..<40)
  func truncated(_ length: Int) {
    let hostile: [UInt8] = [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 25, 127, 255, 255, 255, 0, 0, 0, 1]
    let bytes = Array((hostile + [UInt8](repeating: 255, count: 20)).prefix(length))
    bytes.withUnsafeBytes { buffer in
      for type: PostgresType in [.textArray, .uuid, .int8, .numeric, .timestamptz, .jsonb, .bool] {
        let cell = PostgresCell(bytes: buffer, type: type)
        _ = try? [String].decode(cell)
        _ = try? [UUID].decode(cell)
        _ = try? UUID.decode(cell)
        _ = try? Int64.decode(cell)
        _ = try? NumericText.decode(cell)
        _ = try? Date.decode(cell)
        _ = try? JSONText.decode(cell)
        _ = try? Bool.decode(cell)
      }
    }
  }

  @Test("Pauses double up to the limit and keep at least half of it")
  func backoff() {
    var backoff = Backoff(first: .milliseconds(50), longest: .seconds(1))
    let full = (0..<8).map { _ in backoff.next(jitter: 1) }
    #expect(full.prefix(3) == [.milliseconds(50), .milliseconds(100), .milliseconds(200)])
    #expect(full.last == .seconds(1))
    #expect(backoff.next(jitter: 0) == .milliseconds(500))
    backoff.reset()
    #expect(backoff.next(jitter: 1) == .milliseconds(50))
  }

  @Test("Hosts, ports and addresses are read from every form of URL")
  func hosts() throws {
    func hosts(_ url: String) throws -> [ConnectParameters.Host] {
      try ConnectParameters(PostgresConfiguration(url: url)).hosts
    }
    #expect(try hosts("postgres://u:p@db:5433/x").map(\.needsResolving) == [true])
    #expect(try hosts("postgres://127.0.0.1/x").map(\.needsResolving) == [false])
    #expect(try hosts("postgres://[::1]:1/x") == [.init(name: "::1", port: "1", address: nil)])
    #expect(try hosts("host=/run port=7") == [.init(name: "/run", port: "7", address: nil)])
    #expect(try hosts("postgres://a:1,b:2/x").map(\.port) == ["1", "2"])
    let error = #expect(throws: PostgresError.self) { try hosts("postgres://u:secret@h/?no=1") }
    #expect(error?.kind == .configuration)
    #expect(error?.description.contains("secret") == false)
  }
}
