/// Which keys objects may have: relative paths that mean the same on a disk, in a URL and in S3.
package enum ObjectKeyRule {
  /// Most bytes of a key.
  package static let maximumBytes = 512
  /// Most bytes of one segment between slashes.
  package static let maximumSegmentBytes = 200

  /// True for 1–512 bytes of UTF-8 without control characters or backslashes, whose segments are
  /// not empty, not longer than 200 bytes and do not start with a dot.
  package static func isValid(_ key: String) -> Bool {
    let bytes = key.utf8
    guard
      !bytes.isEmpty, bytes.count <= maximumBytes,
      bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\\") })
    else { return false }
    return bytes.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
      .allSatisfy {
        !$0.isEmpty && $0.count <= maximumSegmentBytes && $0.first != UInt8(ascii: ".")
      }
  }

  static func check(_ key: String) throws(ObjectStoreError) {
    guard isValid(key) else {
      throw ObjectStoreError(.invalidKey, String(key.prefix(80)).debugDescription)
    }
  }
}

/// Which content types objects may have.
enum ContentTypeRule {
  /// Checks for 1–127 bytes of visible ASCII, with spaces inside for parameters.
  static func check(_ type: String) throws(ObjectStoreError) {
    let bytes = type.utf8
    guard
      (1...127).contains(bytes.count), bytes.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }),
      bytes.first != 0x20, bytes.last != 0x20
    else { throw ObjectStoreError(.refused, "content type \(type.debugDescription)") }
  }
}
