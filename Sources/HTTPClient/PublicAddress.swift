/// Tells public addresses from those that IANA's special-purpose registries set aside.
package enum PublicAddress {
  /// A prefix of addresses.
  private struct Block: Sendable {
    let bytes: [UInt8]
    let bits: Int

    init(_ bytes: [UInt8], _ bits: Int) {
      self.bytes = bytes
      self.bits = bits
    }

    func contains(_ address: [UInt8]) -> Bool {
      let whole = bits / 8
      guard address.prefix(whole).elementsEqual(bytes.prefix(whole)) else { return false }
      guard bits % 8 != 0 else { return true }
      let mask = UInt8.max << (8 - UInt8(bits % 8))
      return address[whole] & mask == bytes[whole] & mask
    }
  }

  /// IPv4: RFC 6890 and its registry, multicast, and the reserved rest.
  private static let special4: [Block] = [
    Block([0], 8),  // this network
    Block([10], 8),  // private
    Block([100, 64], 10),  // carriers' NAT
    Block([127], 8),  // loopback
    Block([169, 254], 16),  // link-local, cloud metadata
    Block([172, 16], 12),  // private
    Block([192, 0, 0], 24),  // protocol assignments
    Block([192, 0, 2], 24),  // documentation
    Block([192, 31, 196], 24),  // AS112
    Block([192, 52, 193], 24),  // AMT relays
    Block([192, 88, 99], 24),  // 6to4 relays
    Block([192, 168], 16),  // private
    Block([192, 175, 48], 24),  // AS112
    Block([198, 18], 15),  // benchmarks
    Block([198, 51, 100], 24),  // documentation
    Block([203, 0, 113], 24),  // documentation
    Block([224], 4),  // multicast
    Block([240], 4),  // reserved, broadcast
  ]

  /// IPv6: everything public is inside this block.
  ///
  /// So mapped (::ffff/96), compatible, NAT64 (64:ff9b::/96, 64:ff9b:1::/48), unique local (fc00::/7),
  /// link-local (fe80::/10), multicast (ff00::/8) and loopback are refused by being outside.
  private static let global6 = Block([0x20], 3)

  /// What is set aside inside the global block.
  private static let special6: [Block] = [
    Block([0x20, 0x01, 0x00], 23),  // protocol assignments: Teredo, ORCHID, benchmarks
    Block([0x20, 0x01, 0x0D, 0xB8], 32),  // documentation
    Block([0x20, 0x02], 16),  // 6to4: carries any IPv4 address
    Block([0x26, 0x20, 0x00, 0x4F, 0x80, 0x00], 48),  // AS112
    Block([0x3F, 0xFE], 16),  // the former 6bone
    Block([0x3F, 0xFF, 0x00], 20),  // documentation
  ]

  /// True for a unicast address, four or sixteen bytes, that the whole internet can route to.
  package static func isPublic(_ address: [UInt8]) -> Bool {
    switch address.count {
    case 4: !special4.contains { $0.contains(address) }
    case 16: global6.contains(address) && !special6.contains { $0.contains(address) }
    default: false
    }
  }
}
