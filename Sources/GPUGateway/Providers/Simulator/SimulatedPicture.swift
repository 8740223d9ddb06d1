/// Makes small PNG files without a library: stored blocks, no compression (RFC 1950, 1951, 2083).
enum SimulatedPicture {
  /// A square with a gradient whose colour depends on `seed`.
  static func png(side: Int, seed: UInt64) -> [UInt8] {
    var raw: [UInt8] = []
    raw.reserveCapacity(side * (side * 3 + 1))
    for y in 0..<side {
      raw.append(0)
      for x in 0..<side {
        raw.append(UInt8(truncatingIfNeeded: x * 255 / side))
        raw.append(UInt8(truncatingIfNeeded: y * 255 / side))
        raw.append(UInt8(truncatingIfNeeded: seed))
      }
    }
    var file: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    let size = bigEndian(UInt32(side))
    // 8 bits a channel, RGB, no interlace.
    append(&file, "IHDR", size + size + [8, 2, 0, 0, 0])
    append(&file, "IDAT", stored(raw))
    append(&file, "IEND", [])
    return file
  }

  private static func append(_ file: inout [UInt8], _ type: String, _ data: [UInt8]) {
    let body = Array(type.utf8) + data
    file += bigEndian(UInt32(data.count)) + body + bigEndian(crc32(body))
  }

  private static func stored(_ raw: [UInt8]) -> [UInt8] {
    var out: [UInt8] = [0x78, 0x01]
    var rest = raw[...]
    repeat {
      let block = rest.prefix(65_535)
      rest = rest.dropFirst(block.count)
      let count = UInt16(block.count)
      out.append(rest.isEmpty ? 1 : 0)
      out += [UInt8(truncatingIfNeeded: count), UInt8(truncatingIfNeeded: count >> 8)]
      out += [UInt8(truncatingIfNeeded: ~count), UInt8(truncatingIfNeeded: ~count >> 8)]
      out += block
    } while !rest.isEmpty
    return out + bigEndian(adler32(raw))
  }

  private static func adler32(_ bytes: [UInt8]) -> UInt32 {
    var low: UInt32 = 1
    var high: UInt32 = 0
    for byte in bytes {
      low = (low + UInt32(byte)) % 65_521
      high = (high + low) % 65_521
    }
    return high << 16 | low
  }

  private static func crc32(_ bytes: [UInt8]) -> UInt32 {
    var crc: UInt32 = 0xFFFF_FFFF
    for byte in bytes {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
    }
    return ~crc
  }

  private static func bigEndian(_ value: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
  }
}
