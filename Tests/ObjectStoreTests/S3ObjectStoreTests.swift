import Foundation
import HTTPClient
import HTTPCore
import Testing

@testable import ObjectStore

@Suite("S3 object store") struct S3ObjectStoreTests {
  private let type = "image/png"

  private func key() -> String { "uploads/\(UUID().uuidString)/a b+c%ü.png" }

  private func send(
    _ fixture: StoreFixture,
    _ method: HTTPMethod,
    _ url: String,
    type: String? = nil,
    body: [UInt8]? = nil
  ) async throws -> HTTPResponse {
    var request = HTTPRequest(method, url, body: body)
    if let type { request.headers.append("content-type", type) }
    return try await fixture.http.execute(request, policy: .trusted)
  }

  @Test("Signed addresses put and get an object at a server that verifies them")
  func presigned() async throws {
    try await withStores { fixture in
      let store = try fixture.s3()
      let key = key()
      let upload = try store.presign(
        .upload(key: key, contentType: type, maxBytes: 100, lifetime: .seconds(60))
      )
      let sent = try await send(fixture, .put, upload, type: type, body: [1, 2, 3])
      #expect(sent.status == 200)
      #expect(try await store.head(key) == ObjectInfo(size: 3, contentType: type))
      let download = try store.presign(
        .download(key: key, contentType: "image/webp", lifetime: .seconds(60))
      )
      let read = try await send(fixture, .get, download)
      #expect(read.status == 200 && read.body == [1, 2, 3])
      #expect(read.headers["content-type"] == "image/webp")
    }
  }

  @Test("A server that verifies refuses every alteration of a signed address")
  func alterations() async throws {
    try await withStores { fixture in
      let store = try fixture.s3()
      let key = key()
      try await store.put(key, bytes: [1], contentType: type)
      let upload = try store.presign(
        .upload(key: key, contentType: type, maxBytes: 100, lifetime: .seconds(60))
      )
      let download = try store.presign(.download(key: key, lifetime: .seconds(60)))
      for (index, url) in Alteration.all(upload).enumerated() {
        let response = try await send(fixture, .put, url, type: type, body: [9])
        #expect(response.status.rawValue / 100 == 4, "upload \(index) \(url)")
      }
      for (index, url) in Alteration.all(download).enumerated() {
        let response = try await send(fixture, .get, url)
        #expect(response.status.rawValue / 100 == 4, "download \(index) \(url)")
      }
      let otherType = try await send(fixture, .put, upload, type: "text/html", body: [9])
      #expect(otherType.status == 403)
      let otherMethod = try await send(fixture, .delete, download)
      #expect(otherMethod.status == 403)
      let unchanged = try await store.get(key, maxBytes: 10)
      #expect(unchanged.bytes == [1])
    }
  }

  @Test("An address that has expired is refused")
  func expiry() async throws {
    try await withStores { fixture in
      let key = key()
      try await fixture.s3().put(key, bytes: [1], contentType: type)
      fixture.clock.advance(by: -120)
      let url = try fixture.s3().presign(.download(key: key, lifetime: .seconds(60)))
      #expect(try await send(fixture, .get, url).status == 403)
    }
  }

  @Test("Wrong credentials are refused, not taken for an absent object")
  func wrongSecret() async throws {
    try await withStores { fixture in
      var configuration = try S3Server.shared()
      configuration.secretKey = "wrong"
      let store = try fixture.s3(configuration)
      #expect(await storeError { try await store.get("a", maxBytes: 10) } == .refused)
      #expect(await storeError { try await store.head("a") } == .refused)
      let put = await storeError { try await store.put("a", bytes: [], contentType: type) }
      #expect(put == .refused)
    }
  }

  @Test("A busy service is asked again, three times at most")
  func busy() async throws {
    try await withStores { fixture in
      let endpoint = "http://127.0.0.9:\(try FakeS3.port())"
      func bucket(_ name: String) -> S3Configuration {
        S3Configuration(
          endpoint: endpoint,
          region: "r",
          bucket: name,
          accessKey: "a",
          secretKey: "s"
        )
      }
      let busy = try fixture.s3(bucket("busy"))
      let object = try await busy.get("\(UUID())", maxBytes: 100)
      #expect(object.bytes == Array("3".utf8))
      try await busy.put("\(UUID())", bytes: [1], contentType: type)
      let close = try fixture.s3(bucket("close"))
      #expect(await storeError { try await close.get("a", maxBytes: 10) } == .unavailable)
      let denied = try fixture.s3(bucket("denied"))
      #expect(await storeError { try await denied.delete("a") } == .refused)
    }
  }

  @Test("A service that is away is unavailable")
  func away() async throws {
    try await withStores { fixture in
      let store = try fixture.s3(
        S3Configuration(
          endpoint: "http://127.0.0.1:1",
          region: "r",
          bucket: "b",
          accessKey: "a",
          secretKey: "s"
        )
      )
      #expect(await storeError { try await store.head("a") } == .unavailable)
    }
  }

  @Test(
    "An endpoint is scheme and host, nothing more",
    arguments: [
      "", "s3.example", "ftp://s3.example", "https://", "https://s3.example/",
      "https://u@s3.example",
      "https://s3.example/path",
    ]
  )
  func endpoints(endpoint: String) async throws {
    try await withStores { fixture in
      let configuration = S3Configuration(
        endpoint: endpoint,
        region: "r",
        bucket: "b",
        accessKey: "a",
        secretKey: "s"
      )
      #expect(await storeError { try fixture.s3(configuration) } == .refused)
    }
  }
}

/// The fake HTTP servers, of which two paths act as buckets.
enum FakeS3 {
  private static let running = Result {
    try PythonServer(
      "fake_http_servers.py",
      interpreter: PythonServer.environment("ONESHOT_TEST_PYTHON", default: "python3")
    )
  }

  static func port() throws -> String { try running.get().line }
}

/// Ways to alter a signed address.
enum Alteration {
  /// Ten alterations of an S3 address.
  static func all(_ url: String) -> [String] {
    let signature = url.suffix(64)
    let flipped = (signature.first == "0" ? "1" : "0") + signature.dropFirst()
    func replacing(_ old: String, _ new: String) -> String {
      url.replacing(old, with: new, maxReplacements: 1)
    }
    return [
      url.dropLast(64) + flipped,
      String(url.dropLast(1)),
      String(url.prefix(upTo: url.range(of: "&X-Amz-Signature=")?.lowerBound ?? url.endIndex)),
      replacing("X-Amz-Expires=60", "X-Amz-Expires=61"),
      replacing("/uploads/", "/uploaded/"),
      replacing("/oneshot-test/", "/oneshot-other/"),
      replacing("us-east-1", "us-west-1"),
      replacing("SignedHeaders=", "SignedHeaders=x-amz-acl%3B"),
      replacing("X-Amz-Date=2", "X-Amz-Date=1"),
      url + "&x-amz-acl=public-read",
    ]
  }
}
