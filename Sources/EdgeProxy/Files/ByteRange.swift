internal import HTTPCore

/// The part of a file that a `Range` field asks for (RFC 9110 §14.2).
///
/// Several ranges at once, other units and malformed fields are answered with the whole file, which
/// the standard allows.
enum ByteRange: Equatable {
  case whole
  case part(Range<Int>)
  case unsatisfiable

  init(_ field: String?, size: Int) {
    guard
      let field, field.lowercased().hasPrefix("bytes="),
      case let bounds = field.dropFirst(6).split(separator: "-", omittingEmptySubsequences: false),
      bounds.count == 2, let (first, last) = Self.numbers(bounds)
    else {
      self = .whole
      return
    }
    switch (first, last) {
    case (let first?, let last?) where first > last: self = .whole
    case (let first?, let last):
      self =
        first < size ? .part(first..<min(size, (last ?? size - 1) + 1)) : .unsatisfiable
    case (nil, let suffix?):
      self = suffix > 0 && size > 0 ? .part(max(0, size - suffix)..<size) : .unsatisfiable
    case (nil, nil): self = .whole
    }
  }

  /// The two sides as numbers; nil when one is neither empty nor a number of up to 15 digits.
  private static func numbers(_ bounds: [Substring]) -> (first: Int?, last: Int?)? {
    var numbers: [Int?] = []
    for bound in bounds.map(\.trimmingSpaces) {
      guard bound.utf8.count <= 15, bound.utf8.allSatisfy(ASCII.isDigit) else { return nil }
      numbers.append(Int(bound))
    }
    return (numbers[0], numbers[1])
  }
}
