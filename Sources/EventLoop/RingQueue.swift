/// A first-in, first-out queue that reuses its storage.
///
/// Inlinable, so that the queues of connections are specialised in their own modules.
package struct RingQueue<Element> {
  @usableFromInline var slots: [Element?]
  @usableFromInline var head = 0
  @usableFromInline var stored = 0

  /// Makes an empty queue with room for `minimumCapacity` elements.
  @inlinable package init(minimumCapacity: Int = 16) {
    var capacity = 1
    while capacity < minimumCapacity { capacity *= 2 }
    slots = Array(repeating: nil, count: capacity)
  }

  /// The number of elements.
  @inlinable package var count: Int { stored }

  /// Whether there is no element.
  @inlinable package var isEmpty: Bool { stored == 0 }

  /// The oldest element.
  @inlinable package var first: Element? { stored == 0 ? nil : slots[head] }

  /// The element `offset` places behind the oldest one.
  @inlinable package subscript(offset: Int) -> Element? {
    get { offset < stored ? slots[(head + offset) & (slots.count - 1)] : nil }
    set {
      precondition(offset < stored, "beyond the end of the queue")
      slots[(head + offset) & (slots.count - 1)] = newValue
    }
  }

  /// Adds the youngest element.
  @inlinable package mutating func append(_ element: Element) {
    if stored == slots.count { grow() }
    slots[(head + stored) & (slots.count - 1)] = element
    stored += 1
  }

  /// Takes the oldest element out.
  @discardableResult
  @inlinable package mutating func popFirst() -> Element? {
    guard stored > 0 else { return nil }
    let element = slots[head]
    slots[head] = nil
    head = (head + 1) & (slots.count - 1)
    stored -= 1
    return element
  }

  /// A copy, oldest first.
  @inlinable package var elements: [Element] {
    (0..<stored).compactMap { slots[(head + $0) & (slots.count - 1)] }
  }

  @usableFromInline mutating func grow() {
    var larger = [Element?](repeating: nil, count: slots.count * 2)
    for offset in 0..<stored { larger[offset] = slots[(head + offset) & (slots.count - 1)] }
    slots = larger
    head = 0
  }
}
