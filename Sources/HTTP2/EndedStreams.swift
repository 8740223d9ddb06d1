/// Tells frames of streams that are over apart: those that may still be on their way, and those that
/// no client sends which keeps to the protocol (RFC 9113 §5.1).
///
/// A client learns late that we have reset a stream, or that we did not take it: its frames are pardoned
/// until then. A stream that it has itself ended or reset, it may not use again. Nothing is kept of
/// these, so to know them costs a call nothing.
struct EndedStreams {
  enum Verdict: Equatable {
    /// It may have been sent before our reset was there.
    case pardoned
    /// The client has itself ended the stream.
    case ended
    /// The client has left the identifier out, which closes it (RFC 9113 §5.1.1).
    case leftOut
  }

  /// Resets of ours that are remembered; before the oldest of them everything is pardoned.
  static let maxPardons = 100

  /// The highest stream that the client has named.
  private(set) var last: Int32 = 0
  /// Identifiers that were left out last.
  private var leftOut: Range<Int32> = 0..<0
  private var pardons: [Int32] = []
  private var oldest = 0
  private var pardonedUpTo: Int32 = 0
  /// A stream that has begun, and that the library has not taken so far.
  private var untaken: Int32?

  /// A header block begins on a stream above `last`.
  mutating func begin(_ id: Int32) {
    if let untaken { pardon(untaken) }
    untaken = id
    if id > last + 2 { leftOut = last + 1..<id }
    last = id
  }

  /// The library has taken the stream that has begun last.
  mutating func take() { untaken = nil }

  /// We have reset the stream.
  mutating func pardon(_ id: Int32) {
    guard pardons.count == Self.maxPardons else { return pardons.append(id) }
    pardonedUpTo = max(pardonedUpTo, pardons[oldest])
    pardons[oldest] = id
    oldest = (oldest + 1) % Self.maxPardons
  }

  /// Judges a frame of a stream that is not open.
  func judge(_ id: Int32) -> Verdict {
    // The others are errors that the library sees by itself.
    guard id % 2 == 1, id <= last else { return .pardoned }
    if id <= pardonedUpTo || id == untaken || pardons.contains(id) { return .pardoned }
    return leftOut.contains(id) ? .leftOut : .ended
  }
}
