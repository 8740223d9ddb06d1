internal import ArgumentParser

/// The operators' command-line tool.
@main
struct OneShotCtl: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "oneshot",
    abstract: "Looks after a running OneShot.",
    discussion: """
      Reads its addresses from the environment, or from the file that ONESHOT_ENV_FILE names.
      Exit codes: 0 all is well, 1 something is wrong, 2 it could not be found out, \
      78 the configuration is not usable.
      """,
    subcommands: [Status.self, LedgerCommand.self]
  )
}

/// What a command found, as the process tells it.
enum Outcome {
  static let wrong = ExitCode(1)
  static let unknown = ExitCode(2)
  static let badConfiguration = ExitCode(78)
}
