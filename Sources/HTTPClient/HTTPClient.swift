package import EventLoop
internal import HTTPCore

/// What is the same for every request of a client.
package struct HTTPClientConfiguration: Sendable {
  /// Value of User-Agent where a request has none.
  package var userAgent = "OneShot/1.0"
  /// PEM file of certificate authorities; nil for the system's.
  package var caFile: String?
  /// Addresses of names, in place of asking the resolver; checked like resolved ones.
  package var hostOverrides: [String: [String]] = [:]
  /// Idle connections kept on each loop.
  package var idleConnections = 32

  /// Makes the default configuration.
  package init() {}
}

/// Sends requests to other servers with libcurl, on the caller's loop.
///
/// Connections are used again per loop. No proxy, no cookies, no credentials from files; redirects
/// are followed by the client itself, each hop checked by the policy.
package final class HTTPClient: Sendable {
  /// The loops it works on.
  package let group: EventLoopGroup
  private let workers: [ObjectIdentifier: CurlLoop]

  /// Makes a client for the loops of a group.
  package init(
    group: EventLoopGroup,
    configuration: HTTPClientConfiguration = HTTPClientConfiguration()
  ) {
    self.group = group
    workers = Dictionary(
      uniqueKeysWithValues: group.loops.map { loop in
        (ObjectIdentifier(loop), CurlLoop(loop: loop, configuration: configuration))
      }
    )
  }

  /// Sends a request and waits for the whole response.
  ///
  /// - Parameters:
  ///   - request: What to send; its body is sent again on redirects that keep the method.
  ///   - policy: Where it may go.
  ///   - limits: What it may cost.
  /// - Returns: The response, whatever its status.
  /// - Throws: ``HTTPClientError`` if there is none; also when the task is cancelled.
  package func execute(
    _ request: HTTPRequest,
    policy: HTTPClientPolicy,
    limits: HTTPClientLimits = HTTPClientLimits()
  ) async throws(HTTPClientError) -> HTTPResponse {
    guard let worker = workers[ObjectIdentifier(group.preferred())] else {
      throw HTTPClientError(.cancelled, "no loop")
    }
    return try await worker.execute(request, policy: policy, limits: limits).get()
  }

  /// Ends every request with `.cancelled`, closes all connections and takes no more requests.
  package func shutdown() async {
    for worker in workers.values {
      await worker.shutdown()
    }
  }
}
