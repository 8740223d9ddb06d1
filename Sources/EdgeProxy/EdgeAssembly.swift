internal import Foundation
internal import HTTPCore
internal import HTTPClient
internal import JWTKit
internal import Logging
internal import Net
internal import ObjectStore
internal import OneShotAPI
internal import ProtobufJSON
internal import RPC
internal import ServiceKit

/// Builds the edge from its configuration and the generated tables.
enum EdgeAssembly {
  /// Messages that may stand in a `google.protobuf.Any` need no registration: the API has none.
  static func schema(_ routes: [RouteDescriptor]) -> JSONSchema {
    JSONSchema(roots: routes.flatMap { [$0.request, $0.response] })
  }

  /// The router of the public operations, the edge's pages and the files.
  ///
  /// - Throws: ``PathTemplate/Failure`` when the tables contradict each other.
  static func router(
    _ routes: [RouteDescriptor],
    schema: JSONSchema,
    policies: RatePolicies,
    environment: DeploymentEnvironment,
    channel: (ServiceName) throws -> Channel
  ) throws -> Router<RouteTarget> {
    var router = Router<RouteTarget>()
    for descriptor in routes {
      if descriptor.policy.developmentOnly, environment != .development { continue }
      let service = try service(of: descriptor.method)
      let route = try Route(
        descriptor,
        schema: schema,
        policies: policies,
        channel: channel(service)
      )
      try router.add(route.httpMethod, route.template, .call(route))
    }
    for page in Page.allCases {
      try router.add(.get, PathTemplate(page.rawValue), .page(page))
    }
    let files = try PathTemplate("/files/{key=**}")
    try router.add(.get, files, .file(.download))
    try router.add(.put, files, .file(.upload))
    return router
  }

  /// The service that a method belongs to: `oneshot.<service>.v1.…`.
  private static func service(of method: MethodDescriptor) throws -> ServiceName {
    let parts = method.service.split(separator: ".")
    guard parts.count > 2, parts[0] == "oneshot", let name = ServiceName(rawValue: String(parts[1]))
    else {
      throw PathTemplate.Failure(description: "\(method.service): no service of this name")
    }
    return name
  }

  /// The parts of the edge's process.
  static func parts(_ app: ServiceContext, _ config: EdgeConfiguration) throws -> ServiceParts {
    let schema = schema(RouteTable.all)
    let router = try router(
      RouteTable.all,
      schema: schema,
      policies: config.ratePolicies,
      environment: app.common.environment,
      channel: app.channel
    )
    let http = HTTPClient(group: app.group)
    let store = try config.store.makeStore(http: http, group: app.group)
    let redis = app.redis
    let drain = app.drain
    let readiness = PublicReadiness(
      checks: [
        HealthCheck("redis") {
          _ = try await redis.command("PING"); return [:]
        }
      ] + app.peerChecks,
      clock: app.clock
    ) { drain.isDraining }
    let core = EdgeCore(
      limits: config.limits,
      schema: schema,
      router: router,
      headers: ResponseHeaderFilter(allowedOrigins: config.allowedOrigins),
      clients: ClientAddressFilter(trustedProxies: config.trustedProxies),
      limiter: RateLimiter(redis: redis, logger: app.logger),
      tokenKey: try ES256PublicKey(pem: config.tokenKey),
      pages: Pages(
        openAPI: Array(OpenAPIDocument.json.utf8),
        documentation: DocumentationPage.html(routes: RouteTable.all, reasons: ErrorReasons.all),
        readiness: readiness
      ),
      files: FileService(store),
      clock: app.clock,
      logger: app.logger,
      documentation: config.store.publicBaseURL + Page.documentation.rawValue
    )
    let server = EdgeServer(try bindings(config, app.logger), core: core, group: app.group)
    return ServiceParts(servers: [server])
  }

  private static func bindings(
    _ config: EdgeConfiguration,
    _ logger: Logger
  ) throws -> [EdgeServer.Binding] {
    var bindings = [EdgeServer.Binding(endpoint: config.httpListen, tls: nil)]
    if let endpoint = config.httpsListen {
      let tls = try TLSContext.observed(
        .publicServer(certificateFile: config.httpsCertificate, keyFile: config.httpsKey),
        logger: logger
      )
      bindings.append(EdgeServer.Binding(endpoint: endpoint, tls: tls))
    }
    return bindings
  }
}
