internal import SwiftProtobuf
internal import SwiftProtobufPluginLibrary

/// One HTTP binding of a method, checked against the schema.
struct RouteBinding {
  let method: MethodDescriptor
  let httpMethod: String
  let path: String
  /// Empty, `*`, or a field of the request.
  let body: String
  /// Empty, or a field of the response.
  let responseBody: String
  let policy: Oneshot_Options_V1_EdgeOptions
  /// 0 is the rule itself, 1… its additional bindings.
  let index: Int

  /// All bindings of the schema's services, as declared.
  static func all(_ schema: Schema) throws -> [RouteBinding] {
    var bindings: [RouteBinding] = []
    for method in schema.files.flatMap(\.services).flatMap(\.methods) {
      guard method.options.hasOneshot_Generator_http else { continue }
      guard method.options.hasOneshot_Options_V1_edge else {
        throw GenerationError("\(method.fullName): has google.api.http but no edge policy")
      }
      let rule = method.options.Oneshot_Generator_http
      for (index, rule) in ([rule] + rule.additionalBindings).enumerated() {
        bindings.append(try RouteBinding(method, rule, index))
      }
    }
    var seen: [String: String] = [:]
    for binding in bindings {
      let key = binding.httpMethod + " " + binding.shape
      if let other = seen[key] {
        throw GenerationError("\(binding.method.fullName): \(key) belongs to \(other)")
      }
      seen[key] = binding.method.fullName
    }
    return bindings
  }

  private init(
    _ method: MethodDescriptor,
    _ rule: Oneshot_Generator_HttpRule,
    _ index: Int
  ) throws {
    self.method = method
    self.index = index
    policy = method.options.Oneshot_Options_V1_edge
    body = rule.body
    responseBody = rule.responseBody
    switch rule.pattern {
    case .get(let path): (httpMethod, self.path) = ("GET", path)
    case .put(let path): (httpMethod, self.path) = ("PUT", path)
    case .post(let path): (httpMethod, self.path) = ("POST", path)
    case .delete(let path): (httpMethod, self.path) = ("DELETE", path)
    case .patch(let path): (httpMethod, self.path) = ("PATCH", path)
    case .custom(let custom): (httpMethod, self.path) = (custom.kind, custom.path)
    case nil: throw GenerationError("\(method.fullName): the HTTP rule has no path")
    }
    try check()
  }

  /// Fields that the path sets, as dotted names, in order.
  var pathFields: [String] {
    path.split(separator: "{").dropFirst().compactMap { part in
      part.split(whereSeparator: { "=}".contains($0) }).first.map(String.init)
    }
  }

  /// The path with its variables' names left out: equal shapes would collide.
  private var shape: String {
    path.split(separator: "/").map { segment in
      segment.hasPrefix("{") && !segment.contains("=") ? "*" : String(segment)
    }.joined(separator: "/")
  }

  private func check() throws {
    func refuse(_ problem: String) -> GenerationError {
      GenerationError("\(method.fullName): \(problem)")
    }
    guard path.hasPrefix("/") else { throw refuse("the path \(path) does not begin with /") }
    guard policy.auth != .unspecified else { throw refuse("(edge).auth is missing") }
    guard method.options.Oneshot_Options_V1_rpc.allow.contains("edge") else {
      throw refuse("has a route, but (rpc).allow does not name the edge")
    }
    for name in pathFields {
      guard let field = method.inputType.field(path: name) else {
        throw refuse("\(method.inputType.fullName) has no field \(name)")
      }
      guard !field.isRepeated, field.type != .message else {
        throw refuse("the path's field \(name) is not a single scalar")
      }
    }
    if !body.isEmpty, body != "*", method.inputType.field(path: body) == nil {
      throw refuse("the body's field \(body) does not exist")
    }
    if !responseBody.isEmpty, method.outputType.field(path: responseBody) == nil {
      throw refuse("the response's field \(responseBody) does not exist")
    }
    guard !method.clientStreaming else { throw refuse("a client stream cannot have a route") }
    guard method.serverStreaming == (policy.stream != .none) else {
      throw refuse("(edge).stream does not fit the kind of method")
    }
  }
}

extension Descriptor {
  /// The field of a dotted path.
  func field(path: String) -> FieldDescriptor? {
    var message: Descriptor? = self
    var field: FieldDescriptor?
    for name in path.split(separator: ".") {
      guard let found = message?.fields.first(where: { $0.name == name }) else { return nil }
      field = found
      message = found.messageType
    }
    return field
  }
}
