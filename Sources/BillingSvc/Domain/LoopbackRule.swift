/// Whether an address is the machine's own.
enum LoopbackRule {
  /// Takes an address as the edge wrote it, with or without a port; nil is nobody's.
  static func isLoopback(_ address: String?) -> Bool {
    guard let address else { return false }
    var text = Substring(address)
    if text.hasPrefix("["), let end = text.firstIndex(of: "]") {
      text = text[text.index(after: text.startIndex)..<end]
    } else if text.contains("."), let colon = text.lastIndex(of: ":"),
      !text[..<colon].contains(":")
    {
      text = text[..<colon]
    }
    if text.hasPrefix("::ffff:") { text = text.dropFirst(7) }
    if text == "::1" { return true }
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
  }
}
