internal import SwiftProtobuf
internal import SwiftProtobufPluginLibrary

/// Builds the OpenAPI 3.1 document of the public operations.
struct OpenAPIWriter {
  private let routes: [RouteBinding]
  private let reasons: [ErrorReason]

  init(routes: [RouteBinding], reasons: [ErrorReason]) {
    self.routes = routes
    self.reasons = reasons
  }

  func document() -> JSONText {
    var schemas = OpenAPISchemas()
    let paths = self.paths(&schemas)
    let components = schemas.components() + [("Problem", problem())]
    return [
      "openapi": "3.1.0",
      "info": [
        "title": "OneShot API",
        "version": "1",
        "description": "AI photo and video jobs: accounts, uploads, jobs, credits and plans.",
      ],
      "paths": .object(paths),
      "components": [
        "schemas": .object(components.sorted { $0.0 < $1.0 }),
        "responses": ["Problem": problemResponse()],
        "securitySchemes": [
          "accessToken": ["type": "http", "scheme": "bearer", "bearerFormat": "JWT"],
          "shopSession": ["type": "http", "scheme": "bearer"],
          "operatorToken": ["type": "http", "scheme": "bearer"],
        ],
      ],
      "x-error-codes": errorCodes(),
    ]
  }

  private func paths(_ schemas: inout OpenAPISchemas) -> [(String, JSONText)] {
    var order: [String] = []
    var operations: [String: [(String, JSONText)]] = [:]
    for route in routes {
      let path = openPath(route.path)
      if operations[path] == nil { order.append(path) }
      let operation = operation(route, &schemas)
      operations[path, default: []].append((route.httpMethod.lowercased(), operation))
    }
    return order.sorted().map { ($0, .object(operations[$0] ?? [])) }
  }

  /// `/v1/{name=jobs/*}` → `/v1/{name}`: OpenAPI knows plain variables only.
  private func openPath(_ path: String) -> String {
    var result = ""
    var isPattern = false
    for character in path {
      if character == "=" { isPattern = true }
      if character == "}" { isPattern = false }
      if !isPattern { result.append(character) }
    }
    return result
  }

  private func operation(_ route: RouteBinding, _ schemas: inout OpenAPISchemas) -> JSONText {
    let method = route.method
    let suffix = route.index == 0 ? "" : "_\(route.index + 1)"
    let service = method.service.name
    let tag = service.hasSuffix("Service") ? String(service.dropLast(7)) : service
    var members: [(String, JSONText)] = [
      ("operationId", .string("\(tag)_\(method.name)\(suffix)")),
      ("tags", [.string(tag)]),
      ("summary", .string(route.summary)),
    ]
    let comment = method.plainComment
    if comment.count > 1 {
      members.append(("description", .string(comment.joined(separator: "\n"))))
    }
    let parameters = parameters(route, &schemas)
    if !parameters.isEmpty { members.append(("parameters", .array(parameters))) }
    if let body = requestBody(route, &schemas) { members.append(("requestBody", body)) }
    members.append(("responses", responses(route, &schemas)))
    members.append(("security", security(route)))
    if !route.policy.rateLimit.isEmpty {
      members.append(("x-rate-limits", .array(route.policy.rateLimit.map { .string($0) })))
    }
    if route.policy.developmentOnly { members.append(("x-development-only", .bool(true))) }
    return .object(members)
  }

  private func security(_ route: RouteBinding) -> JSONText {
    switch route.policy.auth {
    case .user, .admin: [["accessToken": []]]
    case .shop: [["shopSession": []]]
    case .service: [["operatorToken": []]]
    case .none, .unspecified, .UNRECOGNIZED: []
    }
  }

  // MARK: Parameters

  private func parameters(_ route: RouteBinding, _ schemas: inout OpenAPISchemas) -> [JSONText] {
    var parameters: [JSONText] = []
    for name in route.pathFields {
      guard let field = route.method.inputType.field(path: name) else { continue }
      parameters.append(parameter(name, in: "path", schemas.value(field), field.plainComment))
    }
    if route.body != "*", !route.policy.rawBody {
      parameters += queryParameters(route, &schemas)
    }
    if route.policy.idempotency != .none {
      parameters.append([
        "name": "Idempotency-Key",
        "in": "header",
        "required": .bool(route.policy.idempotency == .required),
        "schema": ["type": "string", "minLength": .integer(1), "maxLength": .integer(255)],
      ])
    }
    if route.policy.stream == .sse {
      parameters.append(parameter("Last-Event-ID", in: "header", ["type": "string"], []))
    }
    return parameters
  }

  private func queryParameters(
    _ route: RouteBinding,
    _ schemas: inout OpenAPISchemas
  ) -> [JSONText] {
    let taken = Set(route.pathFields + [route.body])
    return route.method.inputType.fields.compactMap { field in
      let isLeaf = field.type != .message || field.messageType.file.package == "google.protobuf"
      guard !taken.contains(field.name), isLeaf, !field.isMap else { return nil }
      return parameter(field.name, in: "query", schemas.value(field), field.plainComment)
    }
  }

  private func parameter(
    _ name: String,
    in place: String,
    _ schema: JSONText,
    _ comment: [String]
  ) -> JSONText {
    var members: [(String, JSONText)] = [("name", .string(name)), ("in", .string(place))]
    if place == "path" { members.append(("required", .bool(true))) }
    if !comment.isEmpty {
      members.append(("description", .string(comment.joined(separator: "\n"))))
    }
    members.append(("schema", schema))
    return .object(members)
  }

  // MARK: Bodies

  private func requestBody(_ route: RouteBinding, _ schemas: inout OpenAPISchemas) -> JSONText? {
    let input = route.method.inputType
    if route.policy.rawBody {
      return ["required": .bool(true), "content": ["*/*": [:]]]
    }
    guard !route.body.isEmpty, let input else { return nil }
    let schema: JSONText
    if route.body == "*" {
      let excluded = Set(route.pathFields)
      schema =
        excluded.isEmpty ? schemas.reference(input) : schemas.object(input, without: excluded)
    } else {
      guard let field = input.field(path: route.body) else { return nil }
      schema = schemas.value(field)
    }
    return ["required": .bool(true), "content": ["application/json": ["schema": schema]]]
  }

  private func responses(_ route: RouteBinding, _ schemas: inout OpenAPISchemas) -> JSONText {
    let status = route.policy.successStatus == 0 ? 200 : Int(route.policy.successStatus)
    let output: Descriptor = route.method.outputType
    var schema = schemas.reference(output)
    if let field = output.field(path: route.responseBody) { schema = schemas.value(field) }
    let content: JSONText =
      switch route.policy.stream {
      case .sse:
        ["text/event-stream": ["schema": schema], "application/x-ndjson": ["schema": schema]]
      case .ndjson: ["application/x-ndjson": ["schema": schema]]
      case .bytes: ["application/octet-stream": [:]]
      case .none, .UNRECOGNIZED: ["application/json": ["schema": schema]]
      }
    return .object([
      ("\(status)", ["description": "Success.", "content": content]),
      ("default", ["$ref": "#/components/responses/Problem"]),
    ])
  }

  // MARK: Errors

  private func problemResponse() -> JSONText {
    let media: JSONText = ["schema": ["$ref": "#/components/schemas/Problem"]]
    return [
      "description": "What went wrong; x-error-codes lists every error_code.",
      "content": ["application/json": media, "application/problem+json": media],
    ]
  }

  private func problem() -> JSONText {
    [
      "type": "object",
      "description": "RFC 9457 problem details with the members that clients test.",
      "properties": [
        "type": ["type": "string"],
        "title": ["type": "string"],
        "status": ["type": "integer"],
        "detail": ["description": "Text; for CONSENT_REQUIRED an object."],
        "error_code": [
          "type": "string", "enum": .array(reasons.map { .string($0.name) }),
        ],
        "request_id": ["type": "string"],
      ],
      "required": ["status", "detail", "error_code", "request_id"],
    ]
  }

  private func errorCodes() -> JSONText {
    .object(
      reasons.map { reason in
        (
          reason.name,
          [
            "status": .integer(Int(reason.status)),
            "title": .string(reason.title),
            "remedy": .string(reason.remedy),
          ]
        )
      }
    )
  }
}
