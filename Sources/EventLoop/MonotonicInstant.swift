internal import CUV

/// A moment of the clock that the loops run by: nanoseconds of CLOCK_MONOTONIC.
///
/// For what every call stores and compares. `ContinuousClock.Instant` is not frozen: a class that stores
/// one finds all its fields through tables at run time, and each copy is a call.
package struct MonotonicInstant: InstantProtocol {
  private let nanoseconds: Int64

  /// Read from the kernel at each call.
  package static var now: MonotonicInstant {
    MonotonicInstant(nanoseconds: Int64(truncatingIfNeeded: uv_hrtime()))
  }

  /// The end of time, 292 years after the machine's start, for what lies beyond it.
  package func advanced(by duration: Duration) -> MonotonicInstant {
    advanced(byNanoseconds: duration.clampedNanoseconds)
  }

  /// The same for those who add one length again and again.
  package func advanced(byNanoseconds length: Int64) -> MonotonicInstant {
    let (moment, isOver) = nanoseconds.addingReportingOverflow(length)
    return MonotonicInstant(nanoseconds: isOver ? (length < 0 ? .min : .max) : moment)
  }

  package func duration(to other: MonotonicInstant) -> Duration {
    let (difference, isOver) = other.nanoseconds.subtractingReportingOverflow(nanoseconds)
    let clamped = isOver ? (other.nanoseconds < nanoseconds ? .min : .max) : difference
    return Duration(attoseconds: Int128(clamped) * Duration.attosecondsPerNanosecond)
  }

  package static func < (left: MonotonicInstant, right: MonotonicInstant) -> Bool {
    left.nanoseconds < right.nanoseconds
  }

  package static func + (left: MonotonicInstant, right: Duration) -> MonotonicInstant {
    left.advanced(by: right)
  }

  package static func - (left: MonotonicInstant, right: Duration) -> MonotonicInstant {
    left.advanced(by: .zero - right)
  }

  package static func - (left: MonotonicInstant, right: MonotonicInstant) -> Duration {
    right.duration(to: left)
  }
}

extension Duration {
  /// For `Duration(attoseconds:)`, which costs a multiplication where `.seconds` and its kin cost a
  /// hundred instructions.
  package static var attosecondsPerNanosecond: Int128 { 1_000_000_000 }

  /// Whole nanoseconds, at most 292 years in either direction.
  package var clampedNanoseconds: Int64 {
    let nanoseconds = attoseconds / Self.attosecondsPerNanosecond
    return Int64(clamping: nanoseconds)
  }
}
