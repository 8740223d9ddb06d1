/// A first-in, first-out queue that reuses its storage.
///
/// Each module that needs one on a hot path has its own: the compiler does not specialise generic
/// code of another module unless it is `public`.
struct RingQueue<Element> {
  private var slots: [Element?]
  private var head = 0
  private(set) var count = 0

  init(minimumCapacity: Int = 16) {
    var capacity = 1
    while capacity < minimumCapacity { capacity *= 2 }
    slots = Array(repeating: nil, count: capacity)
  }

  var isEmpty: Bool { count == 0 }

  var first: Element? { count == 0 ? nil : slots[head] }

  /// The element `offset` places behind the oldest one.
  subscript(offset: Int) -> Element? {
    get { offset < count ? slots[(head + offset) & (slots.count - 1)] : nil }
    set {
      precondition(offset < count, "beyond the end of the queue")
      slots[(head + offset) & (slots.count - 1)] = newValue
    }
  }

  mutating func append(_ element: Element) {
    if count == slots.count { grow() }
    slots[(head + count) & (slots.count - 1)] = element
    count += 1
  }

  @discardableResult
  mutating func popFirst() -> Element? {
    guard count > 0 else { return nil }
    let element = slots[head]
    slots[head] = nil
    head = (head + 1) & (slots.count - 1)
    count -= 1
    return element
  }

  /// A copy, oldest first.
  var elements: [Element] {
    (0..<count).compactMap { slots[(head + $0) & (slots.count - 1)] }
  }

  private mutating func grow() {
    var larger = [Element?](repeating: nil, count: slots.count * 2)
    for offset in 0..<count { larger[offset] = slots[(head + offset) & (slots.count - 1)] }
    slots = larger
    head = 0
  }
}
