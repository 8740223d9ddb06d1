import MediaProtocol

/// Turns stages and their shares into fractions that never fall.
struct ProgressTracker {
  private let report: (MediaProgress) -> Void
  private let total: Double
  private var shares: [MediaStage: Double]
  private var behind = 0.0
  private var current: MediaStage?

  /// A tracker of a plan: how much work each stage is, in any unit.
  init(plan: [(MediaStage, Double)], report: @escaping (MediaProgress) -> Void) {
    self.report = report
    shares = Dictionary(plan, uniquingKeysWith: +)
    total = max(plan.reduce(0) { $0 + $1.1 }, .leastNonzeroMagnitude)
  }

  /// Begins a stage; the one before it is done.
  mutating func begin(_ stage: MediaStage) {
    if let current { behind += shares.removeValue(forKey: current) ?? 0 }
    current = stage
    report(MediaProgress(stage: stage, fraction: min(1, behind / total)))
  }

  /// Tells how far the current stage is, 0…1.
  func advance(to share: Double) {
    guard let current, let whole = shares[current] else { return }
    let fraction = min(1, (behind + whole * share) / total)
    report(MediaProgress(stage: current, fraction: fraction))
  }
}
