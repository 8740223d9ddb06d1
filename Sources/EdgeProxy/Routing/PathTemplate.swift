/// The path of a route as `google.api.http` writes it: `/api/v1/jobs/{job_id}/events`.
struct PathTemplate: Sendable, Hashable {
  /// One segment of a path.
  enum Segment: Sendable, Hashable {
    case literal(String)
    /// Any one segment that is not empty.
    case any
    /// All segments to the end, also none.
    case rest
  }

  /// A field that takes the value of some segments.
  struct Variable: Sendable, Hashable {
    /// Dotted name of a field of the request.
    let field: String
    /// The segments that it spans.
    let segments: Range<Int>
    /// It spans more than one segment, so `%2F` in it stays encoded.
    let isMultiSegment: Bool
  }

  /// Why a template cannot be used; found at start.
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  let text: String
  let segments: [Segment]
  let variables: [Variable]

  /// Parses a template.
  ///
  /// - Throws: ``Failure`` for anything outside the grammar, and for custom verbs (`:cancel`), which
  ///   no route of ours has.
  init(_ text: String) throws(Failure) {
    var parser = TemplateParser(text)
    try parser.parse()
    self.text = text
    segments = parser.segments
    variables = parser.variables
  }
}

/// Reads the grammar of path templates: `"/" Segment {"/" Segment}`.
private struct TemplateParser {
  private let text: String
  private var rest: Substring
  private(set) var segments: [PathTemplate.Segment] = []
  private(set) var variables: [PathTemplate.Variable] = []

  init(_ text: String) {
    self.text = text
    rest = text[...]
  }

  mutating func parse() throws(PathTemplate.Failure) {
    repeat {
      guard rest.popFirst() == "/" else { throw failure("'/' is missing") }
      if rest.first == "{" { try parseVariable() } else { try parseSegment() }
    } while !rest.isEmpty
    let restIndex = segments.firstIndex(of: .rest)
    guard restIndex == nil || restIndex == segments.count - 1 else {
      throw failure("'**' must be last")
    }
    guard Set(variables.map(\.field)).count == variables.count else {
      throw failure("a field is captured twice")
    }
  }

  private mutating func parseVariable() throws(PathTemplate.Failure) {
    rest.removeFirst()
    let name = rest.prefix { $0 != "=" && $0 != "}" }
    rest = rest.dropFirst(name.count)
    guard !name.isEmpty else { throw failure("a variable has no name") }
    let start = segments.count
    if rest.first == "=" {
      repeat {
        rest.removeFirst()
        try parseSegment()
      } while rest.first == "/"
    } else {
      segments.append(.any)
    }
    guard rest.popFirst() == "}" else { throw failure("'}' is missing") }
    let span = start..<segments.count
    variables.append(
      PathTemplate.Variable(
        field: String(name),
        segments: span,
        isMultiSegment: span.count > 1 || segments.last == .rest
      )
    )
  }

  private mutating func parseSegment() throws(PathTemplate.Failure) {
    let name = rest.prefix { $0 != "/" && $0 != "}" }
    rest = rest.dropFirst(name.count)
    switch name {
    case "*": segments.append(.any)
    case "**": segments.append(.rest)
    default:
      guard !name.isEmpty, !name.contains(where: { "{*:".contains($0) }) else {
        throw failure("the segment '\(name)' is not supported")
      }
      segments.append(.literal(String(name)))
    }
  }

  private func failure(_ reason: String) -> PathTemplate.Failure {
    PathTemplate.Failure(description: "path template \(text): \(reason)")
  }
}
