import EventLoop
import Foundation
import HTTPClient
import Synchronization

@testable import ObjectStore

/// The stores that pass one suite.
enum StoreKind: String, CaseIterable {
  case disk, s3
}

/// A wall clock that tests set.
final class TestClock: Sendable {
  private let seconds: Mutex<Int64>

  init(_ seconds: Int64 = Int64(Date().timeIntervalSince1970)) {
    self.seconds = Mutex(seconds)
  }

  var now: Int64 { seconds.withLock { $0 } }

  func advance(by seconds: Int64) {
    self.seconds.withLock { $0 += seconds }
  }
}

/// What a test of a store needs, on loops of its own.
struct StoreFixture {
  let group: EventLoopGroup
  let http: HTTPClient
  let folder: String
  let clock = TestClock()

  static let baseURL = "https://api.example"
  static let signingKey = "a signing key of the tests, long enough"

  func disk() throws -> DiskObjectStore {
    try DiskObjectStore(
      root: folder,
      publicBaseURL: Self.baseURL,
      signingKey: Self.signingKey,
      group: group,
      now: { [clock] in clock.now }
    )
  }

  func s3(_ configuration: S3Configuration? = nil) throws -> S3ObjectStore {
    var limits = S3ObjectStore.Limits()
    limits.backoff = .milliseconds(2)
    return try S3ObjectStore(
      configuration ?? S3Server.shared(),
      http: http,
      limits: limits,
      now: { [clock] in clock.now }
    )
  }

  func store(_ kind: StoreKind) throws -> any ObjectStore {
    switch kind {
    case .disk: try disk()
    case .s3: try s3()
    }
  }
}

/// Runs `body` with loops, a client and a folder that are gone afterwards.
func withStores(_ body: (StoreFixture) async throws -> Void) async throws {
  let folder = FileManager.default.temporaryDirectory.appending(path: "oneshot-\(UUID())").path
  let group = try EventLoopGroup(count: 2)
  let http = HTTPClient(group: group)
  let result: Result<Void, any Error>
  do {
    result = .success(try await body(StoreFixture(group: group, http: http, folder: folder)))
  } catch {
    result = .failure(error)
  }
  await http.shutdown()
  group.stop()
  try? FileManager.default.removeItem(atPath: folder)
  try result.get()
}

/// The kind of the error that `body` throws, if it is a store's.
func storeError(_ body: () async throws -> some Sendable) async -> ObjectStoreError.Kind? {
  do {
    _ = try await body()
    return nil
  } catch {
    return (error as? ObjectStoreError)?.kind
  }
}

/// A real S3 server that verifies signatures: OpenStack Swift with s3api.
enum S3Server {
  private struct Place: Decodable {
    let endpoint, region, bucket, access_key, secret_key: String
  }

  private static let running = Result {
    try PythonServer(
      "s3_server.py",
      // The interpreter that Debian's Swift packages belong to.
      interpreter: PythonServer.environment(
        "ONESHOT_TEST_SYSTEM_PYTHON",
        default: "/usr/bin/python3"
      )
    )
  }

  static func shared() throws -> S3Configuration {
    let place = try JSONDecoder().decode(Place.self, from: Data(try running.get().line.utf8))
    return S3Configuration(
      endpoint: place.endpoint,
      region: place.region,
      bucket: place.bucket,
      accessKey: place.access_key,
      secretKey: place.secret_key
    )
  }
}
