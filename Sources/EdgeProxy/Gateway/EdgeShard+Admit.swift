internal import HTTPCore

/// The first half of a request's way: all that can be said when its head is there.
extension EdgeShard {
  /// Decides what becomes of a request before its body is read.
  nonisolated func admit(_ head: HTTPRequestHead, from connection: ConnectionInfo) -> Admission {
    assumeIsolated { $0.admitted(head, connection) }
  }

  /// The order of the filters: ids, security fields, CORS, client address, route, body limit.
  ///
  /// What follows is in `serve`.
  private func admitted(_ head: HTTPRequestHead, _ connection: ConnectionInfo) -> Admission {
    let context = context(of: head, connection)
    if ResponseHeaderFilter.isPreflight(head) {
      return .answer(core.headers.preflight(context.base))
    }
    do {
      let request = try route(head, context)
      let limit = try bodyLimit(of: request)
      if case .file(.upload) = request.target { return .stream(request, limit: limit) }
      return .collect(request, limit: limit)
    } catch {
      return .answer(refusal(error, head, context))
    }
  }

  private func context(of head: HTTPRequestHead, _ connection: ConnectionInfo) -> RequestContext {
    let identity = identity(head.headers)
    let base = core.headers.base(
      isSecure: connection.isSecure,
      requestID: identity.requestID,
      origin: head.headers["origin"]
    )
    return RequestContext(
      identity: identity,
      base: base,
      address: core.clients.client(of: connection.peer, head.headers),
      wantsProblem: AcceptRule(head.headers).names("application/problem+json"),
      started: .now
    )
  }

  private func route(
    _ head: HTTPRequestHead,
    _ context: RequestContext
  ) throws(Problem) -> AdmittedRequest {
    switch core.router.find(head.method, head.path) {
    case .notFound:
      throw Problem("ROUTE_NOT_FOUND", "There is nothing at this path.")
    case .methodNotAllowed(let methods):
      var problem = Problem("METHOD_NOT_ALLOWED", "The path does not take this method.")
      problem.headers.append("allow", methods.map(\.rawValue).joined(separator: ", "))
      throw problem
    case .found(let target, let template, let segments):
      var captures: [[UInt8]] = []
      for variable in template.variables {
        captures.append(try capture(variable, segments, template))
      }
      return AdmittedRequest(head: head, context: context, target: target, captures: captures)
    }
  }

  private func capture(
    _ variable: PathTemplate.Variable,
    _ segments: [ArraySlice<UInt8>],
    _ template: PathTemplate
  ) throws(Problem) -> [UInt8] {
    do {
      return try PathCapture.value(of: variable, in: segments, template: template)
    } catch {
      switch error {
      case .malformed: throw Problem("INVALID_ARGUMENT", "The path is not valid UTF-8.")
      case .impossible: throw Problem("ROUTE_NOT_FOUND", "There is nothing at this path.")
      }
    }
  }

  /// The largest body of the request; a longer declared one is refused unread.
  private func bodyLimit(of request: AdmittedRequest) throws(Problem) -> Int {
    let limit =
      switch request.target {
      case .call(let route): route.bodyLimit(limits)
      case .page: 0
      case .file(let operation): try core.files.bodyLimit(of: operation, request.head)
      }
    if let length = HeaderRules.contentLength(request.head.headers), length > limit {
      throw .bodyTooLarge(limit)
    }
    return limit
  }

  private func refusal(
    _ problem: Problem,
    _ head: HTTPRequestHead,
    _ context: RequestContext
  ) -> EdgeResponse {
    if head.method == .options, problem.status == 405 {
      var headers = context.base
      if let allow = problem.headers["allow"] { headers.append("allow", allow) }
      return EdgeResponse(204, headers)
    }
    noteEnd(head, context, route: "none", status: problem.status, reason: problem.reason, nil)
    return answer(to: problem, context)
  }
}
