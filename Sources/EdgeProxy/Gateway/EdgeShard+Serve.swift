internal import Foundation
internal import HTTPCore
internal import OneShotAPI
internal import RPC

/// The second half of a request's way, when its body is there.
extension EdgeShard {
  /// Serves a request and sends its answer.
  func serve(_ request: AdmittedRequest, _ body: [UInt8], for client: Client) async {
    var ending = Ending()
    do {
      switch request.target {
      case .call(let route): try await call(route, request, body, client, &ending)
      case .page(let page):
        let response = await core.pages.answer(page, request)
        ending.status = response.head.status
        await client.respond(response)
      case .file(let operation):
        ending.status = try await core.files.serve(operation, request, client, on: loop)
      }
    } catch let problem as Problem {
      ending.note(problem)
      await client.respond(answer(to: problem, request.context))
    } catch {
      let problem = Problem(ServiceError.wrapping(error))
      ending.note(problem)
      logFailure(error, request)
      await client.respond(answer(to: problem, request.context))
    }
    noteEnd(
      request.head,
      request.context,
      route: request.target.name,
      status: ending.status,
      reason: ending.reason,
      ending.token
    )
  }

  /// What the log says about a request.
  struct Ending {
    var status: HTTPStatus = 200
    var reason: String?
    var token: VerifiedToken?

    mutating func note(_ problem: Problem) {
      status = problem.status
      reason = problem.reason
    }
  }

  /// The order of the filters: token → rates and revocation → transcoding → call → answer.
  private func call(
    _ route: Route,
    _ request: AdmittedRequest,
    _ body: [UInt8],
    _ client: Client,
    _ ending: inout Ending
  ) async throws {
    let token = try await authenticate(request, route)
    ending.token = token
    let limits = try await checkRates(request, route, token, body)
    try checkHeaders(request, route, body)
    var body = body
    let message = try Transcoder(schema: core.schema).message(request, route, &body, parser) {
      core.logger.info("dropped fields of a request", metadata: ["fields": "\($0)"])
    }
    let options = try callOptions(request, route, token)
    if route.isStream {
      let stream = EventStream(
        route,
        request,
        client,
        base: answerHeaders(request, limits),
        shard: self
      )
      ending.status = try await stream.run(message, options, token: token)
    } else {
      let response = try await answer(route, request, message, options, limits)
      ending.status = response.head.status
      await client.respond(response)
    }
  }

  // MARK: Token

  private func authenticate(
    _ request: AdmittedRequest,
    _ route: Route
  ) async throws(Problem) -> VerifiedToken? {
    let values = request.head.headers.values("authorization")
    guard let value = values.first else {
      if route.policy.auth == .none { return nil }
      var problem = Problem("UNAUTHENTICATED", "Send an access token.")
      problem.headers.append("www-authenticate", Problem.challenge)
      throw problem
    }
    do {
      guard values.count == 1, let token = Self.bearer(value) else { throw TokenFailure.malformed }
      let verified = try await verify(token)
      if route.policy.auth == .admin, verified.principal.role != .admin {
        throw Problem("PERMISSION_DENIED", "The account may not do this.")
      }
      return verified
    } catch let problem as Problem {
      throw problem
    } catch {
      // A public operation needs no token, so a bad one does no harm there.
      if route.policy.auth == .none { return nil }
      throw Self.refusal(of: error as? TokenFailure ?? .malformed)
    }
  }

  private func verify(_ token: String) async throws(TokenFailure) -> VerifiedToken {
    let now = core.clock.now()
    if let known = tokens.known(token, now: now) { return known }
    let verified = try await TokenVerifier.check(token, with: tokens.signingKeys, now: now)
    tokens.remember(token, verified, now: now)
    return verified
  }

  private static func bearer(_ value: String) -> String? {
    guard value.utf8.count > 7, value.prefix(7).lowercased() == "bearer " else { return nil }
    return String(value.dropFirst(7))
  }

  private static func refusal(of failure: TokenFailure) -> Problem {
    var problem =
      failure == .expired
      ? Problem("TOKEN_EXPIRED", "The access token has expired.")
      : Problem("INVALID_TOKEN", "The access token is not valid.")
    problem.headers.append("www-authenticate", Problem.invalidTokenChallenge)
    return problem
  }

  // MARK: Rates

  private func checkRates(
    _ request: AdmittedRequest,
    _ route: Route,
    _ token: VerifiedToken?,
    _ body: [UInt8]
  ) async throws(Problem) -> RateDecision {
    let buckets = RateLimitFilter.buckets(
      route.rateLimits,
      address: request.context.address,
      token: token
    ) { RateLimitFilter.member($0, of: body, parser) }
    let decision = try await core.limiter.decide(
      buckets,
      session: token?.session,
      refusesWithoutRedis: route.rateLimits.contains { $0.fallback == .refuse }
    )
    if decision.isRevoked {
      var problem = Problem("SESSION_REVOKED", "The session has ended. Sign in again.")
      problem.headers.append("www-authenticate", Problem.invalidTokenChallenge)
      throw problem
    }
    guard decision.isAllowed else {
      var problem = Problem("RATE_LIMITED", "Too many requests. Wait before you try again.")
      problem.retryAfter = RateHeaders.retryAfter(decision)
      RateHeaders.append(decision, unixSeconds: unixSeconds, to: &problem.headers)
      throw problem
    }
    return decision
  }

  // MARK: Call

  private func checkHeaders(
    _ request: AdmittedRequest,
    _ route: Route,
    _ body: [UInt8]
  ) throws(Problem) {
    if !body.isEmpty, !route.policy.rawBody {
      try HeaderRules.checkJSONContentType(request.head.headers)
    }
    let accept = AcceptRule(request.head.headers)
    let isReadable =
      route.isStream
      ? accept.allows("text/event-stream") || accept.allows("application/x-ndjson")
      : accept.allows("application/json") || accept.names("application/problem+json")
    guard isReadable else {
      throw Problem("NOT_ACCEPTABLE", "The answer is application/json.")
    }
  }

  private func callOptions(
    _ request: AdmittedRequest,
    _ route: Route,
    _ token: VerifiedToken?
  ) throws(Problem) -> CallOptions {
    var key: String?
    if route.policy.idempotency != .none {
      key = try HeaderRules.idempotencyKey(
        request.head.headers,
        isRequired: route.policy.idempotency == .required
      )
    }
    var lastEventID: String?
    if route.isStream {
      let query = request.head.query.flatMap { HTTPQuery($0)?[Transcoder.streamParameter] }
      lastEventID = try HeaderRules.lastEventID(request.head.headers, query: query)
    }
    return CallOptions(
      metadata: CallMetadata.make(
        request,
        route,
        token,
        idempotencyKey: key,
        lastEventID: lastEventID
      )
    )
  }

  private func answer(
    _ route: Route,
    _ request: AdmittedRequest,
    _ message: [UInt8],
    _ options: CallOptions,
    _ limits: RateDecision
  ) async throws -> EdgeResponse {
    let reply: RPCReply
    do {
      reply = try await route.channel.unaryReply(route.method, message, options: options)
    } catch {
      logFailure(error, request)
      throw Problem(error)
    }
    var headers = answerHeaders(request, limits)
    headers.append("content-type", "application/json")
    headers.append("cache-control", "no-store")
    for name in ["location", "idempotent-replayed", "retry-after"] {
      if let value = reply.headers.values(of: name).first { headers.append(name, value) }
    }
    let status = reply.headers["x-http-status"].flatMap { Int($0) }
    let body = try Transcoder(schema: core.schema).json(reply.message, route)
    return EdgeResponse(
      status.map(HTTPStatus.init(rawValue:)) ?? route.successStatus,
      headers,
      body: body
    )
  }

  /// What a successful answer starts with.
  private func answerHeaders(_ request: AdmittedRequest, _ limits: RateDecision) -> HTTPHeaders {
    var headers = request.context.base
    RateHeaders.append(limits, unixSeconds: unixSeconds, to: &headers)
    return headers
  }

  /// Logs what the public answer keeps back.
  private func logFailure(_ error: any Error, _ request: AdmittedRequest) {
    let failure = ServiceError.wrapping(error)
    guard StatusTable.httpStatus(of: failure.code).rawValue >= 500 else { return }
    core.logger.error(
      "call failed",
      metadata: [
        "request_id": .string(request.context.identity.requestID),
        "route": .string(request.target.name),
        "error": .string("\(failure)"),
      ]
    )
  }
}

extension RouteTarget {
  /// Name for metrics and logs: a template, so their number is bounded.
  var name: String {
    switch self {
    case .call(let route): route.template.text
    case .page(let page): page.rawValue
    case .file: "/files/{key=**}"
    }
  }
}
