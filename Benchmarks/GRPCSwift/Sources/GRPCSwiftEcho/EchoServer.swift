import GRPCCore
import GRPCNIOTransportHTTP2
import GRPCProtobuf

/// A peer of the benchmark: the echo service on grpc-swift-2 and its NIO transport.
///
///     GRPCSwiftEcho --port N [--certificate FILE --key FILE --authority FILE]
@main
struct EchoServer {
  static func main() async throws {
    let options = readOptions()
    var config = HTTP2ServerTransport.Posix.Config.defaults
    config.http2.maxConcurrentStreams = 10_000
    let transport = HTTP2ServerTransport.Posix(
      address: .ipv4(host: "127.0.0.1", port: Int(options["--port"] ?? "") ?? 0),
      transportSecurity: security(options),
      config: config
    )
    let server = GRPCServer(transport: transport, services: [EchoService()])
    try await server.serve()
  }

  private static func readOptions() -> [String: String] {
    var options: [String: String] = [:]
    var rest = CommandLine.arguments.dropFirst()
    while let name = rest.popFirst(), let value = rest.popFirst() { options[name] = value }
    return options
  }

  private static func security(
    _ options: [String: String]
  ) -> HTTP2ServerTransport.Posix.TransportSecurity {
    guard let certificate = options["--certificate"], let key = options["--key"],
      let authority = options["--authority"]
    else { return .plaintext }
    return .mTLS(
      certificateChain: [.file(path: certificate, format: .pem)],
      privateKey: .file(path: key, format: .pem)
    ) {
      $0.trustRoots = .certificates([.file(path: authority, format: .pem)])
    }
  }
}

struct EchoService: Oneshot_Echo_V1_EchoService.SimpleServiceProtocol {
  func echo(
    request: Oneshot_Echo_V1_EchoRequest,
    context: ServerContext
  ) async throws -> Oneshot_Echo_V1_EchoResponse {
    .with {
      $0.payload = request.payload
      $0.text = request.text
    }
  }

  func serverStream(
    request: Oneshot_Echo_V1_ServerStreamRequest,
    response: RPCWriter<Oneshot_Echo_V1_ServerStreamResponse>,
    context: ServerContext
  ) async throws {
    for index in 0..<max(0, request.count) {
      try await response.write(
        .with {
          $0.payload = request.payload
          $0.index = index
        }
      )
    }
  }

  func clientStream(
    request: RPCAsyncSequence<Oneshot_Echo_V1_ClientStreamRequest, any Error>,
    context: ServerContext
  ) async throws -> Oneshot_Echo_V1_ClientStreamResponse {
    throw RPCError(code: .unimplemented, message: "not part of the benchmark")
  }

  func bidi(
    request: RPCAsyncSequence<Oneshot_Echo_V1_BidiRequest, any Error>,
    response: RPCWriter<Oneshot_Echo_V1_BidiResponse>,
    context: ServerContext
  ) async throws {
    throw RPCError(code: .unimplemented, message: "not part of the benchmark")
  }
}
