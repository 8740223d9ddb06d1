/// Where a job stands.
///
///     admitting → pending → running → succeeded | failed | cancelled
///         └→ cancelled  └→ cancelled    └→ pending (retry, or its worker was lost)
///
/// `admitting` is internal: nobody but its creator knows the job. The last three are final.
enum JobState: String, Sendable, Hashable, CaseIterable {
  case admitting, pending, running, succeeded, failed, cancelled

  /// Whether nothing follows.
  var isFinal: Bool {
    switch self {
    case .succeeded, .failed, .cancelled: true
    case .admitting, .pending, .running: false
    }
  }
}

/// What a job is doing, as events tell it.
enum JobStage: String, Sendable, Hashable, CaseIterable {
  case admitting, queued, preparing, warming, running, safety, uploading
  case succeeded, failed, cancelled

  /// Stages that a worker reports.
  var isWork: Bool {
    switch self {
    case .preparing, .warming, .running, .safety, .uploading: true
    case .admitting, .queued, .succeeded, .failed, .cancelled: false
    }
  }
}

/// How much of a job lies behind, in basis points; it never falls.
struct JobProgress: Sendable, Hashable {
  /// 0…10000.
  let basisPoints: Int32

  /// The whole.
  static let full: Int32 = 10_000

  /// Clamps what a provider claims; 10000 is kept for jobs that have succeeded.
  init(claimed: Int32) {
    basisPoints = min(max(claimed, 0), Self.full - 1)
  }

  /// Whole percent, rounded down, as the API prints it.
  static func percent(_ basisPoints: Int32) -> Int32 { basisPoints / 100 }
}
