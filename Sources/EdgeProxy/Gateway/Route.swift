internal import HTTPCore
internal import OneShotAPI
internal import Protobuf
internal import ProtobufJSON
internal import RPC

/// One public operation: the method it calls, how its message is built, and its policy.
final class Route: Sendable {
  /// Where the JSON body goes.
  enum Body: Sendable {
    case none
    case whole
    case field(FieldPlan)
  }

  let httpMethod: HTTPMethod
  let template: PathTemplate
  let method: MethodDescriptor
  let request: MessagePlan
  let response: MessagePlan
  let body: Body
  /// Prints this field of the reply instead of all of it.
  let responseField: FieldPlan?
  /// Fields that the path's variables set, in the template's order.
  let pathFields: [[FieldPlan]]
  let policy: EdgePolicy
  let rateLimits: [RatePolicy]
  let channel: Channel
  /// Fields of a stream's messages that name a server-sent event.
  let eventID: FieldPlan?
  let eventName: FieldPlan?

  /// Resolves names against the schema.
  ///
  /// - Throws: ``PathTemplate/Failure`` for anything that does not exist; found at start.
  init(
    _ descriptor: RouteDescriptor,
    schema: JSONSchema,
    policies: RatePolicies,
    channel: Channel
  ) throws(PathTemplate.Failure) {
    let name = "\(descriptor.httpMethod) \(descriptor.path)"
    guard let httpMethod = HTTPMethod(rawValue: descriptor.httpMethod) else {
      throw PathTemplate.Failure(description: "\(name): unknown method")
    }
    guard
      let request = schema.plan(named: descriptor.request.fullName),
      let response = schema.plan(named: descriptor.response.fullName)
    else { throw PathTemplate.Failure(description: "\(name): unknown message") }
    try Self.checkSupport(descriptor.policy, name)
    self.httpMethod = httpMethod
    self.request = request
    self.response = response
    self.channel = channel
    method = descriptor.method
    policy = descriptor.policy
    template = try PathTemplate(descriptor.path)
    body = try Self.body(descriptor.body, request, name)
    responseField = try Self.field(descriptor.responseBody, response, name)
    pathFields = try Self.paths(template, request, schema, name)
    rateLimits = try Self.limits(descriptor.policy, policies, name)
    eventID = response.field(named: "id")
    eventName = response.field(named: "event")
  }

  /// Largest accepted body.
  func bodyLimit(_ limits: EdgeLimits) -> Int {
    if case .none = body, !policy.rawBody { return 0 }
    return policy.maxBodyBytes > 0 ? policy.maxBodyBytes : limits.jsonBodyBytes
  }

  /// Status of a successful answer.
  var successStatus: HTTPStatus {
    policy.successStatus > 0 ? HTTPStatus(rawValue: policy.successStatus) : 200
  }

  /// Whether the answer is a stream of messages.
  var isStream: Bool { policy.stream != .none }

  /// Refuses, at start, what the schema can say and the edge cannot do: nothing is half done.
  private static func checkSupport(
    _ policy: EdgePolicy,
    _ name: String
  ) throws(PathTemplate.Failure) {
    switch policy.auth {
    case .none, .user, .admin: break
    case .shop, .service:
      throw PathTemplate.Failure(description: "\(name): auth \(policy.auth) is not supported")
    }
    guard policy.stream != .bytes else {
      throw PathTemplate.Failure(description: "\(name): streams of bytes are not supported")
    }
  }

  private static func body(
    _ text: String,
    _ request: MessagePlan,
    _ name: String
  ) throws(PathTemplate.Failure) -> Body {
    switch text {
    case "": return .none
    case "*": return .whole
    default:
      guard let field = try field(text, request, name) else { return .none }
      return .field(field)
    }
  }

  private static func field(
    _ text: String,
    _ message: MessagePlan,
    _ name: String
  ) throws(PathTemplate.Failure) -> FieldPlan? {
    if text.isEmpty { return nil }
    guard let field = message.field(named: text) else {
      throw PathTemplate.Failure(description: "\(name): \(message.info.fullName) has no \(text)")
    }
    return field
  }

  private static func paths(
    _ template: PathTemplate,
    _ request: MessagePlan,
    _ schema: JSONSchema,
    _ name: String
  ) throws(PathTemplate.Failure) -> [[FieldPlan]] {
    var paths: [[FieldPlan]] = []
    for variable in template.variables {
      guard let path = request.path(variable.field, in: schema) else {
        throw PathTemplate.Failure(description: "\(name): no field \(variable.field)")
      }
      paths.append(path)
    }
    return paths
  }

  private static func limits(
    _ policy: EdgePolicy,
    _ policies: RatePolicies,
    _ name: String
  ) throws(PathTemplate.Failure) -> [RatePolicy] {
    var limits: [RatePolicy] = []
    for limit in policy.rateLimits {
      guard let found = policies[limit] else {
        throw PathTemplate.Failure(description: "\(name): no rate policy \(limit)")
      }
      limits.append(found)
    }
    return limits
  }
}
