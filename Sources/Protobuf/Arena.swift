internal import CProtobufC

#if canImport(Glibc)
  internal import Glibc
#elseif canImport(Darwin)
  internal import Darwin
#endif

/// Memory of one encoding or decoding, freed as a whole.
///
/// Allocation moves a cursor; protobuf-c's `free` does nothing. A thread keeps one block for its next
/// arena, so an ordinary call allocates nothing. An arena stays on its thread: it is neither copied
/// nor sent, and no `await` may stand between its making and its end.
package struct Arena: ~Copyable {
  /// The cursor and the blocks; lives outside so that C callbacks have an address.
  struct State {
    var cursor: UnsafeMutableRawPointer
    var end: UnsafeMutableRawPointer
    /// The newest block; each begins with the address of the one before.
    var newest: UnsafeMutableRawPointer
    var newestBytes: Int
    /// Bytes of further blocks that may still be taken.
    var remaining: Int
    var isLent: Bool
    /// Unpacking asked for more than the limit.
    var wasRefused: Bool
    var allocator: UnsafeMutablePointer<ProtobufCAllocator>
  }

  let state: UnsafeMutablePointer<State>

  /// Bytes of the block that a thread keeps.
  static let blockBytes = 32 << 10
  /// Every address is a multiple of this.
  static let alignment = 8

  /// Takes the thread's block, or a new one when the thread's is in use.
  ///
  /// - Parameter limit: Bytes beyond the first block that unpacking may take; our own allocations
  ///   count but are not refused.
  package init(limit: Int = .max) {
    state = Self.takeState()
    state.pointee.remaining = limit
    state.pointee.wasRefused = false
  }

  deinit { Self.giveBack(state) }

  /// Uninitialised memory that lives as long as the arena.
  package func allocate(bytes: Int) -> UnsafeMutableRawPointer {
    let needed = (bytes + (Self.alignment - 1)) & ~(Self.alignment - 1)
    let start = state.pointee.cursor
    guard needed <= state.pointee.end - start else { return Self.grow(state, needed) }
    state.pointee.cursor = start + needed
    return start
  }

  /// Uninitialised memory for `count` values of a trivial type.
  package func allocate<T: BitwiseCopyable>(
    _ type: T.Type,
    count: Int
  ) -> UnsafeMutablePointer<T> {
    allocate(bytes: MemoryLayout<T>.stride * count).bindMemory(to: type, capacity: count)
  }
}

extension Arena {
  /// Forgets everything that was allocated, which nobody may use any more.
  func restart(limit: Int) {
    Self.rewind(state)
    state.pointee.remaining = limit
    state.pointee.wasRefused = false
  }

  /// The limit was reached, so a failed unpacking is a matter of size.
  var wasRefused: Bool { state.pointee.wasRefused }

  /// Protobuf-c's way into the arena.
  var allocator: UnsafeMutablePointer<ProtobufCAllocator> { state.pointee.allocator }

  private static func takeState() -> UnsafeMutablePointer<State> {
    if let kept = pthread_getspecific(threadKey) {
      let state = kept.assumingMemoryBound(to: State.self)
      if !state.pointee.isLent {
        state.pointee.isLent = true
        return state
      }
      return makeState()
    }
    let state = makeState()
    pthread_setspecific(threadKey, state)
    return state
  }

  private static func giveBack(_ state: UnsafeMutablePointer<State>) {
    guard pthread_getspecific(threadKey) == UnsafeMutableRawPointer(state) else {
      return free(state)
    }
    // The thread keeps the first block only.
    rewind(state)
    state.pointee.isLent = false
  }

  /// Gives back everything but the first block, which is empty then.
  private static func rewind(_ state: UnsafeMutablePointer<State>) {
    if state.pointee.newestBytes != blockBytes || previous(of: state.pointee.newest) != nil {
      while let before = previous(of: state.pointee.newest) {
        state.pointee.newest.deallocate()
        state.pointee.newest = before
      }
      state.pointee.newestBytes = blockBytes
    }
    state.pointee.cursor = state.pointee.newest + alignment
    state.pointee.end = state.pointee.newest + blockBytes
  }

  private static func makeState() -> UnsafeMutablePointer<State> {
    let block = makeBlock(bytes: blockBytes, after: nil)
    let state = UnsafeMutablePointer<State>.allocate(capacity: 1)
    let allocator = UnsafeMutablePointer<ProtobufCAllocator>.allocate(capacity: 1)
    allocator.initialize(
      to: ProtobufCAllocator(
        alloc: { state, bytes in Arena.allocateForC(state, bytes) },
        free: { _, _ in },
        allocator_data: UnsafeMutableRawPointer(state)
      )
    )
    state.initialize(
      to: State(
        cursor: block + alignment,
        end: block + blockBytes,
        newest: block,
        newestBytes: blockBytes,
        remaining: .max,
        isLent: true,
        wasRefused: false,
        allocator: allocator
      )
    )
    return state
  }

  private static func makeBlock(
    bytes: Int,
    after before: UnsafeMutableRawPointer?
  ) -> UnsafeMutableRawPointer {
    let block = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: alignment)
    block.storeBytes(of: before, as: UnsafeMutableRawPointer?.self)
    return block
  }

  private static func previous(of block: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer? {
    block.load(as: UnsafeMutableRawPointer?.self)
  }

  private static func free(_ state: UnsafeMutablePointer<State>) {
    var block: UnsafeMutableRawPointer? = state.pointee.newest
    while let current = block {
      block = previous(of: current)
      current.deallocate()
    }
    state.pointee.allocator.deallocate()
    state.deallocate()
  }

  /// Adds a block that holds `needed` bytes and takes them.
  static func grow(
    _ state: UnsafeMutablePointer<State>,
    _ needed: Int
  ) -> UnsafeMutableRawPointer {
    let bytes = max(2 * state.pointee.newestBytes, needed + alignment)
    let block = makeBlock(bytes: bytes, after: state.pointee.newest)
    state.pointee.newest = block
    state.pointee.newestBytes = bytes
    state.pointee.remaining &-= bytes
    state.pointee.cursor = block + alignment + needed
    state.pointee.end = block + bytes
    return block + alignment
  }

  /// `alloc` of protobuf-c: NULL at the limit, which makes the unpacking fail cleanly.
  private static func allocateForC(
    _ data: UnsafeMutableRawPointer?,
    _ bytes: Int
  ) -> UnsafeMutableRawPointer? {
    guard let state = data?.assumingMemoryBound(to: State.self), bytes >= 0, bytes < 1 << 31 else {
      return nil
    }
    return allocateWithinLimit(state, bytes)
  }

  /// Memory for what comes from outside; nil at the limit.
  @inline(__always)
  static func allocateWithinLimit(
    _ state: UnsafeMutablePointer<State>,
    _ bytes: Int
  ) -> UnsafeMutableRawPointer? {
    let needed = (bytes + (alignment - 1)) & ~(alignment - 1)
    let start = state.pointee.cursor
    if needed <= state.pointee.end - start {
      state.pointee.cursor = start + needed
      return start
    }
    guard needed <= state.pointee.remaining else {
      state.pointee.wasRefused = true
      return nil
    }
    return grow(state, needed)
  }

  private static let threadKey: pthread_key_t = {
    var key = pthread_key_t()
    let code = pthread_key_create(&key) { state in
      Arena.freeAtThreadEnd(state)
    }
    precondition(code == 0, "no thread-local key left")
    return key
  }()

  private static func freeAtThreadEnd(_ state: UnsafeMutableRawPointer?) {
    if let state { free(state.assumingMemoryBound(to: State.self)) }
  }
}
