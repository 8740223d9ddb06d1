internal import Foundation
internal import Logging

/// Reads typed values and gathers every problem instead of stopping at the first.
///
/// A reading function that finds a problem notes it and returns a stand-in, so that one run names
/// all of them; nobody uses the values while ``problems`` is not empty. The environment wins over
/// the file named by `ONESHOT_ENV_FILE`. An empty value counts as missing. Unknown keys are refused
/// in the file, and in the environment when they start with `ONESHOT_`.
package struct ConfigurationReader {
  /// What is wrong, a sentence each, in reading order.
  package private(set) var problems: [String] = []
  /// Every value that was read, for ``report``.
  private var used: [(key: ConfigKey, value: String, source: Source)] = []

  private let environment: [String: String]
  private let file: [String: String]
  private let fileName: String
  private let readFile: (String) throws -> String

  /// Where a value came from.
  private enum Source: String {
    case environment, file, secretFile = "secret file", standard = "default"
  }

  /// Key of the file with further keys.
  package static let fileKey = "ONESHOT_ENV_FILE"
  /// Keys of the test runner, which the services it starts inherit.
  private static let testPrefix = "ONESHOT_TEST_"
  /// A secret's file longer than this is a mistake.
  private static let maxSecretBytes = 64 * 1024

  /// Takes the environment and reads its file.
  ///
  /// - Parameters:
  ///   - keys: Every key that may stand in the file.
  ///   - environment: The process environment.
  ///   - readFile: Returns a small text file; replaced in tests.
  package init(
    keys: [ConfigKey],
    environment: [String: String] = ProcessInfo.processInfo.environment,
    readFile: @escaping (String) throws -> String = ConfigurationReader.textFile
  ) {
    self.environment = environment
    self.readFile = readFile
    var found: [String] = []
    fileName = environment[Self.fileKey] ?? ""
    if fileName.isEmpty {
      file = [:]
    } else if let text = try? readFile(fileName) {
      let parsed = EnvFile.parse(text, name: fileName)
      file = parsed.values
      found = parsed.problems
    } else {
      file = [:]
      found = ["\(Self.fileKey): cannot read '\(fileName)'"]
    }
    problems = found + Self.unknownKeys(keys, environment: environment, file: file)
  }

  private static func unknownKeys(
    _ keys: [ConfigKey],
    environment: [String: String],
    file: [String: String]
  ) -> [String] {
    var known = Set(keys.map(\.name))
    known.formUnion(keys.filter(\.isSecret).map(\.fileKeyName))
    let strayInFile = file.keys.filter { !known.contains($0) }
    let stray = environment.keys.filter { name in
      name.hasPrefix("ONESHOT_") && name != fileKey && !name.hasPrefix(testPrefix)
        && !known.contains(name)
    }
    return stray.sorted().map { "\($0): unknown key in the environment" }
      + strayInFile.sorted().map { "\($0): unknown key in the file" }
  }

  /// Returns a UTF-8 file of at most 64 KiB.
  @Sendable package static func textFile(_ path: String) throws -> String {
    let data = try Data(contentsOf: URL(fileURLWithPath: path))
    guard data.count <= maxSecretBytes, let text = String(data: data, encoding: .utf8) else {
      throw CocoaError(.fileReadCorruptFile)
    }
    return text
  }

  // MARK: Values

  /// The text of `key`, nil when it is missing and has no default.
  package mutating func optionalString(_ key: ConfigKey) -> String? {
    if let value = environment[key.name], !value.isEmpty {
      return note(key, value, .environment)
    }
    if let value = file[key.name], !value.isEmpty { return note(key, value, .file) }
    if key.isSecret, let value = secretFromFile(key) { return note(key, value, .secretFile) }
    guard let value = key.defaultValue else { return nil }
    return note(key, value, .standard)
  }

  /// The text of `key`; a missing one is a problem.
  package mutating func string(_ key: ConfigKey) -> String {
    if let value = optionalString(key) { return value }
    let hint = key.isSecret ? " (or \(key.fileKeyName))" : ""
    problem(key, "is required\(hint): \(key.summary)")
    return ""
  }

  /// The text of the file that `key` names, nil when the key is missing.
  package mutating func textOfFile(_ key: ConfigKey) -> String? {
    guard let path = optionalString(key) else { return nil }
    guard let text = try? readFile(path) else {
      problem(key, "cannot read '\(path)'")
      return nil
    }
    return text
  }

  /// Notes a problem that the service's own rules found.
  package mutating func problem(_ key: ConfigKey, _ text: String) {
    problems.append("\(key.name): \(text)")
  }

  private mutating func note(_ key: ConfigKey, _ value: String, _ source: Source) -> String {
    used.append((key, value, source))
    return value
  }

  private mutating func secretFromFile(_ key: ConfigKey) -> String? {
    let path = environment[key.fileKeyName] ?? file[key.fileKeyName] ?? ""
    guard !path.isEmpty else { return nil }
    guard let text = try? readFile(path) else {
      problems.append("\(key.fileKeyName): cannot read '\(path)'")
      return nil
    }
    // Editors end files with a newline that is no part of the secret.
    return String(text.reversed().drop { $0.isNewline }.reversed())
  }

  /// The keys for people: name, default and meaning.
  package static func documentation(of keys: [ConfigKey]) -> String {
    keys.map { key in
      let fallback = key.defaultValue.map { "=\($0)" } ?? ""
      let file = key.isSecret ? " (or \(key.fileKeyName))" : ""
      return "\(key.name)\(fallback)\(file)\n    \(key.summary)"
    }.joined(separator: "\n")
  }

  /// The report as fields of one log line.
  var logged: Logger.Metadata {
    Dictionary(used.map { ($0.key.name, .string($0.key.isSecret ? "<redacted>" : $0.value)) }) {
      first,
      _ in first
    }
  }

  /// Key, printed value and source of everything that was read; secrets are hidden.
  package var report: [(key: String, value: String, source: String)] {
    used.map { ($0.key.name, $0.key.isSecret ? "<redacted>" : $0.value, $0.source.rawValue) }
  }
}
