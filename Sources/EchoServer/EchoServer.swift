internal import ArgumentParser
internal import EchoAPI
internal import EventLoop
internal import Glibc
internal import Net
internal import RPC

/// Serves `oneshot.echo.v1.EchoService`, for tests with foreign clients and for benchmarks.
@main
struct EchoServer: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "EchoServer",
    abstract: "A server of the echo service: clear text, or mutual TLS when certificates are given."
  )

  @Option(help: "Port on 127.0.0.1; 0 lets the kernel choose.")
  var port: UInt16 = 0

  @Option(help: "Event loops.")
  var loops = 1

  @Option(help: "PEM certificate; turns mutual TLS on.")
  var certificate: String?

  @Option(help: "PEM key of the certificate.")
  var key: String?

  @Option(help: "PEM certificate of the authority that callers must come from.")
  var authority: String?

  @Option(help: "Streams that one connection may have open.")
  var streams: UInt32 = 10_000

  @Option(help: "Seconds for a preface and for a header block.")
  var headerSeconds = 10

  @Option(help: "Seconds after which a connection without calls is closed.")
  var idleSeconds = 60

  @Option(help: "Seconds that a message may pause.")
  var bodyPauseSeconds = 30

  @Option(help: "Seconds that a message may take.")
  var bodySeconds = 60

  @Option(help: "Seconds that a caller may leave a reply waiting.")
  var writeStallSeconds = 30

  @Option(help: "Connections from one address.")
  var connectionsPerAddress = 10_000

  func run() async throws {
    let group = try EventLoopGroup(count: loops)
    var configuration = RPCServer.Configuration(
      endpoint: .host("127.0.0.1", port: port),
      tls: try tls()
    )
    configure(&configuration)
    var registry = MethodRegistry()
    EchoHandler().register(in: &registry)
    let health = HealthService(services: registry.serviceNames)
    registry.addStandardServices(health: health, reflection: true)
    let server = try await RPCServer.start(configuration, registry: registry, group: group)
    health.setAll(.serving)
    Self.write("listening on \(server.address)\n", to: STDOUT_FILENO)
    try await server.serve()
  }

  private func configure(_ configuration: inout RPCServer.Configuration) {
    configuration.limits.http2.maxConcurrentStreams = streams
    configuration.limits.setTimes(
      header: .seconds(headerSeconds),
      idle: .seconds(idleSeconds),
      bodyPause: .seconds(bodyPauseSeconds),
      body: .seconds(bodySeconds),
      writeStall: .seconds(writeStallSeconds)
    )
    configuration.listener.maxConnectionsPerAddress = connectionsPerAddress
    configuration.onConnectionEnd = { Self.say("connection ended", $0.kind, $0.reason) }
    configuration.onStreamEnd = { Self.say("stream ended", $0, "") }
  }

  /// One line on standard error, as a service would write it to its log.
  private static func say(_ what: String, _ kind: String, _ reason: String) {
    let line = #"{"message":"\#(what)","kind":"\#(kind)","reason":"\#(reason)"}"# + "\n"
    write(line, to: STDERR_FILENO)
  }

  /// Neither `print`, whose lines wait in a buffer where a pipe reads them, nor Foundation, which
  /// costs megabytes.
  private static func write(_ line: String, to descriptor: Int32) {
    let bytes = Array(line.utf8)
    _ = Glibc.write(descriptor, bytes, bytes.count)
  }

  private func tls() throws -> TLSContext? {
    guard let certificate, let key, let authority else { return nil }
    return try TLSContext(
      .mutual(.server, certificateFile: certificate, keyFile: key, authorityFile: authority)
    )
  }
}
