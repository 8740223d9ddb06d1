#if canImport(Glibc)
  internal import Glibc
#endif

/// What may stand in the worker's environment: nothing that could be a secret.
enum EnvironmentRule {
  /// `LD_LIBRARY_PATH` says where the Swift runtime lies when it is not linked in.
  static let allowed: Set<String> = ["LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH"]

  /// Whether the environment holds allowed names only.
  static var isKept: Bool {
    var entry = environ
    while let text = entry.pointee {
      let name = String(cString: text).prefix { $0 != "=" }
      if !allowed.contains(String(name)) { return false }
      entry += 1
    }
    return true
  }
}
