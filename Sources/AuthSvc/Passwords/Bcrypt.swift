internal import CCrypt

/// bcrypt by the system's crypt library.
///
/// Every call blocks for as long as the cost asks for: never on a loop.
enum Bcrypt {
  /// Work factor of new hashes: about a quarter of a second.
  static let cost: UInt = 12

  /// The settings that may be checked.
  ///
  /// The library takes an unknown setting for traditional DES and answers it, so nothing else may
  /// reach it.
  private static let prefixes = ["$2b$", "$2y$", "$2a$"]
  private static let hashLength = 60

  /// Hashes a password with a new salt; nil when the library refuses.
  ///
  /// A password has 1 to 72 bytes without NUL; the library reads no further.
  static func hash(_ password: [UInt8], cost: UInt = Bcrypt.cost) -> String? {
    guard let setting = setting(cost: cost) else { return nil }
    return crypt(password, setting: setting)
  }

  /// Whether a password is the one behind a stored hash; never for anything but bcrypt's form.
  static func matches(_ password: [UInt8], _ stored: String) -> Bool {
    guard isHash(stored), let result = crypt(password, setting: stored) else { return false }
    return areEqual(Array(result.utf8), Array(stored.utf8))
  }

  /// Whether a text has the form of a bcrypt hash.
  static func isHash(_ text: String) -> Bool {
    text.utf8.count == hashLength && prefixes.contains { text.hasPrefix($0) }
  }

  /// `$2b$12$` and a salt of the system's randomness.
  private static func setting(cost: UInt) -> String? {
    let capacity = Int(CRYPT_GENSALT_OUTPUT_SIZE)
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: capacity) { buffer in
      guard
        let text = crypt_gensalt_rn("$2b$", cost, nil, 0, buffer.baseAddress, Int32(capacity))
      else { return nil }
      return String(cString: text)
    }
  }

  /// One call of `crypt_rn` in memory of its own, which is wiped afterwards.
  private static func crypt(_ password: [UInt8], setting: String) -> String? {
    let size = MemoryLayout<crypt_data>.size
    let memory = UnsafeMutableRawBufferPointer.allocate(
      byteCount: size,
      alignment: MemoryLayout<crypt_data>.alignment
    )
    defer {
      memory.initializeMemory(as: UInt8.self, repeating: 0)
      memory.deallocate()
    }
    memory.initializeMemory(as: UInt8.self, repeating: 0)
    let phrase = password.map { CChar(bitPattern: $0) } + [0]
    // NULL is the failure of crypt_rn; a string that begins with '*' that of the other functions.
    guard let text = crypt_rn(phrase, setting, memory.baseAddress, Int32(size)) else { return nil }
    let result = String(cString: text)
    return isHash(result) ? result : nil
  }

  /// Compares in a time that depends on the lengths alone.
  private static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    var difference: UInt8 = 0
    for (one, other) in zip(left, right) { difference |= one ^ other }
    return difference == 0
  }
}
