import EventLoop
import Foundation
import Net
import Synchronization
import Testing

@testable import RPC

/// Certificates that `make test` has issued: `<name>.crt`, `<name>.key`, `ca.crt`.
enum TestCertificates {
  static func tls(_ role: TLSContext.Configuration.Role, _ name: String) throws -> TLSContext {
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
}

/// A one-shot signal between a test and a handler.
final class Signal: Sendable {
  private let stream: AsyncStream<Void>
  private let continuation: AsyncStream<Void>.Continuation

  init() { (stream, continuation) = AsyncStream.makeStream() }

  func fire() { continuation.finish() }
  func wait() async { for await _ in stream {} }
}

/// A server with handlers on bytes, and a channel to it.
struct RPCFixture {
  static func method(
    _ name: String,
    _ kind: MethodKind = .unary,
    allow: [String] = [],
    noSideEffects: Bool = false,
    retry: RetryClass = .none
  ) -> MethodDescriptor {
    MethodDescriptor(
      service: "test.Service",
      method: name,
      kind: kind,
      allowedCallers: allow,
      noSideEffects: noSideEffects,
      retry: retry,
      defaultTimeoutMilliseconds: 60_000,
      requestType: "bytes",
      responseType: "bytes"
    )
  }

  let group: EventLoopGroup
  let server: RPCServer
  let channel: Channel

  /// Runs `body` against a server; everything is stopped afterwards.
  static func run(
    tls: Bool = false,
    clientName: String = "test",
    limits: RPCLimits = RPCLimits(),
    _ registry: MethodRegistry,
    _ body: (RPCFixture) async throws -> Void
  ) async throws {
    let group = try EventLoopGroup(count: 2)
    var configuration = RPCServer.Configuration(
      endpoint: try Endpoint("127.0.0.1:0"),
      tls: tls ? try TestCertificates.tls(.server, "jobs") : nil
    )
    configuration.limits = limits
    let server = try await RPCServer.start(configuration, registry: registry, group: group)
    let channel = Channel(
      try .init(
        target: server.address.description,
        serverName: "jobs",
        tls: tls ? try TestCertificates.tls(.client, clientName) : nil
      ),
      group: group
    )
    let fixture = RPCFixture(group: group, server: server, channel: channel)
    let result: Result<Void, any Error>
    do { result = .success(try await body(fixture)) } catch { result = .failure(error) }
    await channel.close()
    await server.drain(timeout: .seconds(1))
    group.stop()
    try result.get()
  }

  // Untyped, since the macros of Swift Testing do not take typed errors.
  func call(
    _ method: MethodDescriptor,
    _ message: [UInt8] = [],
    _ options: CallOptions = CallOptions()
  ) async throws -> [UInt8] {
    try await channel.unary(method, RPCFraming.frame(message), options: options)
  }
}

/// A reply frame as handlers return it.
func framed(_ message: [UInt8]) -> [UInt8] {
  [UInt8](repeating: 0, count: RPCFraming.prefixLength) + message
}

/// A number that handlers and tests share.
final class Counter: Sendable {
  private let count = Mutex(0)

  var value: Int { count.withLock { $0 } }

  /// The number after adding one.
  @discardableResult
  func increment() -> Int {
    count.withLock { count in
      count += 1
      return count
    }
  }
}
