internal import HTTPCore
internal import JSON
internal import ProtobufJSON
internal import RPC

/// Turns requests into messages and replies into JSON (google.api.http).
struct Transcoder {
  let schema: JSONSchema
  /// Query parameters that streams understand themselves.
  static let streamParameter = "last_event_id"

  /// The framed message of a request.
  ///
  /// `noteIgnored` is told the names of fields that were dropped as the schema says.
  func message(
    _ request: AdmittedRequest,
    _ route: Route,
    _ body: inout [UInt8],
    _ parser: JSONParser,
    noteIgnored: ([String]) -> Void
  ) throws(Problem) -> [UInt8] {
    do throws(TranscodingError) {
      var message = RequestMessage(
        route.request,
        in: schema,
        ignoresUnknownFields: !route.policy.dialect.isEmpty
      )
      try readBody(&body, into: &message, route, parser)
      for (path, value) in zip(route.pathFields, request.captures) {
        try message.setPathParameter(path, value)
      }
      try readQuery(request.head, into: &message, route)
      let ignored = message.ignoredFields
      if !ignored.isEmpty { noteIgnored(ignored) }
      return message.packed(reserving: RPCFraming.prefixLength)
    } catch {
      throw Problem(error)
    }
  }

  private func readBody(
    _ body: inout [UInt8],
    into message: inout RequestMessage,
    _ route: Route,
    _ parser: JSONParser
  ) throws(TranscodingError) {
    switch route.body {
    case .none: return
    case .whole:
      // An operation whose fields are all optional may be called without a body.
      if body.isEmpty, route.request.fields.allSatisfy(\.info.hasPresence) { return }
      try message.readBody(&body, with: parser)
    case .field(let field):
      if route.policy.rawBody { return try message.setBytes(field, body) }
      if body.isEmpty { return }
      try message.readBody(&body, with: parser, into: field)
    }
  }

  private func readQuery(
    _ head: HTTPRequestHead,
    into message: inout RequestMessage,
    _ route: Route
  ) throws(TranscodingError) {
    guard let bytes = head.query, !bytes.isEmpty else { return }
    guard let query = HTTPQuery(bytes) else {
      throw TranscodingError(.invalidValue, "The query is malformed.")
    }
    var names: [String] = []
    for item in query.items where !names.contains(item.name) { names.append(item.name) }
    for name in names {
      if route.isStream, name == Self.streamParameter { continue }
      if case .whole = route.body {
        throw TranscodingError(.unknownParameter, "There is no query parameter '\(name)'.")
      }
      let values = query.items.filter { $0.name == name }.map { Array($0.value.utf8) }
      try message.setQueryParameter(name, values)
    }
  }

  /// The JSON of a reply.
  func json(_ reply: [UInt8], _ route: Route) throws(Problem) -> [UInt8] {
    var output: [UInt8] = []
    let failure = reply.withUnsafeBytes { bytes -> TranscodingError? in
      do throws(TranscodingError) {
        try schema.print(bytes, as: route.response, field: route.responseField, to: &output)
        return nil
      } catch {
        return error
      }
    }
    if let failure { throw Problem(failure) }
    return output
  }

  /// A scalar field of a reply as text.
  func text(of field: FieldPlan?, in reply: [UInt8], _ route: Route) -> String? {
    guard let field else { return nil }
    return reply.withUnsafeBytes { schema.text(of: field, in: $0, as: route.response) }
  }
}
