/// What makes two statements the same prepared statement: text and parameter types.
struct StatementKey: Hashable, Sendable {
  var sql: String
  var types: [UInt32]

  init(_ query: PostgresQuery) {
    sql = query.sql
    types = query.parameters.entries.map(\.type.rawValue)
  }
}

/// The prepared statements of one connection, bounded; the least recently used goes first.
///
/// Pure.
struct StatementCache {
  /// A statement's name, NUL-terminated for libpq.
  typealias Name = [CChar]

  enum Lookup {
    case prepared(Name)
    /// Prepare it under this name; if `evicted` is set, the server should drop that one first.
    case new(Name, evicted: Name?)
  }

  private struct Entry {
    var name: Name
    var lastUse: UInt64
  }

  private let capacity: Int
  private var entries: [StatementKey: Entry] = [:]
  private var uses: UInt64 = 0
  private var names = 0

  init(capacity: Int) {
    precondition(capacity > 0, "a connection keeps at least one prepared statement")
    self.capacity = capacity
  }

  var count: Int { entries.count }

  /// The name to run `key` under; a new one counts as prepared from now on.
  mutating func use(_ key: StatementKey) -> Lookup {
    uses += 1
    if let name = touch(key) { return .prepared(name) }
    let evicted = entries.count >= capacity ? evictOldest() : nil
    names += 1
    let name = Self.cString("s\(names)")
    entries[key] = Entry(name: name, lastUse: uses)
    return .new(name, evicted: evicted)
  }

  private mutating func touch(_ key: StatementKey) -> Name? {
    guard let index = entries.index(forKey: key) else { return nil }
    entries.values[index].lastUse = uses
    return entries.values[index].name
  }

  /// Forgets a statement that the server refused to prepare or does not know any more.
  mutating func forget(_ key: StatementKey) {
    entries[key] = nil
  }

  private mutating func evictOldest() -> Name? {
    guard let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) else { return nil }
    entries[oldest.key] = nil
    return oldest.value.name
  }

  static func cString(_ text: String) -> Name {
    text.utf8.map { CChar(bitPattern: $0) } + [0]
  }
}
