/// Finds the number that belongs to a name given as UTF-8 bytes, without making a `String`.
///
/// Open addressing over one blob of bytes; built once, read by every request.
struct NameTable: Sendable {
  private struct Slot: Sendable {
    var start: Int32
    var count: Int32
    var value: Int32
  }

  private let slots: [Slot]
  private let blob: [UInt8]
  private let mask: Int
  private let ignoresCase: Bool

  /// Builds the table; the first of two equal names wins.
  ///
  /// With `ignoringCase` the letters A–Z equal a–z, in the table and in what is looked up.
  init(_ names: [(name: String, value: Int)], ignoringCase: Bool = false) {
    var size = 4
    while size < names.count * 2 { size *= 2 }
    var slots = [Slot](repeating: Slot(start: 0, count: -1, value: -1), count: size)
    var blob: [UInt8] = []
    for (name, value) in names {
      let bytes = name.utf8.map { ignoringCase ? Self.lowered($0) : $0 }
      var place = Self.hash(bytes) & (size - 1)
      var isTaken = false
      while slots[place].count >= 0 {
        let slot = slots[place]
        isTaken = blob[Int(slot.start)..<Int(slot.start + slot.count)].elementsEqual(bytes)
        if isTaken { break }
        place = (place + 1) & (size - 1)
      }
      if isTaken { continue }
      slots[place] = Slot(
        start: Int32(blob.count),
        count: Int32(bytes.count),
        value: Int32(value)
      )
      blob += bytes
    }
    self.slots = slots
    self.blob = blob
    mask = size - 1
    ignoresCase = ignoringCase
  }

  /// The number of `name`, or nil.
  func find(_ name: UnsafeBufferPointer<UInt8>) -> Int? {
    if ignoresCase { return find(lowering: name) }
    return look(up: name)
  }

  private func find(lowering name: UnsafeBufferPointer<UInt8>) -> Int? {
    guard name.count <= 128 else { return nil }
    return withUnsafeTemporaryAllocation(of: UInt8.self, capacity: name.count) { copy in
      for index in 0..<name.count { copy[index] = Self.lowered(name[index]) }
      return look(up: UnsafeBufferPointer(copy))
    }
  }

  private func look(up name: UnsafeBufferPointer<UInt8>) -> Int? {
    var place = Self.hash(name) & mask
    return blob.withUnsafeBufferPointer { blob in
      while true {
        let slot = slots[place]
        if slot.count < 0 { return nil }
        if Int(slot.count) == name.count, Self.equal(blob, at: Int(slot.start), name) {
          return Int(slot.value)
        }
        place = (place + 1) & mask
      }
    }
  }

  private static func equal(
    _ blob: UnsafeBufferPointer<UInt8>,
    at start: Int,
    _ name: UnsafeBufferPointer<UInt8>
  ) -> Bool {
    for index in 0..<name.count where blob[start + index] != name[index] { return false }
    return true
  }

  private static func lowered(_ byte: UInt8) -> UInt8 {
    byte &- 0x41 < 26 ? byte | 0x20 : byte
  }

  /// FNV-1a; the names are ours, so nobody can choose collisions into the table.
  private static func hash(_ name: some Sequence<UInt8>) -> Int {
    var hash: UInt32 = 0x811c_9dc5
    for byte in name { hash = (hash ^ UInt32(byte)) &* 0x0100_0193 }
    return Int(hash)
  }
}
