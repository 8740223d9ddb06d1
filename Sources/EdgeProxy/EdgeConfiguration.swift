internal import JWTKit
internal import Net
internal import ServiceKit

/// What the edge reads beside the common keys.
struct EdgeConfiguration: ServiceConfiguration {
  static let httpListen = ConfigKey(
    "HTTP_LISTEN",
    "host:port of the public API in clear text (HTTP/1.1 and HTTP/2).",
    default: "127.0.0.1:8080"
  )
  static let httpsListen = ConfigKey("HTTPS_LISTEN", "host:port of the public API with TLS.")
  static let httpsCertificate = ConfigKey(
    "HTTPS_CERT_FILE",
    "PEM file of the public certificate chain."
  )
  static let httpsKey = ConfigKey("HTTPS_KEY_FILE", "PEM file of the public certificate's key.")
  static let trustedProxies = ConfigKey(
    "TRUSTED_PROXIES",
    "Addresses or blocks (10.0.0.0/8) whose X-Forwarded-For is believed."
  )
  static let allowedOrigins = ConfigKey(
    "ALLOWED_ORIGINS",
    "Exact origins (https://app.example) that browsers may call from."
  )
  static let tokenKey = ConfigKey(
    "JWT_PUBLIC_KEY",
    "PEM of the P-256 key that access tokens are signed with.",
    isSecret: true
  )
  static let ratePolicies = ConfigKey(
    "RATE_POLICY_OVERRIDES",
    "Changed limits: name=requests/seconds[+requests/seconds] or name=off, by commas.",
    default: ""
  )

  static let headSeconds = ConfigKey(
    "HEAD_SECONDS",
    "Time for the head of a request, and for the first one after the connection began.",
    default: "10"
  )
  static let idleSeconds = ConfigKey(
    "IDLE_SECONDS",
    "A connection without requests is closed after this time.",
    default: "60"
  )
  static let bodySeconds = ConfigKey(
    "BODY_SECONDS",
    "Time for the body of a JSON request.",
    default: "60"
  )
  static let bodyPauseSeconds = ConfigKey(
    "BODY_PAUSE_SECONDS",
    "Longest pause inside a body.",
    default: "30"
  )
  static let writeStallSeconds = ConfigKey(
    "WRITE_STALL_SECONDS",
    "An answer is cut off when less than 1 KiB of what waits was taken in this time.",
    default: "30"
  )
  static let connections = ConfigKey(
    "CONNECTIONS",
    "Open connections of clients.",
    default: "10000"
  )
  static let connectionsPerAddress = ConfigKey(
    "CONNECTIONS_PER_ADDRESS",
    "Open connections from one address (IPv6: from one /64).",
    default: "64"
  )

  static let keys =
    [
      httpListen, httpsListen, httpsCertificate, httpsKey, trustedProxies, allowedOrigins, tokenKey,
      ratePolicies, headSeconds, idleSeconds, bodySeconds, bodyPauseSeconds, writeStallSeconds,
      connections, connectionsPerAddress,
    ] + StoreConfiguration.keys
  static let needs: ServiceNeeds = [.redis]
  static let peers: [ServiceName] = [.auth, .billing, .jobs]

  let httpListen: Endpoint
  let httpsListen: Endpoint?
  let httpsCertificate: String
  let httpsKey: String
  let trustedProxies: [IPBlock]
  let allowedOrigins: Set<String>
  /// PEM text.
  let tokenKey: String
  let ratePolicies: RatePolicies
  let limits: EdgeLimits
  let store: StoreConfiguration

  init(_ reader: inout ConfigurationReader) throws {
    httpListen = reader.endpoint(Self.httpListen)
    httpsListen = reader.optionalEndpoint(Self.httpsListen)
    httpsCertificate = httpsListen == nil ? "" : reader.string(Self.httpsCertificate)
    httpsKey = httpsListen == nil ? "" : reader.string(Self.httpsKey)
    trustedProxies = Self.blocks(&reader)
    allowedOrigins = Self.origins(&reader)
    tokenKey = reader.string(Self.tokenKey)
    limits = Self.limits(&reader)
    store = StoreConfiguration(&reader)
    do {
      ratePolicies = try RatePolicies(overrides: reader.optionalString(Self.ratePolicies) ?? "")
    } catch {
      reader.problem(Self.ratePolicies, "\(error)")
      ratePolicies = try RatePolicies()
    }
  }

  private static func limits(_ reader: inout ConfigurationReader) -> EdgeLimits {
    var limits = EdgeLimits()
    limits.headTime = reader.seconds(headSeconds, in: 1...3600)
    limits.idleTime = reader.seconds(idleSeconds, in: 1...86_400)
    limits.bodyTime = reader.seconds(bodySeconds, in: 1...3600)
    limits.bodyPause = reader.seconds(bodyPauseSeconds, in: 1...3600)
    limits.writeStall = reader.seconds(writeStallSeconds, in: 1...3600)
    limits.connections = reader.int(connections, in: 1...1_000_000)
    limits.connectionsPerAddress = reader.int(connectionsPerAddress, in: 1...1_000_000)
    return limits
  }

  private static func blocks(_ reader: inout ConfigurationReader) -> [IPBlock] {
    var blocks: [IPBlock] = []
    for text in reader.list(trustedProxies) {
      guard let block = IPBlock(text) else {
        reader.problem(trustedProxies, "'\(text)' is no address and no block")
        continue
      }
      blocks.append(block)
    }
    return blocks
  }

  private static func origins(_ reader: inout ConfigurationReader) -> Set<String> {
    var origins: Set<String> = []
    for text in reader.list(allowedOrigins) {
      let rest = text.split(separator: "://", maxSplits: 1).last ?? ""
      let isOrigin =
        (text.hasPrefix("https://") || text.hasPrefix("http://")) && !rest.isEmpty
        && !rest.contains("/") && !rest.contains("*")
      if isOrigin {
        origins.insert(text)
      } else {
        reader.problem(allowedOrigins, "'\(text)' is no origin such as https://app.example")
      }
    }
    return origins
  }
}
