internal import ArgumentParser
internal import Foundation
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
  /// `oneshot ledger verify`: checks every invariant of the ledger, and the jobs against it.
  struct Verify: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Checks that every entry, balance and hold agrees, and that jobs are charged once."
    )

    func run() async throws {
      let configuration = try CtlConfiguration.read()
      guard !configuration.databaseURL.isEmpty else {
        fail("DATABASE_URL is required")
        throw Outcome.badConfiguration
      }
      let violations: [LedgerAudit.Violation]
      do {
        violations = try await LedgerAudit.violations(configuration.databaseURL)
      } catch {
        fail("the ledger could not be read: \(error)")
        throw Outcome.unknown
      }
      guard violations.isEmpty else {
        for violation in violations { print(violation.line) }
        print("\(violations.count) violations")
        throw Outcome.wrong
      }
      print("the ledger is whole: 0 violations")
    }

    private func fail(_ text: String) {
      FileHandle.standardError.write(Data((text + "\n").utf8))
    }
  }
}
