import EventLoop
import Foundation
import Net
import Testing

@testable import RPC

@Suite("Certificate reload") struct CertificateReloadTests {
  private func copy(_ name: String, over folder: URL) throws {
    let source = try #require(ProcessInfo.processInfo.environment["ONESHOT_TEST_CERTS_DIR"])
    for kind in ["crt", "key"] {
      let data = try Data(contentsOf: URL(fileURLWithPath: "\(source)/\(name).\(kind)"))
      try data.write(to: folder.appendingPathComponent("server.\(kind)"), options: .atomic)
    }
  }

  private func isBelieved(_ name: String, _ server: RPCServer, _ group: EventLoopGroup) async throws
    -> Bool
  {
    var configuration = try Channel.Configuration(
      target: server.address.description,
      serverName: name,
      tls: try TestCertificates.tls(.client, "test")
    )
    configuration.patience = .zero
    let channel = Channel(configuration, group: group)
    let reply = try? await channel.unary(RPCFixture.method("Echo"), RPCFraming.frame([1]))
    await channel.close()
    return reply == [1]
  }

  @Test("A certificate that was replaced serves the next connection, without a restart")
  func replaced() async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try copy("jobs", over: folder)
    let authority = try #require(ProcessInfo.processInfo.environment["ONESHOT_TEST_CERTS_DIR"])
    let tls = try TLSContext(
      .mutual(
        .server,
        certificateFile: folder.appendingPathComponent("server.crt").path,
        keyFile: folder.appendingPathComponent("server.key").path,
        authorityFile: "\(authority)/ca.crt"
      ),
      checkInterval: .zero
    )
    var registry = MethodRegistry()
    registry.unary(RPCFixture.method("Echo")) { message, _ in framed(message) }
    let group = try EventLoopGroup(count: 1)
    defer { group.stop() }
    let server = try await RPCServer.start(
      .init(endpoint: .host("127.0.0.1", port: 0), tls: tls),
      registry: registry,
      group: group
    )
    let before = try await isBelieved("jobs", server, group)
    #expect(before)
    try copy("billing", over: folder)
    let after = try await isBelieved("billing", server, group)
    #expect(after)
    await server.drain(timeout: .seconds(1))
  }
}
