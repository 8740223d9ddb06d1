import MediaProtocol

/// How large a picture is at each point of a job.
///
/// The result is the input times `scale`, reduced to fit the job's longest side. The picture is
/// worked on at the smallest factor that reaches the result, so that no work is thrown away.
package struct SizePlan: Sendable, Hashable {
  /// Width of the result.
  package let width: Int
  /// Height of the result.
  package let height: Int
  /// Enlargement that is worked out: 1, 2 or 4.
  package let factor: Int

  /// A plan for a picture of the given size; one over the longest side is reduced.
  package init(width: Int, height: Int, scale: Int, maximumSide: Int) {
    let longest = max(width, height)
    let wanted = min(Double(scale), Double(maximumSide) / Double(longest))
    let possible =
      [4, 2].first { factor in
        longest * factor <= MediaLimits.maximumSide
          && width * height * factor * factor <= MediaLimits.maximumPixels
      } ?? 1
    let growth = min(wanted, Double(possible))
    self.width = max(1, Int((Double(width) * growth).rounded()))
    self.height = max(1, Int((Double(height) * growth).rounded()))
    factor = growth <= 1 ? 1 : growth <= 2 ? 2 : 4
  }
}
