internal import ServiceKit

/// Names of objects in the store: `uploads/<user>/<upload>/<file>` and `artifacts/<user>/<job>/…`.
enum ObjectKey {
  private static let maxNameBytes = 100

  /// Key of a new upload.
  static func upload(user: UserID, upload: UploadID, filename: String) -> String {
    "uploads/\(user)/\(upload)/\(sanitised(filename))"
  }

  /// Prefix of a job's results.
  static func artifactPrefix(user: UserID, job: JobID) -> String {
    "artifacts/\(user)/\(job)/"
  }

  /// Whether `key` is one of `user`'s objects and has no way out of their prefix.
  static func belongs(_ key: String, to user: UserID) -> Bool {
    let parts = key.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 4, parts[0] == "uploads" || parts[0] == "artifacts" else { return false }
    guard parts[1] == user.description, UploadID(text: String(parts[2])) != nil else {
      return false
    }
    return sanitised(String(parts[3])) == parts[3]
  }

  /// The last path component in `[A-Za-z0-9._-]`, at most 100 bytes, never hidden, never empty.
  static func sanitised(_ filename: String) -> String {
    let last = filename.split { $0 == "/" || $0 == "\\" }.last ?? ""
    var name = ""
    for scalar in last.unicodeScalars {
      let isPlain =
        scalar.isASCII
        && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
          || scalar == "." || scalar == "-" || scalar == "_")
      name.unicodeScalars.append(isPlain ? scalar : "_")
    }
    // Keeps the end: that is where the extension is.
    name = String(name.suffix(maxNameBytes))
    while name.hasPrefix(".") { name.removeFirst() }
    return name.isEmpty ? "file" : name
  }
}
