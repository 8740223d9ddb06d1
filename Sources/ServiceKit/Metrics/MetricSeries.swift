internal import CoreMetrics
internal import Synchronization

/// A count that only grows.
final class CounterSeries: CounterHandler, FloatingPointCounterHandler {
  private let whole = Atomic<Int64>(0)
  private let fraction = Mutex<Double>(0)

  func increment(by amount: Int64) {
    whole.wrappingAdd(max(0, amount), ordering: .relaxed)
  }

  func increment(by amount: Double) {
    guard amount.isFinite, amount > 0 else { return }
    fraction.withLock { $0 += amount }
  }

  func reset() {
    whole.store(0, ordering: .relaxed)
    fraction.withLock { $0 = 0 }
  }

  var value: Double { Double(whole.load(ordering: .relaxed)) + fraction.withLock { $0 } }
}

/// A value that goes up and down.
final class GaugeSeries: MeterHandler, RecorderHandler {
  private let state = Mutex<Double>(0)

  func set(_ value: Int64) { set(Double(value)) }
  func set(_ value: Double) { state.withLock { $0 = value } }
  func increment(by amount: Double) { state.withLock { $0 += amount } }
  func decrement(by amount: Double) { state.withLock { $0 -= amount } }
  func record(_ value: Int64) { set(value) }
  func record(_ value: Double) { set(value) }

  var value: Double { state.withLock { $0 } }
}

/// Counts of observations by size, with their sum.
final class HistogramSeries: RecorderHandler, TimerHandler {
  /// Upper bounds in growing order; the last bucket has none.
  let bounds: [Double]
  private let state: Mutex<State>

  struct State {
    /// One more than there are bounds; not cumulative.
    var counts: [Int]
    var sum = 0.0
  }

  /// Seconds, for durations.
  static let secondsBounds: [Double] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120,
  ]
  /// Plain numbers, for sizes and counts.
  static let sizeBounds: [Double] = (0...13).map { index in
    (0..<index).reduce(1.0) { product, _ in product * 4 }
  }

  init(bounds: [Double]) {
    self.bounds = bounds
    state = Mutex(State(counts: Array(repeating: 0, count: bounds.count + 1)))
  }

  func record(_ value: Int64) { record(Double(value)) }

  func record(_ value: Double) {
    guard value.isFinite else { return }
    let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
    state.withLock { state in
      state.counts[bucket] += 1
      state.sum += value
    }
  }

  func recordNanoseconds(_ duration: Int64) {
    record(Double(duration) / 1_000_000_000)
  }

  var value: State { state.withLock { $0 } }
}
