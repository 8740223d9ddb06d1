internal import CLibpq

extension PostgresError {
  /// Copies the error out of a result of libpq.
  init(result: OpaquePointer) {
    func field(_ code: Unicode.Scalar) -> String? {
      PQresultErrorField(result, Int32(code.value)).map { String(cString: $0) }
    }
    guard let sqlState = field("C") else {
      let text = PQresultErrorMessage(result).map { String(cString: $0) } ?? ""
      self.init(.connectionLost, Self.clean(text))
      return
    }
    let fields = PostgresServerFields(
      sqlState: sqlState,
      constraint: field("n"),
      table: field("t"),
      column: field("c"),
      routine: field("R")
    )
    let message = field("M") ?? ""
    // Class 22, data exceptions, quotes the value; so may class P0, raised by functions.
    let hidesValues = sqlState.hasPrefix("22")
    self.init(.server, hidesValues ? Self.withoutQuotes(message) : message, server: fields)
  }

  /// One line without the tabs and line ends of libpq's messages.
  static func clean(_ message: String) -> String {
    message.split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }

  /// Replaces everything between the first and the last quote, which may hold a value.
  static func withoutQuotes(_ message: String) -> String {
    guard let first = message.firstIndex(of: "\""), let last = message.lastIndex(of: "\""),
      first < last
    else { return message }
    return message[...first] + "…" + message[last...]
  }

  /// The prepared statement is unknown (26000), or its result type has changed (0A000).
  var isStaleStatement: Bool {
    sqlState == "26000" || (sqlState == "0A000" && server?.routine == "RevalidateCachedQuery")
  }
}
