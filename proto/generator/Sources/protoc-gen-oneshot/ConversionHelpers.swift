/// The generic helpers of generated conversions, copied into each module.
///
/// `package` functions are not specialised across modules, and unspecialised they cost more than the
/// conversion itself.
let conversionHelpers = """
  /// A message as a C struct.
  func stored<M: ProtobufMessage>(
    _ message: M,
    _ arena: borrowing Arena
  ) -> UnsafeMutableRawPointer {
    let cMessage = arena.allocateMessage(M.info)
    message.store(in: cMessage, arena: arena)
    return cMessage
  }

  /// A copy of numbers whose C type is the same; nil when there are none.
  func copiedNumbers<T: BitwiseCopyable>(
    _ values: [T],
    _ arena: borrowing Arena
  ) -> UnsafeMutablePointer<T>? {
    copiedList(values, arena) { $0 }
  }

  /// An array in C, an element made for each value; nil when there are none.
  func copiedList<C: Collection, T: BitwiseCopyable>(
    _ values: C,
    _ arena: borrowing Arena,
    _ element: (C.Element) -> T
  ) -> UnsafeMutablePointer<T>? {
    guard !values.isEmpty else { return nil }
    let copy = arena.allocate(bytes: MemoryLayout<T>.stride * values.count)
      .bindMemory(to: T.self, capacity: values.count)
    var index = 0
    for value in values {
      copy[index] = element(value)
      index += 1
    }
    return copy
  }

  /// A list of a C struct.
  func decodedList<T>(_ count: Int, _ element: (Int) -> T) -> [T] {
    guard count > 0 else { return [] }
    var list: [T] = []
    list.reserveCapacity(count)
    for index in 0..<count { list.append(element(index)) }
    return list
  }

  /// A map of a C struct; the last entry of a key wins.
  func decodedMap<K: Hashable, V>(_ count: Int, _ entry: (Int) -> (K, V)?) -> [K: V] {
    guard count > 0 else { return [:] }
    var map: [K: V] = [:]
    map.reserveCapacity(count)
    for index in 0..<count {
      if let (key, value) = entry(index) { map[key] = value }
    }
    return map
  }
  """
