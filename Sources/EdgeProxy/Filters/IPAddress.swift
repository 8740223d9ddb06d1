internal import EventLoop
internal import Foundation

/// An address of a client, IPv4 (4 bytes) or IPv6 (16 bytes) in network order.
struct IPAddress: Sendable, Hashable {
  let bytes: [UInt8]

  /// Takes raw bytes; an IPv4 address inside IPv6 (`::ffff:a.b.c.d`) becomes the IPv4 one.
  init?(bytes: [UInt8]) {
    let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
    if bytes.count == 16, bytes.starts(with: mapped) {
      self.bytes = Array(bytes[12...])
    } else if bytes.count == 4 || bytes.count == 16 {
      self.bytes = bytes
    } else {
      return nil
    }
  }

  /// Reads `192.0.2.1` or `2001:db8::1`; nil for anything else, also for zones and brackets.
  init?(_ text: some StringProtocol) {
    guard text.utf8.count <= 45 else { return nil }
    let text = String(text)
    var buffer = [UInt8](repeating: 0, count: 16)
    if inet_pton(AF_INET, text, &buffer) == 1 {
      self.init(bytes: Array(buffer[..<4]))
    } else if inet_pton(AF_INET6, text, &buffer) == 1 {
      self.init(bytes: buffer)
    } else {
      return nil
    }
  }

  /// The address of a connection; nil for a Unix socket.
  init?(_ address: SocketAddress) {
    switch address {
    case .v4(let bytes, _), .v6(let bytes, _): self.init(bytes: bytes)
    case .unix: return nil
    }
  }

  /// The usual text form.
  var text: String {
    if bytes.count == 4 { return bytes.map(String.init).joined(separator: ".") }
    var output = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
    _ = inet_ntop(AF_INET6, bytes, &output, socklen_t(output.count))
    return String(decoding: output.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// What is counted as one client: the address, of IPv6 its /64, which one household has.
  var limitKey: String {
    guard bytes.count == 16 else { return text }
    return bytes[..<8].map { String($0, radix: 16) }.joined(separator: ".") + "/64"
  }

  /// 127.0.0.0/8 or ::1.
  var isLoopback: Bool {
    bytes.count == 4 ? bytes[0] == 127 : bytes.dropLast().allSatisfy { $0 == 0 } && bytes.last == 1
  }
}

/// A block of addresses, `10.0.0.0/8`.
struct IPBlock: Sendable, Hashable {
  private let network: [UInt8]
  private let length: Int

  /// Reads an address or a block in CIDR form.
  init?(_ text: some StringProtocol) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard let first = parts.first, parts.count <= 2, let address = IPAddress(first) else {
      return nil
    }
    let bits = address.bytes.count * 8
    let length = parts.count == 2 ? Int(parts[1]) : bits
    guard let length, (0...bits).contains(length) else { return nil }
    network = address.bytes
    self.length = length
  }

  /// Whether `address` lies in the block.
  func contains(_ address: IPAddress) -> Bool {
    guard address.bytes.count == network.count else { return false }
    for index in 0..<(length + 7) / 8 {
      let bits = min(8, length - index * 8)
      let mask = UInt8(truncatingIfNeeded: 0xFF00 >> bits)
      guard address.bytes[index] & mask == network[index] & mask else { return false }
    }
    return true
  }
}
