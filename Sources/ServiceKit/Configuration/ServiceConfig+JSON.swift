internal import JSON
package import RPC

/// Why a service config was refused; the whole config is, as in gRPC.
package struct ServiceConfigError: Error, Sendable, Equatable, CustomStringConvertible {
  /// Where, `methodConfig[0].retryPolicy.maxAttempts`; empty for the whole text.
  package let place: String
  /// What is wrong there.
  package let problem: String

  package var description: String { place.isEmpty ? problem : "\(place): \(problem)" }
}

extension ServiceConfig {
  /// Reads gRPC's JSON form (`grpc.service_config.ServiceConfig`).
  ///
  /// Fields that are not known are passed over, as the format asks for.
  /// - Throws: ``ServiceConfigError`` when the text is no JSON or a value breaks its rule.
  package init(json text: String) throws(ServiceConfigError) {
    var bytes = Array(text.utf8)
    let result: Result<ServiceConfig, ServiceConfigError>
    do throws(JSONError) {
      result = try JSONParser(maximumDepth: 16).parse(&bytes) { root in
        Result { () throws(ServiceConfigError) in try ServiceConfig(Place("", root)) }
      }
    } catch {
      throw ServiceConfigError(place: "", problem: "not JSON: \(error)")
    }
    self = try result.get()
  }

  private init(_ root: Place) throws(ServiceConfigError) {
    self.init()
    try root.require(.object)
    for method in try root.elements("methodConfig") {
      let config = try MethodConfig(method)
      for name in try method.elements("name") {
        let path = try Self.path(name)
        guard methods.updateValue(config, forKey: path) == nil else {
          throw name.error("'\(path)' has a config already")
        }
      }
    }
    if let throttling = root.member("retryThrottling") {
      retryThrottling = try RetryThrottling(throttling)
    }
    loadBalancing = try Self.policy(root)
    if let health = root.member("healthCheckConfig") {
      healthCheckService = try health.member("serviceName")?.string()
    }
  }

  /// The key of ``methods`` for one `name`.
  private static func path(_ name: Place) throws(ServiceConfigError) -> String {
    let service = try name.member("service")?.string() ?? ""
    let method = try name.member("method")?.string() ?? ""
    if service.isEmpty {
      guard method.isEmpty else { throw name.error("a method needs its service") }
      return "/"
    }
    return "/\(service)/\(method)"
  }

  /// The first policy of the list that we know; the older single name counts without a list.
  private static func policy(_ root: Place) throws(ServiceConfigError) -> LoadBalancingPolicy? {
    let list = try root.elements("loadBalancingConfig")
    for entry in list {
      guard let name = entry.onlyKey else { throw entry.error("expected one policy") }
      if let policy = LoadBalancingPolicy(rawValue: name) { return policy }
    }
    guard list.isEmpty else {
      throw root.error("loadBalancingConfig names no policy that is known")
    }
    guard let name = root.member("loadBalancingPolicy") else { return nil }
    let text = try name.string().lowercased()
    guard let policy = LoadBalancingPolicy(rawValue: text) else {
      throw name.error("unknown policy '\(text)'")
    }
    return policy
  }
}

extension ServiceConfig.MethodConfig {
  fileprivate init(_ place: Place) throws(ServiceConfigError) {
    self.init()
    timeout = try place.member("timeout")?.duration()
    waitForReady = try place.member("waitForReady")?.bool() ?? false
    maxRequestMessageBytes = try place.member("maxRequestMessageBytes")?.integer(0...Int.max)
    maxResponseMessageBytes = try place.member("maxResponseMessageBytes")?.integer(0...Int.max)
    let retry = place.member("retryPolicy")
    let hedging = place.member("hedgingPolicy")
    if let hedging {
      guard retry == nil else {
        throw place.error("retryPolicy and hedgingPolicy exclude each other")
      }
      repetition = .hedging(try HedgingPolicy(hedging))
    } else if let retry {
      repetition = .retry(try RetryPolicy(retry))
    }
  }
}

extension RetryPolicy {
  fileprivate init(_ place: Place) throws(ServiceConfigError) {
    let codes = try place.codes("retryableStatusCodes")
    guard !codes.isEmpty else { throw place.error("retryableStatusCodes is empty") }
    self.init(
      maxAttempts: try place.required("maxAttempts").integer(2...Int.max),
      initialBackoff: try place.required("initialBackoff").positiveDuration(),
      maxBackoff: try place.required("maxBackoff").positiveDuration(),
      backoffMultiplier: try place.required("backoffMultiplier").positiveNumber(),
      retryableStatusCodes: codes
    )
  }
}

extension HedgingPolicy {
  fileprivate init(_ place: Place) throws(ServiceConfigError) {
    self.init(
      maxAttempts: try place.required("maxAttempts").integer(2...Int.max),
      hedgingDelay: try place.member("hedgingDelay")?.duration() ?? .zero,
      nonFatalStatusCodes: try place.codes("nonFatalStatusCodes")
    )
  }
}

extension RetryThrottling {
  fileprivate init(_ place: Place) throws(ServiceConfigError) {
    let ratio = try place.required("tokenRatio")
    // More than three decimal places are dropped (gRPC proposal A6).
    let thousandths = (try ratio.positiveNumber() * 1_000 + 1e-6).rounded(.down)
    guard (1...1_000_000).contains(thousandths) else { throw ratio.error("expected 0.001…1000") }
    self.init(
      maxTokens: try place.required("maxTokens").integer(1...1_000),
      ratioThousandths: Int(thousandths)
    )
  }
}

/// A value of the text and where it stands.
private struct Place {
  let path: String
  let value: JSONElement

  init(_ path: String, _ value: JSONElement) {
    self.path = path
    self.value = value
  }

  func error(_ problem: String) -> ServiceConfigError {
    ServiceConfigError(place: path, problem: problem)
  }

  func require(_ kind: JSONKind) throws(ServiceConfigError) {
    guard value.kind == kind else { throw error("expected \(kind)") }
  }

  /// A member of an object; null counts as missing.
  func member(_ name: String) -> Place? {
    guard let found = value.member(name), found.kind != .null else { return nil }
    return Place(path.isEmpty ? name : "\(path).\(name)", found)
  }

  func required(_ name: String) throws(ServiceConfigError) -> Place {
    guard let found = member(name) else { throw error("\(name) is missing") }
    return found
  }

  /// The elements of a member that is a list; none when it is missing.
  func elements(_ name: String) throws(ServiceConfigError) -> [Place] {
    guard let list = member(name) else { return [] }
    try list.require(.array)
    var elements: [Place] = []
    var cursor = list.value.first
    while !cursor.isEnd {
      elements.append(Place("\(list.path)[\(elements.count)]", cursor))
      cursor = cursor.next
    }
    return elements
  }

  /// The name of an object's only member.
  var onlyKey: String? {
    guard value.kind == .object, !value.first.isEnd, value.first.next.next.isEnd else { return nil }
    return value.first.string
  }

  func string() throws(ServiceConfigError) -> String {
    try require(.string)
    return value.string
  }

  func bool() throws(ServiceConfigError) -> Bool {
    switch value.kind {
    case .true: return true
    case .false: return false
    default: throw error("expected true or false")
    }
  }

  /// A whole number, also as a text (proto3 JSON).
  func integer(_ range: ClosedRange<Int>) throws(ServiceConfigError) -> Int {
    let found: Int? =
      switch value.kind {
      case .int64: Int(value.int64)
      case .string: Int(value.string)
      default: nil
      }
    guard let found, range.contains(found) else {
      let limit = range.upperBound == .max ? "" : "\(range.upperBound)"
      throw error("expected a whole number of \(range.lowerBound)…\(limit)")
    }
    return found
  }

  func positiveNumber() throws(ServiceConfigError) -> Double {
    let found: Double? =
      switch value.kind {
      case .int64: Double(value.int64)
      case .double: value.double
      default: nil
      }
    guard let found, found > 0 else { throw error("expected a number above zero") }
    return found
  }

  /// A `google.protobuf.Duration` in JSON: `1.5s`.
  func duration() throws(ServiceConfigError) -> Duration {
    let text = try string()
    let parts = text.dropLast().split(separator: ".", omittingEmptySubsequences: false)
    guard text.last == "s", (1...2).contains(parts.count),
      let seconds = Self.digits(parts[0], 1...12),
      let fraction = parts.count == 1 ? 0 : Self.digits(parts[1], 1...9)
    else { throw error("expected a duration such as 1.5s, not '\(text)'") }
    var nanoseconds = fraction
    for _ in 0..<(parts.count == 1 ? 0 : 9 - parts[1].count) { nanoseconds *= 10 }
    return .seconds(seconds) + .nanoseconds(nanoseconds)
  }

  func positiveDuration() throws(ServiceConfigError) -> Duration {
    let found = try duration()
    guard found > .zero else { throw error("expected more than no time") }
    return found
  }

  private static func digits(_ text: Substring, _ count: ClosedRange<Int>) -> Int64? {
    guard count.contains(text.utf8.count),
      text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
    else { return nil }
    return Int64(text)
  }

  /// A list of status codes by name or number.
  func codes(_ name: String) throws(ServiceConfigError) -> Set<StatusCode> {
    var codes: Set<StatusCode> = []
    for element in try elements(name) {
      let code: StatusCode? =
        switch element.value.kind {
        case .int64: StatusCode(rawValue: Int(element.value.int64))
        case .string:
          StatusCode.allCases.first { $0.name == element.value.string.uppercased() }
        default: nil
        }
      guard let code else { throw element.error("unknown status code") }
      codes.insert(code)
    }
    return codes
  }
}
