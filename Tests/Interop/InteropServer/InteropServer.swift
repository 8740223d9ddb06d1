internal import ArgumentParser
internal import EventLoop
internal import Foundation
internal import InteropAPI
internal import InteropOptions
internal import Net
internal import RPC

/// Serves `grpc.testing.TestService` to the interop clients of any gRPC implementation.
@main
struct InteropServer: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "interop-server",
    abstract: "The server of gRPC's interoperability tests: clear text, or TLS by --tls."
  )

  @Option(name: .flags("port"), help: "Port to listen on; 0 lets the kernel choose.")
  var port: UInt16 = 0

  @Option(name: .flags("host"), help: "Address to listen on.")
  var host = "127.0.0.1"

  @Option(name: .flags("loops"), help: "Event loops.")
  var loops = 1

  @OptionGroup var tls: TLSOptions

  static func main() async { await main(commandLineArguments()) }

  func run() async throws {
    let group = try EventLoopGroup(count: loops)
    let configuration = RPCServer.Configuration(
      endpoint: .host(host, port: port),
      tls: try tls.serverContext()
    )
    var registry = MethodRegistry()
    TestService().register(in: &registry)
    let health = HealthService(services: registry.serviceNames)
    registry.addStandardServices(health: health, reflection: true)
    let server = try await RPCServer.start(configuration, registry: registry, group: group)
    health.setAll(.serving)
    // Not `print`: whoever waits for this line reads it through a pipe.
    try FileHandle.standardOutput.write(contentsOf: Data("listening on \(server.address)\n".utf8))
    try await server.serve()
  }
}
