internal import Logging
internal import Postgres
internal import ServiceKit

/// Tells dispatchers that there is work: this process' one directly, others by `NOTIFY`.
///
/// The notice is not part of the transaction that queues a job: committing transactions with a
/// `NOTIFY` wait for one another (PostgreSQL takes one lock for all of them, disk flush included).
/// It follows at once, many jobs in one notice; a lost one costs a dispatcher's poll interval.
struct QueueBell: Worker {
  let name = "queue-bell"
  let dispatcher: WakeSignal
  let database: PostgresClient
  private let others = WakeSignal()

  static let channel = "oneshot_job_queue"
  /// Notices are not sent more often.
  private static let interval: Duration = .milliseconds(50)

  init(dispatcher: WakeSignal, database: PostgresClient) {
    self.dispatcher = dispatcher
    self.database = database
  }

  /// There is a job to be claimed.
  func ring() {
    dispatcher.wake()
    others.wake()
  }

  func run() async throws {
    for await _ in others.wakes {
      _ = try await database.query("SELECT pg_notify(\(Self.channel), '')")
      try await Task.sleep(for: Self.interval)
    }
  }
}
