internal import EventLoop
internal import Logging
internal import ServiceKit

/// Executes queued runs, each on one of the loops, independent of the streams that follow them.
struct RunExecutor: Worker {
  let name = "run-executor"
  let registry: RunRegistry
  let pipeline: RunPipeline
  let group: EventLoopGroup
  let logger: Logger

  func run() async throws {
    await withDiscardingTaskGroup { tasks in
      for await run in registry.queue {
        tasks.addTask(executorPreference: group.next()) { await execute(run) }
      }
      tasks.cancelAll()
    }
  }

  private func execute(_ run: Run) async {
    let (stops, stop) = AsyncStream.makeStream(of: Void.self)
    run.onCancel { stop.finish() }
    let context = LogContext(
      userID: UserID(text: run.request.userId),
      jobID: JobID(text: run.request.jobId)
    )
    await LogContext.$current.withValue(context) {
      await withTaskGroup(of: Void.self) { group in
        group.addTask { await pipeline.execute(run) }
        group.addTask { for await _ in stops {} }
        // Whichever ends first ends the other.
        await group.next()
        group.cancelAll()
      }
    }
    // A run that was stopped from outside says so; after a proper end this changes nothing.
    run.failed(
      RunFailure(
        reason: "CANCELLED",
        message: "The job was cancelled.",
        isRetryable: !run.isCancelled
      ),
      provider: ""
    )
    registry.didEnd(run)
  }
}
