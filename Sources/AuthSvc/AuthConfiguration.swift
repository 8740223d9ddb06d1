internal import ServiceKit

/// What AuthSvc reads beside the common keys.
struct AuthConfiguration: ServiceConfiguration {
  static let privateKey = ConfigKey(
    "JWT_PRIVATE_KEY",
    "PEM of the P-256 key that signs access tokens (ES256).",
    isSecret: true
  )
  static let accessSeconds = ConfigKey(
    "ACCESS_TOKEN_SECONDS",
    "Life of an access token, 60 to 86400.",
    default: "600"
  )
  static let refreshSeconds = ConfigKey(
    "REFRESH_TOKEN_SECONDS",
    "Life of an unused refresh token, 300 to 7776000.",
    default: "604800"
  )
  static let expirationHours = ConfigKey(
    "JWT_EXPIRATION_HOURS",
    "Life of an access token in hours, 1 to 24; wins over ACCESS_TOKEN_SECONDS."
  )

  static let keys = [privateKey, accessSeconds, refreshSeconds, expirationHours]
  static let needs: ServiceNeeds = [.postgres, .redis, .rpcServer]
  static let peers: [ServiceName] = [.billing, .jobs]

  /// PEM of the signing key.
  let privateKeyPEM: String
  let accessTokenLifetime: Duration
  let refreshTokenLifetime: Duration

  init(_ reader: inout ConfigurationReader) {
    privateKeyPEM = reader.string(Self.privateKey)
    let seconds = reader.seconds(Self.accessSeconds, in: 60...86_400)
    let hours = reader.optionalInt(Self.expirationHours, in: 1...24)
    accessTokenLifetime = hours.map { .seconds($0 * 3_600) } ?? seconds
    refreshTokenLifetime = reader.seconds(Self.refreshSeconds, in: 300...7_776_000)
  }
}
