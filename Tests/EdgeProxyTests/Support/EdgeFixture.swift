import EventLoop
import Foundation
import HTTPCore
import JWTKit
import Logging
import Net
import ObjectStore
import OneShotAPI
import RPC
import Redis
import ServiceKit
import Testing

@testable import EdgeProxy

/// A whole edge on a free port, with services that answer from memory behind mutual TLS.
struct EdgeFixture {
  let port: UInt16
  let mint: TokenMint
  let redis: RedisClient
  /// Folder of the disk store.
  let folder: URL
  let store: DiskObjectStore
  let edge: EdgeServer
  let backend: RPCServer

  /// What a test may change.
  struct Options {
    var overrides =
      "ip.global=off,user.default=off,auth.login=off,auth.register=off,upload=off,"
      + "jobs.create=off"
    var origins: Set<String> = ["https://app.example"]
    var limits = EdgeLimits()
    var redisURL: String?
    var environment = DeploymentEnvironment.production
  }

  /// Runs `body` against an edge; everything is stopped afterwards.
  static func run(
    _ options: Options = Options(),
    _ body: (EdgeFixture) async throws -> Void
  ) async throws {
    let group = try EventLoopGroup(count: 2)
    let redis = try RedisClient(
      url: options.redisURL ?? TestRedis.url(),
      group: group,
      commandTimeout: .seconds(5),
      logger: .quiet
    )
    let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("edge-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let backend = try await startBackend(group)
    let channel = Channel(
      try .init(
        target: backend.address.description,
        serverName: "jobs",
        tls: certificate(.client, "edge")
      ),
      group: group
    )
    let store = try DiskObjectStore(
      root: folder.path,
      publicBaseURL: "http://edge.test",
      signingKey: String(repeating: "k", count: 32),
      group: group
    )
    let mint = TokenMint()
    let core = try core(options, redis, channel, store, mint)
    let edge = EdgeServer(
      [.init(endpoint: try Endpoint("127.0.0.1:0"), tls: nil)],
      core: core,
      group: group
    )
    try await edge.start()
    let fixture = EdgeFixture(
      port: try #require(await edge.addresses.first).port,
      mint: mint,
      redis: redis,
      folder: folder,
      store: store,
      edge: edge,
      backend: backend
    )
    let result: Result<Void, any Error>
    do { result = .success(try await body(fixture)) } catch { result = .failure(error) }
    await edge.drain(within: .seconds(1))
    await channel.close()
    await backend.drain(timeout: .seconds(1))
    await redis.shutdown()
    group.stop()
    try FileManager.default.removeItem(at: folder)
    try result.get()
  }

  private static func core(
    _ options: Options,
    _ redis: RedisClient,
    _ channel: Channel,
    _ store: DiskObjectStore,
    _ mint: TokenMint
  ) throws -> EdgeCore {
    let schema = EdgeAssembly.schema(RouteTable.all)
    let router = try EdgeAssembly.router(
      RouteTable.all,
      schema: schema,
      policies: RatePolicies(overrides: options.overrides),
      environment: options.environment
    ) { _ in channel }
    return EdgeCore(
      limits: options.limits,
      schema: schema,
      router: router,
      headers: ResponseHeaderFilter(allowedOrigins: options.origins),
      clients: ClientAddressFilter(trustedProxies: [IPBlock("127.0.0.0/8")].compactMap { $0 }),
      limiter: RateLimiter(redis: redis, logger: .quiet),
      tokenKey: mint.key.publicKey,
      pages: Pages(
        openAPI: Array("{}".utf8),
        documentation: Array("<html>".utf8),
        readiness: PublicReadiness(checks: [], clock: SystemWallClock()) { false }
      ),
      files: FileService(store),
      clock: SystemWallClock(),
      logger: .quiet,
      documentation: "http://edge.test/docs"
    )
  }

  static func certificate(
    _ role: TLSContext.Configuration.Role,
    _ name: String
  ) throws -> TLSContext {
    let directory = try #require(
      ProcessInfo.processInfo.environment["ONESHOT_TEST_CERTS_DIR"],
      "set ONESHOT_TEST_CERTS_DIR, or run make test"
    )
    return try TLSContext(
      .mutual(
        role,
        certificateFile: "\(directory)/\(name).crt",
        keyFile: "\(directory)/\(name).key",
        authorityFile: "\(directory)/ca.crt"
      )
    )
  }

  // MARK: Requests

  /// Sends one request and reads the answer to the end of the connection.
  func send(
    _ method: String,
    _ target: String,
    _ headers: [String: String] = [:],
    body: String? = nil,
    token: String? = nil
  ) async throws -> RawResponse {
    var text = "\(method) \(target) HTTP/1.1\r\nhost: edge.test\r\nconnection: close\r\n"
    for (name, value) in headers { text += "\(name): \(value)\r\n" }
    if let token { text += "authorization: Bearer \(token)\r\n" }
    if let body {
      text += "content-length: \(body.utf8.count)\r\n"
      if headers["content-type"] == nil { text += "content-type: application/json\r\n" }
    }
    return try await RawResponse(
      RawSocket.exchange(Array((text + "\r\n" + (body ?? "")).utf8), port)
    )
  }

  /// Sends bytes as they are and reads everything that comes back.
  func raw(_ text: String) async throws -> String {
    String(decoding: try await RawSocket.exchange(Array(text.utf8), port), as: UTF8.self)
  }
}
