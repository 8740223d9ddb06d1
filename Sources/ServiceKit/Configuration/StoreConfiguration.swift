package import EventLoop
package import HTTPClient
package import ObjectStore

/// Which object store the product uses, and how; the same keys in each service that touches it.
package struct StoreConfiguration: Sendable {
  private enum Kind: String, CaseIterable {
    case disk, s3
  }

  private enum Choice: Sendable {
    case disk(root: String, signingKey: String)
    case s3(endpoint: String, region: String, bucket: String, accessKey: String, secretKey: String)
  }

  private static let kind = ConfigKey(
    "OBJECT_STORE",
    "disk (a folder that all services share) or s3.",
    default: "disk"
  )
  private static let root = ConfigKey("DISK_STORE_ROOT", "Folder of the disk store.")
  private static let signingKey = ConfigKey(
    "STORE_SIGNING_KEY",
    "Secret that signs links of the disk store, 32 bytes or more.",
    isSecret: true
  )
  private static let endpoint = ConfigKey("S3_ENDPOINT", "http(s)://host[:port] of the S3 service.")
  private static let region = ConfigKey("S3_REGION", "Region of the bucket.", default: "us-east-1")
  private static let bucket = ConfigKey("S3_BUCKET", "Name of the bucket.")
  private static let accessKey = ConfigKey("S3_ACCESS_KEY", "Access key id.", isSecret: true)
  private static let secretKey = ConfigKey("S3_SECRET_KEY", "Secret key.", isSecret: true)
  private static let publicURL = ConfigKey(
    "PUBLIC_BASE_URL",
    "http(s) address under which clients reach the edge."
  )

  /// Every key; belongs into a service's own `keys`.
  package static let keys = [
    kind, root, signingKey, endpoint, region, bucket, accessKey, secretKey, publicURL,
  ]

  /// Address under which clients reach the edge, without a slash at its end.
  package let publicBaseURL: String
  private let choice: Choice

  /// Reads the keys of the chosen store.
  package init(_ reader: inout ConfigurationReader) {
    publicBaseURL = reader.baseURL(Self.publicURL)
    switch reader.choice(Self.kind, as: Kind.self, standIn: .disk) {
    case .disk:
      let key = reader.string(Self.signingKey)
      if !key.isEmpty, key.utf8.count < 32 {
        reader.problem(Self.signingKey, "must have at least 32 bytes")
      }
      choice = .disk(root: reader.string(Self.root), signingKey: key)
    case .s3:
      choice = .s3(
        endpoint: reader.baseURL(Self.endpoint),
        region: reader.string(Self.region),
        bucket: reader.string(Self.bucket),
        accessKey: reader.string(Self.accessKey),
        secretKey: reader.string(Self.secretKey)
      )
    }
  }
}

extension StoreConfiguration {
  /// Opens the store.
  package func makeStore(http: HTTPClient, group: EventLoopGroup) throws -> any ObjectStore {
    switch choice {
    case .disk(let root, let signingKey):
      return try DiskObjectStore(
        root: root,
        publicBaseURL: publicBaseURL,
        signingKey: signingKey,
        group: group
      )
    case .s3(let endpoint, let region, let bucket, let accessKey, let secretKey):
      return try S3ObjectStore(
        S3Configuration(
          endpoint: endpoint,
          region: region,
          bucket: bucket,
          accessKey: accessKey,
          secretKey: secretKey
        ),
        http: http
      )
    }
  }
}
