internal import HTTPCore

/// What the filters found out about a request before its body came.
struct RequestContext: Sendable {
  let identity: RequestIdentity
  /// What every answer to the request starts with.
  let base: HTTPHeaders
  /// The client; nil behind a Unix socket.
  let address: IPAddress?
  /// Errors are sent as `application/problem+json`.
  let wantsProblem: Bool
  let started: ContinuousClock.Instant
}

/// A request that may go on: it has a target, and its body is within the limit.
struct AdmittedRequest: Sendable {
  let head: HTTPRequestHead
  let context: RequestContext
  let target: RouteTarget
  /// Decoded values of the template's variables.
  let captures: [[UInt8]]
}

/// What a path leads to.
enum RouteTarget: Sendable {
  case call(Route)
  case page(Page)
  case file(FileOperation)
}
