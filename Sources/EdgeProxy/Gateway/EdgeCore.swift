internal import Foundation
internal import HTTPCore
internal import JWTKit
internal import Logging
internal import ProtobufJSON
internal import ServiceKit

/// What all loops of the edge share; built once at start, never changed.
final class EdgeCore: Sendable {
  let limits: EdgeLimits
  let schema: JSONSchema
  let router: Router<RouteTarget>
  let headers: ResponseHeaderFilter
  let clients: ClientAddressFilter
  let limiter: RateLimiter
  let tokenKey: ES256PublicKey
  let pages: Pages
  let files: FileService
  let clock: any WallClock
  let logger: Logger
  let metrics: EdgeMetrics
  let ends: ConnectionEnds
  /// Address of the documentation page, the base of every problem's `type`.
  let documentation: String

  init(
    limits: EdgeLimits = EdgeLimits(),
    schema: JSONSchema,
    router: Router<RouteTarget>,
    headers: ResponseHeaderFilter,
    clients: ClientAddressFilter,
    limiter: RateLimiter,
    tokenKey: ES256PublicKey,
    pages: Pages,
    files: FileService,
    clock: any WallClock,
    logger: Logger,
    documentation: String
  ) {
    self.limits = limits
    self.schema = schema
    self.router = router
    self.headers = headers
    self.clients = clients
    self.limiter = limiter
    self.tokenKey = tokenKey
    self.pages = pages
    self.files = files
    self.clock = clock
    self.logger = logger
    self.documentation = documentation
    metrics = EdgeMetrics()
    ends = ConnectionEnds(port: "edge", logger: logger)
  }
}
