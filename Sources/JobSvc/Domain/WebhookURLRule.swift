internal import HTTPClient

/// Which addresses the notice of a job's end may be sent to.
///
/// Names are not resolved here: they may change until the notice is sent, and are judged then.
struct WebhookURLRule: Sendable {
  /// Also in force when a notice is sent.
  let policy: HTTPClientPolicy
  private let exceptions: Set<HTTPEndpoint>

  private static let maxBytes = 2_048
  private static let field = "webhook_url"
  /// Names that lead nowhere but inside.
  private static let localNames = ["localhost", "local", "internal", "home.arpa"]

  /// Makes the rule: https on public addresses, and anything at `exceptions`, for development.
  init(exceptions: Set<HTTPEndpoint> = []) {
    self.exceptions = exceptions
    policy = exceptions.isEmpty ? .publicOnly : .publicOnly(except: exceptions)
  }

  /// Checks an address that a client gave.
  func check(_ text: String) throws(RequestProblem) {
    guard text.utf8.count <= Self.maxBytes, let target = try? HTTPTarget(text) else {
      throw .invalid(
        Self.field,
        "an https URL of at most \(Self.maxBytes) bytes without user information"
      )
    }
    guard target.isTLS || isException(target) else {
      throw .invalid(Self.field, "an https URL")
    }
    guard policy.permitsPort(of: target) else {
      throw .invalid(Self.field, "an https URL with port 443 or 8443")
    }
    guard policy.permitsAddress(of: target), !Self.isLocal(target.host) else {
      throw RequestProblem(
        "PRIVATE_ADDRESS_REFUSED",
        "Field 'webhook_url' must lead to a public address",
        field: Self.field
      )
    }
  }

  private func isException(_ target: HTTPTarget) -> Bool {
    guard let address = target.address else { return false }
    return exceptions.contains(HTTPEndpoint(address: address, port: target.port))
  }

  private static func isLocal(_ host: String) -> Bool {
    localNames.contains { host == $0 || host.hasSuffix(".\($0)") }
  }
}
