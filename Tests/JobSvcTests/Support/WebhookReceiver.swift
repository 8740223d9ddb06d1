import Crypto
import Foundation
import HTTPClient
import HTTPCore
import PythonServers
import Testing

/// The Python receiver of `Support/fake_webhook_receiver.py`, started once for all suites.
struct WebhookReceiver: Sendable {
  let port: UInt16

  /// Two hosts that may be reached, and one that may not.
  static let host = "127.0.0.9"
  static let otherHost = "127.0.0.8"
  static let inside = "127.0.0.1"

  /// The key that lets a service reach it.
  var settings: [String: String] {
    [
      "WEBHOOK_DEVELOPMENT_ENDPOINTS": "\(Self.host):\(port),\(Self.otherHost):\(port)",
      "WEBHOOK_RETRY_DELAYS": "0,0",
    ]
  }

  /// An address under which requests are remembered as `name` and answered in turn.
  func url(_ name: String, answers: String = "200", host: String = Self.host) -> String {
    "http://\(host):\(port)/hook/\(name)?answers=\(answers)"
  }

  /// One request as it came.
  struct Request: Decodable, Sendable {
    let headers: [String: String]
    let body: String

    var id: String? { headers["webhook-id"] }

    /// Whether a signature of the request was made with the key `whsec_…`.
    func isSigned(with key: String) -> Bool {
      guard let timestamp = headers["webhook-timestamp"], let id,
        let secret = Data(base64Encoded: String(key.dropFirst("whsec_".count)))
      else { return false }
      let content = Data("\(id).\(timestamp).\(body)".utf8)
      let code = Data(
        HMAC<SHA256>.authenticationCode(for: content, using: SymmetricKey(data: secret))
      )
      let signatures = headers["webhook-signature"]?.split(separator: " ") ?? []
      return signatures.contains("v1,\(code.base64EncodedString())")
    }
  }

  /// The requests of a name, once there are `count`.
  func requests(_ name: String, count: Int = 1, _ http: HTTPClient) async throws -> [Request] {
    let response = try await http.execute(
      HTTPRequest(.get, "http://\(Self.host):\(port)/wait/\(name)?count=\(count)"),
      policy: .trusted,
      limits: HTTPClientLimits(deadline: .seconds(60))
    )
    return try JSONDecoder().decode([Request].self, from: Data(response.body))
  }

  /// Connections that came to the address inside.
  func insideConnections(_ http: HTTPClient) async throws -> Int? {
    let response = try await http.execute(
      HTTPRequest(.get, "http://\(Self.host):\(port)/inside"),
      policy: .trusted
    )
    return Int(String(decoding: response.body, as: UTF8.self))
  }

  private static let running = Result { try PythonServer("fake_webhook_receiver.py") }

  /// The running receiver.
  static func shared() throws -> WebhookReceiver {
    WebhookReceiver(port: try running.get().port)
  }
}
