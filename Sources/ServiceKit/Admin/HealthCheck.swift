/// Whether one dependency works, as `/readyz` asks it.
package struct HealthCheck: Sendable {
  /// Name in the answer, such as `database` or `storage`.
  package let name: String
  /// Whether the service is not ready without it.
  ///
  /// Other services are watched without being required: one that is down must not take down all
  /// that call it, and each call says by itself what it cannot do without.
  package let isRequired: Bool
  /// Returns details to show, or throws what is wrong.
  package let run: @Sendable () async throws -> [String: String]

  /// Names a check.
  package init(
    _ name: String,
    isRequired: Bool = true,
    run: @escaping @Sendable () async throws -> [String: String]
  ) {
    self.name = name
    self.isRequired = isRequired
    self.run = run
  }
}

/// The outcome of all checks at one moment.
struct ReadinessReport: Sendable {
  struct Entry: Sendable {
    let name: String
    let isHealthy: Bool
    var isRequired = true
    let duration: Duration
    let details: [String: String]
  }

  let isHealthy: Bool
  let unixSeconds: Double
  let duration: Duration
  let entries: [Entry]

  /// The seed's shape, sorted by name.
  var json: [UInt8] {
    var line = JSONLine()
    line.member("healthy", .stringConvertible(isHealthy))
    line.member("timestamp", .stringConvertible(unixSeconds))
    line.member("total_duration_ms", .stringConvertible(duration.milliseconds))
    line.member(
      "services",
      .dictionary(
        Dictionary(
          uniqueKeysWithValues: entries.map { entry in
            (
              entry.name,
              .dictionary([
                "healthy": .stringConvertible(entry.isHealthy),
                "required": .stringConvertible(entry.isRequired),
                "duration_ms": .stringConvertible(entry.duration.milliseconds),
                "details": .dictionary(entry.details.mapValues { .string($0) }),
              ])
            )
          }
        )
      )
    )
    return line.finished()
  }
}

extension Duration {
  /// Milliseconds with three decimals, for reports.
  var milliseconds: Double {
    let (seconds, attoseconds) = components
    let microseconds = Double(seconds) * 1e6 + (Double(attoseconds) / 1e12).rounded()
    return microseconds / 1e3
  }
}
