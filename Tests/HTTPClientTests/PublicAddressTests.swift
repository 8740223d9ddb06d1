import HTTPClient
import Testing

@Suite("Public addresses") struct PublicAddressTests {
  @Test(
    "Special-purpose IPv4 addresses are not public, their neighbours are",
    arguments: [
      ([0, 0, 0, 0], false), ([0, 255, 255, 255], false), ([1, 0, 0, 0], true),
      ([9, 255, 255, 255], true), ([10, 0, 0, 1], false), ([11, 0, 0, 0], true),
      ([100, 63, 255, 255], true), ([100, 64, 0, 0], false), ([100, 127, 255, 255], false),
      ([100, 128, 0, 0], true), ([126, 255, 255, 255], true), ([127, 0, 0, 1], false),
      ([128, 0, 0, 0], true), ([169, 253, 255, 255], true), ([169, 254, 169, 254], false),
      ([172, 15, 255, 255], true), ([172, 16, 0, 0], false), ([172, 31, 255, 255], false),
      ([172, 32, 0, 0], true), ([192, 0, 0, 8], false), ([192, 0, 2, 1], false),
      ([192, 88, 99, 1], false), ([192, 167, 255, 255], true), ([192, 168, 0, 1], false),
      ([198, 17, 255, 255], true), ([198, 18, 0, 0], false), ([198, 19, 255, 255], false),
      ([198, 51, 100, 1], false), ([203, 0, 113, 1], false), ([223, 255, 255, 255], true),
      ([224, 0, 0, 1], false), ([239, 255, 255, 255], false), ([240, 0, 0, 1], false),
      ([255, 255, 255, 255], false), ([8, 8, 8, 8], true), ([], false), ([1, 2, 3], false),
    ] as [([UInt8], Bool)]
  )
  func version4(address: [UInt8], isPublic: Bool) {
    #expect(PublicAddress.isPublic(address) == isPublic)
  }

  @Test(
    "Only global unicast IPv6 without an embedded or reserved meaning is public",
    arguments: [
      ([0x2606, 0x4700], true), ([0x2A00, 0x1450], true), ([0x2001, 0x4860], true),
      ([0, 0, 0, 0, 0, 0, 0, 0], false), ([0, 0, 0, 0, 0, 0, 0, 1], false),
      ([0, 0, 0, 0, 0, 0xFFFF, 0x0808, 0x0808], false),
      ([0, 0, 0, 0, 0, 0xFFFF, 0x7F00, 1], false), ([0, 0, 0, 0, 0, 0, 0x7F00, 1], false),
      ([0x64, 0xFF9B, 0, 0, 0, 0, 0x7F00, 1], false), ([0x64, 0xFF9B, 1], false),
      ([0x100], false), ([0x2001], false), ([0x2001, 0x10], false), ([0x2001, 0x1FF], false),
      ([0x2001, 0x200], true), ([0x2001, 0xDB8], false), ([0x2002, 0x7F00, 1], false),
      ([0x2003], true), ([0x2620, 0x4F, 0x8000], false), ([0x3FFE], false), ([0x3FFF, 1], false),
      ([0x4000], false), ([0x5F00], false), ([0xFC00], false), ([0xFD00, 0xEC2], false),
      ([0xFE80], false), ([0xFEC0], false), ([0xFF02], false),
    ] as [([UInt16], Bool)]
  )
  func version6(groups: [UInt16], isPublic: Bool) {
    let padded = groups + Array(repeating: 0, count: 8 - groups.count)
    let bytes = padded.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }
    #expect(PublicAddress.isPublic(bytes) == isPublic)
  }
}
