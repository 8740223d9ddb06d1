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
    let (seconds, attoseconds) = duration.components
    let (whole, isTooLong) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
    let (sum, isTooFar) = nanoseconds.addingReportingOverflow(whole)
    guard !isTooLong, !isTooFar else {
      return MonotonicInstant(nanoseconds: seconds < 0 ? .min : .max)
    }
    let (moment, isOver) = sum.addingReportingOverflow(attoseconds / 1_000_000_000)
    return MonotonicInstant(nanoseconds: isOver ? (seconds < 0 ? .min : .max) : moment)
  }

  package func duration(to other: MonotonicInstant) -> Duration {
    let (difference, isOver) = other.nanoseconds.subtractingReportingOverflow(nanoseconds)
    guard isOver else { return .nanoseconds(difference) }
    return .nanoseconds(other.nanoseconds < nanoseconds ? Int64.min : .max)
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
