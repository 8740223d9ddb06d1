internal import HTTPCore

/// Finds the route of a method and path.
///
/// A trie over the encoded segments, built once at start. A literal wins over a capture, a capture
/// over `**`; where a literal leads nowhere the search goes back and tries the capture.
struct Router<Target: Sendable>: Sendable {
  /// What a path leads to.
  enum Result {
    /// The target and the encoded segments of the path.
    case found(Target, PathTemplate, [ArraySlice<UInt8>])
    /// The path exists, but not for this method.
    case methodNotAllowed([HTTPMethod])
    case notFound
  }

  private struct Node: Sendable {
    var literals: [[UInt8]: Int] = [:]
    var any: Int?
    var rest: Int?
    var targets: [HTTPMethod: (target: Target, template: PathTemplate)] = [:]
  }

  /// Deepest path that is looked at; the deepest route has far fewer segments.
  static var maxSegments: Int { 32 }

  private var nodes = [Node()]

  /// Adds a route.
  ///
  /// - Throws: ``PathTemplate/Failure`` when method and path are taken.
  mutating func add(
    _ method: HTTPMethod,
    _ template: PathTemplate,
    _ target: Target
  ) throws(PathTemplate.Failure) {
    var place = 0
    for segment in template.segments { place = child(of: place, for: segment) }
    guard nodes[place].targets[method] == nil else {
      throw PathTemplate.Failure(
        description: "\(method.rawValue) \(template.text) is declared twice"
      )
    }
    nodes[place].targets[method] = (target, template)
  }

  private mutating func child(of place: Int, for segment: PathTemplate.Segment) -> Int {
    let known: Int? =
      switch segment {
      case .literal(let name): nodes[place].literals[Array(name.utf8)]
      case .any: nodes[place].any
      case .rest: nodes[place].rest
      }
    if let known { return known }
    let fresh = nodes.count
    nodes.append(Node())
    switch segment {
    case .literal(let name): nodes[place].literals[Array(name.utf8)] = fresh
    case .any: nodes[place].any = fresh
    case .rest: nodes[place].rest = fresh
    }
    return fresh
  }

  /// Finds the target of an encoded path.
  ///
  /// HEAD is served by GET's route where there is none of its own.
  func find(_ method: HTTPMethod, _ path: ArraySlice<UInt8>) -> Result {
    guard path.first == UInt8(ascii: "/") else { return .notFound }
    let segments = path.dropFirst().split(
      separator: UInt8(ascii: "/"),
      maxSplits: Self.maxSegments,
      omittingEmptySubsequences: false
    )
    guard segments.count <= Self.maxSegments else { return .notFound }
    var others: Set<HTTPMethod> = []
    let found = match(segments[...], at: 0) { node in
      if let hit = node.targets[method] ?? (method == .head ? node.targets[.get] : nil) {
        return hit
      }
      others.formUnion(node.targets.keys)
      return nil
    }
    if let found { return .found(found.target, found.template, segments) }
    if others.isEmpty { return .notFound }
    if others.contains(.get) { others.insert(.head) }
    others.insert(.options)
    return .methodNotAllowed(HTTPMethod.allCases.filter(others.contains))
  }

  private typealias Hit = (target: Target, template: PathTemplate)

  private func match(
    _ segments: ArraySlice<ArraySlice<UInt8>>,
    at place: Int,
    _ accept: (Node) -> Hit?
  ) -> Hit? {
    let node = nodes[place]
    guard let segment = segments.first else {
      return accept(node) ?? node.rest.flatMap { accept(nodes[$0]) }
    }
    if !node.literals.isEmpty, let literal = node.literals[Array(segment)],
      let hit = match(segments.dropFirst(), at: literal, accept)
    {
      return hit
    }
    if !segment.isEmpty, let any = node.any, let hit = match(segments.dropFirst(), at: any, accept)
    {
      return hit
    }
    return node.rest.flatMap { accept(nodes[$0]) }
  }
}

/// Values that a path gives to fields.
enum PathCapture {
  /// Why a captured value is refused.
  enum Failure: Error, Equatable {
    /// A broken escape, or bytes that are not UTF-8.
    case malformed
    /// A value that no object of ours can have: control characters, `.` or `..`.
    case impossible
  }

  /// Decodes the value of one variable, exactly once.
  static func value(
    of variable: PathTemplate.Variable,
    in segments: [ArraySlice<UInt8>],
    template: PathTemplate
  ) throws(Failure) -> [UInt8] {
    let isOpenEnded = template.segments[variable.segments].last == .rest
    let end = isOpenEnded ? segments.count : variable.segments.upperBound
    var value: [UInt8] = []
    for index in variable.segments.lowerBound..<end {
      if index > variable.segments.lowerBound { value.append(UInt8(ascii: "/")) }
      value += try decoded(segments[index], keepingSlash: variable.isMultiSegment)
    }
    return value
  }

  private static func decoded(
    _ segment: ArraySlice<UInt8>,
    keepingSlash: Bool
  ) throws(Failure) -> [UInt8] {
    guard segment.contains(UInt8(ascii: "%")) else { return try checked(Array(segment)) }
    guard let plain = PercentCoding.decode(segment) else { throw .malformed }
    guard keepingSlash, plain.contains(UInt8(ascii: "/")) else { return try checked(plain) }
    var value: [UInt8] = []
    for byte in plain {
      if byte == UInt8(ascii: "/") { value += Array("%2F".utf8) } else { value.append(byte) }
    }
    return try checked(value)
  }

  private static func checked(_ value: [UInt8]) throws(Failure) -> [UInt8] {
    guard String(validating: value, as: UTF8.self) != nil else { throw .malformed }
    guard
      value.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }), !value.elementsEqual(".".utf8),
      !value.elementsEqual("..".utf8)
    else { throw .impossible }
    return value
  }
}
