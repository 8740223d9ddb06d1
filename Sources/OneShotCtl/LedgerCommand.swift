internal import ArgumentParser
internal import EventLoop
internal import Foundation
internal import Logging
internal import Postgres
internal import ServiceKit

/// `oneshot ledger`: the books.
struct LedgerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ledger",
    abstract: "Looks after the ledger of credits.",
    subcommands: [Verify.self]
  )
}

extension LedgerCommand {
  /// `oneshot ledger verify`: checks every invariant of the ledger.
  struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Checks that every entry, balance and hold agrees with the others."
    )

    private static let timeout: Duration = .seconds(300)

    func run() async throws {
      let configuration = try CtlConfiguration.read()
      guard !configuration.databaseURL.isEmpty else {
        fail("DATABASE_URL is required")
        throw Outcome.badConfiguration
      }
      let violations: [String]
      do {
        violations = try await Self.violations(configuration.databaseURL)
      } catch {
        fail("the ledger could not be read: \(error)")
        throw Outcome.unknown
      }
      guard violations.isEmpty else {
        for violation in violations { print(violation) }
        print("\(violations.count) violations")
        throw Outcome.wrong
      }
      print("the ledger is whole: 0 violations")
    }

    /// One line for each violation: invariant, subject, detail.
    private static func violations(_ url: String) async throws -> [String] {
      let group = try EventLoopGroup(count: 1)
      let database = try PostgresClient(
        PostgresConfiguration(url: url, applicationName: "oneshot-ctl", searchPath: "billing"),
        group: group,
        logger: Logger(label: "ctl") { _ in SwiftLogNoOpLogHandler() }
      )
      let result: Result<PostgresRows, any Error>
      do {
        result = .success(
          try await database.query(
            "SELECT invariant, subject, detail FROM ledger_violations ORDER BY 1, 2",
            timeout: timeout
          )
        )
      } catch {
        result = .failure(error)
      }
      await database.shutdown()
      return try result.get().map { row in
        let (invariant, subject, detail) = try row.decode(String.self, String?.self, String?.self)
        return "\(invariant)  \(subject ?? "-")  \(detail ?? "")"
      }
    }

    private func fail(_ text: String) {
      FileHandle.standardError.write(Data((text + "\n").utf8))
    }
  }
}
