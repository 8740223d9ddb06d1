internal import EventLoop
internal import Logging
internal import ServiceLifecycle

/// A background loop of a service.
///
/// `run()` goes on until its task is cancelled, which happens when the service drains, after its
/// RPC server has finished. It is started again after it throws.
package protocol Worker: Sendable {
  /// Name for logs.
  var name: String { get }
  /// Works until cancelled.
  func run() async throws
}

/// Runs a worker on one loop and starts it again, ever more slowly, when it fails.
struct SupervisedWorker: ServiceLifecycle.Service {
  let worker: any Worker
  let loop: EventLoop
  let logger: Logger

  private static let firstPause: Duration = .milliseconds(200)
  private static let longestPause: Duration = .seconds(10)

  func run() async throws {
    let worker = worker
    let logger = logger
    await cancelWhenGracefulShutdown { [loop] in
      await withTaskExecutorPreference(loop) { await Self.supervise(worker, logger) }
    }
  }

  private static func supervise(_ worker: any Worker, _ logger: Logger) async {
    var pause = firstPause
    while !Task.isCancelled {
      let start = ContinuousClock.now
      do {
        try await worker.run()
        guard !Task.isCancelled else { return }
        logger.error("worker ended early", metadata: ["worker": "\(worker.name)"])
      } catch {
        guard !Task.isCancelled else { return }
        logger.error(
          "worker failed",
          metadata: ["worker": "\(worker.name)", "error": "\(error)"]
        )
      }
      // A worker that held out for a while starts afresh.
      if ContinuousClock.now - start > longestPause { pause = firstPause }
      try? await Task.sleep(for: pause)
      pause = min(pause * 2, longestPause)
    }
  }
}
