/// A statement with its values; interpolated values are bound, never spliced into the text.
///
/// ```swift
/// try await db.query("SELECT id, email FROM users WHERE id = \(userID)")
/// ```
/// sends the text `… WHERE id = $1` and the value apart from it. Only `\(unescaped:)` puts its text
/// into the statement: for identifiers that the program itself chose.
///
/// A `nil` is bound as NULL: write `IS NOT DISTINCT FROM` where it may appear in a comparison.
/// A `String` takes the type that the statement wants at its place (text, an enum, a date, …); all
/// other values have the type of ``PostgresEncodable/postgresType``. The text is the key of the
/// prepared statement, so parts that vary belong into values, lists into arrays:
/// `WHERE id = ANY(\(ids))`.
package struct PostgresQuery: Sendable, ExpressibleByStringInterpolation {
  /// The statement's text with `$1`, `$2`, … in the places of the values.
  package private(set) var sql: String
  private(set) var parameters: PostgresParameters

  package init(stringLiteral value: String) {
    sql = value
    parameters = PostgresParameters()
  }

  package init(stringInterpolation: StringInterpolation) {
    sql = stringInterpolation.sql
    parameters = stringInterpolation.parameters
  }

  /// Makes a query from text that the program itself wrote, without values.
  package init(unescaped sql: String) {
    self.sql = sql
    parameters = PostgresParameters()
  }

  /// Adds text that the program itself wrote, for statements built step by step.
  package mutating func append(unescaped text: String) {
    sql += text
  }

  /// Adds a value at the end of the text: its placeholder, and the value among the parameters.
  package mutating func bind<Value: PostgresEncodable>(_ value: Value) {
    value.encode(into: &parameters)
    sql += "$\(parameters.entries.count)"
  }

  /// Collects the text and the values of an interpolated literal.
  package struct StringInterpolation: StringInterpolationProtocol {
    fileprivate var sql: String
    fileprivate var parameters = PostgresParameters()

    package init(literalCapacity: Int, interpolationCount: Int) {
      sql = ""
      sql.reserveCapacity(literalCapacity + interpolationCount * 3)
      parameters.reserve(entries: interpolationCount)
    }

    package mutating func appendLiteral(_ literal: String) {
      sql += literal
    }

    /// Binds a value.
    package mutating func appendInterpolation<Value: PostgresEncodable>(_ value: Value) {
      appendInterpolation(bound: value)
    }

    /// Binds a value or NULL.
    ///
    /// Apart from the other, because the compiler warns of optionals that reach an interpolation
    /// without saying so.
    package mutating func appendInterpolation<Value: PostgresEncodable>(_ value: Value?) {
      appendInterpolation(bound: value)
    }

    private mutating func appendInterpolation<Value: PostgresEncodable>(bound value: Value) {
      value.encode(into: &parameters)
      let number = parameters.entries.count
      sql += "$"
      sql += number < Self.digits.count ? Self.digits[number] : String(number)
    }

    /// Puts text into the statement as it is: never text from outside.
    package mutating func appendInterpolation(unescaped text: String) {
      sql += text
    }

    private static let digits = (0..<32).map(String.init)
  }
}

extension PostgresQuery: CustomStringConvertible {
  /// The text; the values never appear.
  package var description: String { sql }
}
