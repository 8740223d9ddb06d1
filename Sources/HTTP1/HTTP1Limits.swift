/// What one request may cost before it is refused.
package struct HTTP1Limits: Sendable, Hashable {
  /// Bytes of the request line and all fields, line ends included; more is 431.
  package var headBytes = 32 * 1024
  /// Number of fields; more is 431.
  package var fields = 100
  /// Bytes of the request target; more is 414.
  package var targetBytes = 8 * 1024
  /// Bytes of the decoded body; more is 413.
  ///
  /// A route may lower it after the head by ``HTTP1RequestParser/limitBody(to:)``.
  package var bodyBytes = 32 * 1024 * 1024
  /// Bytes of chunk sizes, extensions and trailers that a body may add to `8` for each of its own.
  package var chunkFramingBytes = 16 * 1024

  /// Makes the default limits.
  package init() {}
}
