internal import CUV

extension EventLoop {
  /// Runs blocking `work` on libuv's thread pool and returns its result.
  ///
  /// The pool has few threads and serves name look-ups, too: callers bound how much of one kind of
  /// work they start at once. Work that has begun is not cancelled.
  package func offload<T: Sendable>(
    _ work: @escaping @Sendable () throws -> T
  ) async throws -> T {
    try await withCheckedThrowingContinuation { (done: CheckedContinuation<T, any Error>) in
      let box = OffloadedWork {
        let result = Result { try work() }
        return { done.resume(with: result) }
      }
      submit { [self] in start(box) }
    }
  }

  private func start(_ box: OffloadedWork) {
    let request = UnsafeMutablePointer<uv_work_t>.allocate(capacity: 1)
    request.pointee.data = Unmanaged.passRetained(box).toOpaque()
    uv_queue_work(
      uv,
      request,
      { request in
        guard let data = request?.pointee.data else { return }
        Unmanaged<OffloadedWork>.fromOpaque(data).takeUnretainedValue().run()
      },
      { request, _ in
        guard let request, let data = request.pointee.data else { return }
        Unmanaged<OffloadedWork>.fromOpaque(data).takeRetainedValue().complete()
        request.deallocate()
      }
    )
  }
}

/// Work on its way through the pool: run there, completed on the loop.
// @unchecked: `run` happens before `complete`; libuv orders the two.
private final class OffloadedWork: @unchecked Sendable {
  private let work: @Sendable () -> @Sendable () -> Void
  private var completion: (@Sendable () -> Void)?

  init(_ work: @escaping @Sendable () -> @Sendable () -> Void) {
    self.work = work
  }

  func run() { completion = work() }
  func complete() { completion?() }
}
