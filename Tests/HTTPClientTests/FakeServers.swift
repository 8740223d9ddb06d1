import EventLoop
import Foundation
import HTTPClient
import PythonServers

/// The Python servers of `Support/fake_http_servers.py`, started once for all suites.
struct FakeServers: Sendable {
  /// Port of the outside server and of the inside listeners.
  let port: UInt16

  /// Where the outside server answers.
  var base: String { "http://127.0.0.9:\(port)" }

  /// Public addresses, and the outside server.
  var policy: HTTPClientPolicy {
    .publicOnly(except: [HTTPEndpoint(address: [127, 0, 0, 9], port: port)])
  }

  private static let running = Result { try PythonServer("fake_http_servers.py") }

  /// The running servers.
  static func shared() throws -> FakeServers {
    FakeServers(port: try running.get().port)
  }
}

/// Runs `body` with a client on two loops, and takes both down afterwards.
func withClient<T>(
  _ configuration: HTTPClientConfiguration = HTTPClientConfiguration(),
  loops: Int = 2,
  _ body: (HTTPClient) async throws -> T
) async throws -> T {
  let group = try EventLoopGroup(count: loops)
  let client = HTTPClient(group: group, configuration: configuration)
  let result: Result<T, any Error>
  do {
    result = .success(try await body(client))
  } catch {
    result = .failure(error)
  }
  await client.shutdown()
  group.stop()
  return try result.get()
}

/// What the echo path saw.
struct Echo: Decodable {
  let method: String
  let path: String
  let headers: [String: String]
  let body: String
  let connection: Int

  init(_ response: HTTPResponse) throws {
    self = try JSONDecoder().decode(Echo.self, from: Data(response.body))
  }
}

/// The error that `body` throws, if it is the client's.
func clientError(_ body: () async throws -> some Sendable) async -> HTTPClientError? {
  do {
    _ = try await body()
    return nil
  } catch {
    return error as? HTTPClientError
  }
}
