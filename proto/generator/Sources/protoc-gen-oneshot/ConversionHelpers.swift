/// The generic helpers of generated conversions, copied into each module.
///
/// `package` functions are not specialised across modules, and unspecialised they cost more than the
/// conversion itself.
let conversionHelpers = """
  /// A list of a C struct.
  func decodedList<T>(_ count: Int, _ element: (Int) -> T) -> [T] {
    guard count > 0 else { return [] }
    return [T](unsafeUninitializedCapacity: count) { list, initialized in
      for index in 0..<count { list.initializeElement(at: index, to: element(index)) }
      initialized = count
    }
  }

  /// A map of a C struct; the last entry of a key wins.
  func decodedMap<K: Hashable, V>(_ count: Int, _ entry: (Int) -> (K, V)?) -> [K: V] {
    guard count > 0 else { return [:] }
    var map = [K: V](minimumCapacity: count)
    for index in 0..<count {
      if let (key, value) = entry(index) { map[key] = value }
    }
    return map
  }
  """
