internal import CLibpq

/// The rows of one statement, decoded when they are read.
///
/// The rows stay in the memory that libpq filled; values are copied out of it at `decode`.
package struct PostgresRows: Sendable, RandomAccessCollection {
  let storage: PostgresResult

  /// Takes over `result`: it is cleared with the last reference to these rows.
  init(takingOwnership result: OpaquePointer) {
    storage = PostgresResult(takingOwnership: result)
  }

  package var startIndex: Int { 0 }
  package var endIndex: Int { storage.rowCount }
  package subscript(position: Int) -> PostgresRow {
    precondition(position >= 0 && position < storage.rowCount, "row index out of range")
    return PostgresRow(storage: storage, index: position)
  }

  /// Rows that INSERT, UPDATE, DELETE, MERGE or SELECT touched; 0 for other statements.
  package var affectedCount: Int { storage.affectedCount }

  /// The command's tag, such as `INSERT 0 1` or `COMMIT`.
  package var commandTag: String { storage.commandTag }

  /// The names of the columns, in order.
  package var columnNames: [String] {
    (0..<storage.columnCount).map(storage.columnName)
  }
}

/// One row of a result.
package struct PostgresRow: Sendable {
  let storage: PostgresResult
  let index: Int

  /// The number of columns.
  package var columnCount: Int { storage.columnCount }

  /// Reads the column at `position` (from 0).
  ///
  /// - Throws: ``PostgresError/Kind/decoding`` when it is NULL, of another type, or does not fit.
  package func decode<Value: PostgresDecodable>(
    at position: Int,
    as type: Value.Type = Value.self
  ) throws(PostgresError) -> Value {
    do {
      return try Value.decode(storage.cell(row: index, column: position))
    } catch {
      throw storage.decodingError(error, column: position, wanted: "\(type)")
    }
  }

  /// Reads the column called `name`.
  ///
  /// - Throws: ``PostgresError/Kind/decoding`` also when there is no such column.
  package func decode<Value: PostgresDecodable>(
    _ name: String,
    as type: Value.Type = Value.self
  ) throws(PostgresError) -> Value {
    guard let position = storage.column(named: name) else {
      throw PostgresError(.decoding, "the result has no column '\(name)'")
    }
    return try decode(at: position, as: type)
  }

  /// Reads the first columns in order: `row.decode(UUID.self, String.self, Int?.self)`.
  package func decode<each Value: PostgresDecodable>(
    _ types: repeat (each Value).Type
  ) throws(PostgresError) -> (repeat each Value) {
    var position = -1
    func next() -> Int {
      position += 1
      return position
    }
    return (repeat try decode(at: next(), as: (each Value).self))
  }

  /// Whether the column at `position` is NULL.
  package func isNull(at position: Int) -> Bool {
    storage.cell(row: index, column: position).bytes == nil
  }
}

/// Owns one `PGresult`.
final class PostgresResult: Sendable {
  private let raw: ResultPointer
  let rowCount: Int
  let columnCount: Int

  // @unchecked: a PGresult does not change after libpq handed it out, and libpq allows it to be read
  // by several threads (PostgreSQL manual, "Behavior in Threaded Programs").
  private struct ResultPointer: @unchecked Sendable {
    let pointer: OpaquePointer
  }

  init(takingOwnership pointer: OpaquePointer) {
    raw = ResultPointer(pointer: pointer)
    rowCount = Int(PQntuples(pointer))
    columnCount = Int(PQnfields(pointer))
  }

  deinit { PQclear(raw.pointer) }

  func cell(row: Int, column: Int) -> PostgresCell {
    precondition(column >= 0 && column < columnCount, "column index out of range")
    let pointer = raw.pointer
    let (row, column) = (Int32(row), Int32(column))
    let type = PostgresType(PQftype(pointer, column))
    guard PQgetisnull(pointer, row, column) == 0, let start = PQgetvalue(pointer, row, column)
    else { return PostgresCell(bytes: nil, type: type) }
    let count = Int(PQgetlength(pointer, row, column))
    return PostgresCell(bytes: UnsafeRawBufferPointer(start: start, count: count), type: type)
  }

  func column(named name: String) -> Int? {
    for position in 0..<columnCount where columnName(position) == name { return position }
    return nil
  }

  func columnName(_ position: Int) -> String {
    PQfname(raw.pointer, Int32(position)).map { String(cString: $0) } ?? "?"
  }

  var affectedCount: Int {
    PQcmdTuples(raw.pointer).flatMap { Int(String(cString: $0)) } ?? 0
  }

  var commandTag: String {
    PQcmdStatus(raw.pointer).map { String(cString: $0) } ?? ""
  }

  func decodingError(
    _ failure: PostgresDecodingFailure,
    column: Int,
    wanted: String
  ) -> PostgresError {
    let type = PQftype(raw.pointer, Int32(column))
    return PostgresError(
      .decoding,
      "column \(column) '\(columnName(column))' (type oid \(type)) as \(wanted): \(failure)"
    )
  }
}
