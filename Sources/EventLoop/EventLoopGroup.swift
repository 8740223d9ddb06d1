internal import CUV
internal import Synchronization

/// A fixed number of running loops, one a core.
package final class EventLoopGroup: Sendable {
  /// The loops, all running.
  package let loops: [EventLoop]
  private let turn = Atomic<Int>(0)

  /// Threads of libuv's pool, shared by name look-ups and offloaded work.
  private static let poolThreads = "8"

  /// Starts `count` loops.
  ///
  /// - Parameter count: 1…256, or 0 for one a core.
  /// - Throws: ``EventLoopError`` when the kernel refuses descriptors.
  package init(count: Int = 0) throws(EventLoopError) {
    precondition((0...256).contains(count), "0…256 loops")
    // Read once by libuv, before the pool's first use; an operator's own value stays.
    if isUnset("UV_THREADPOOL_SIZE") {
      uv_os_setenv("UV_THREADPOOL_SIZE", Self.poolThreads)
    }
    let wanted = count == 0 ? max(1, Int(uv_available_parallelism())) : count
    var loops: [EventLoop] = []
    for index in 0..<wanted { loops.append(try EventLoop(name: "loop-\(index)")) }
    self.loops = loops
    for loop in loops { loop.start() }
  }

  /// The loops in turn.
  package func next() -> EventLoop {
    let index = turn.wrappingAdd(1, ordering: .relaxed).oldValue
    return loops[Int(UInt(bitPattern: index) % UInt(loops.count))]
  }

  /// The caller's own loop when it runs on one of this group, else the next in turn.
  package func preferred() -> EventLoop {
    guard let current = EventLoop.current, loops.contains(where: { $0 === current }) else {
      return next()
    }
    return current
  }

  /// Stops every loop and waits for their threads.
  ///
  /// Not from a loop.
  package func stop() {
    for loop in loops { loop.stop() }
  }
}

private func isUnset(_ name: String) -> Bool {
  var size = 1
  var byte: CChar = 0
  return uv_os_getenv(name, &byte, &size) == UV_ENOENT.rawValue
}
