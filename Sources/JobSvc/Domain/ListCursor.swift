internal import Foundation

/// Where a page of the job list ended: the last id, and which list it was.
///
/// Ids are UUIDv7, so their order is the jobs' age. The text is opaque and validated: a cursor of
/// another filter would silently skip jobs.
struct ListCursor: Sendable, Hashable {
  /// Last id of the page before.
  let lastID: UUID
  /// Fingerprint of the filters.
  let filter: UInt32

  private static let version: UInt8 = 1

  /// Joins the parts.
  init(lastID: UUID, filter: UInt32) {
    self.lastID = lastID
    self.filter = filter
  }

  /// Reads the text; nil unless it is exactly what ``text`` prints.
  init?(text: String) {
    guard text.utf8.count == 28 else { return nil }
    let base64 = text.replacingOccurrences(of: "-", with: "+")
      .replacingOccurrences(of: "_", with: "/")
    guard let bytes = Data(base64Encoded: base64), bytes.count == 21, bytes[0] == Self.version
    else { return nil }
    let hex = bytes[1..<17].map { String(format: "%02x", $0) }.joined()
    guard let id = UUID(uuidString: Self.dashed(hex)) else { return nil }
    lastID = id
    filter = bytes[17..<21].reduce(0) { $0 << 8 | UInt32($1) }
  }

  /// Base64url of version, id and filter.
  var text: String {
    var bytes = Data([Self.version])
    withUnsafeBytes(of: lastID.uuid) { bytes.append(contentsOf: $0) }
    withUnsafeBytes(of: filter.bigEndian) { bytes.append(contentsOf: $0) }
    return bytes.base64EncodedString().replacingOccurrences(of: "+", with: "-")
      .replacingOccurrences(of: "/", with: "_")
  }

  /// FNV-1a over the filters.
  static func fingerprint(of parts: [String?]) -> UInt32 {
    var hash: UInt32 = 2_166_136_261
    for byte in parts.map({ $0.map { "=\($0)" } ?? "" }).joined(separator: "&").utf8 {
      hash = (hash ^ UInt32(byte)) &* 16_777_619
    }
    return hash
  }

  private static func dashed(_ hex: String) -> String {
    var text = ""
    for (index, character) in hex.enumerated() {
      if [8, 12, 16, 20].contains(index) { text.append("-") }
      text.append(character)
    }
    return text
  }
}
