import Foundation
import HTTPCore
import Testing

@testable import ObjectStore

@Suite("Disk object store") struct DiskObjectStoreTests {
  private let key = "uploads/1/2/a b+ü.png"

  private func target(_ url: String) -> [UInt8] {
    Array(url.dropFirst(StoreFixture.baseURL.count).utf8)
  }

  @Test("A link gives back what it was signed for")
  func links() async throws {
    try await withStores { fixture in
      let store = try fixture.disk()
      let upload = try store.presign(
        .upload(key: key, contentType: "image/png", maxBytes: 1_000, lifetime: .seconds(60))
      )
      let expires = fixture.clock.now + 60
      #expect(
        try store.verify(method: .put, target: target(upload)).get()
          == SignedAccess(
            key: key,
            operation: .upload,
            contentType: "image/png",
            maxBytes: 1_000,
            expires: expires
          )
      )
      let download = try store.presign(.download(key: key, lifetime: .seconds(60)))
      let access = SignedAccess(
        key: key,
        operation: .download,
        contentType: nil,
        maxBytes: 0,
        expires: expires
      )
      for method in [HTTPMethod.get, .head] {
        #expect(try store.verify(method: method, target: target(download)).get() == access)
      }
    }
  }

  @Test("A link works for its method and time only")
  func methodAndTime() async throws {
    try await withStores { fixture in
      let store = try fixture.disk()
      let upload = try store.presign(
        .upload(key: key, contentType: "image/png", maxBytes: 1, lifetime: .seconds(60))
      )
      let download = try store.presign(.download(key: key, lifetime: .seconds(60)))
      for method in HTTPMethod.allCases where method != .put {
        #expect(
          store.verify(method: method, target: target(upload)) == .failure(.wrongMethod)
        )
      }
      #expect(store.verify(method: .put, target: target(download)) == .failure(.wrongMethod))
      fixture.clock.advance(by: 59)
      #expect(throws: Never.self) {
        try store.verify(method: .put, target: target(upload)).get()
      }
      fixture.clock.advance(by: 1)
      #expect(store.verify(method: .put, target: target(upload)) == .failure(.expired))
    }
  }

  @Test("Every alteration of a link is refused")
  func alterations() async throws {
    try await withStores { fixture in
      let store = try fixture.disk()
      let url = try store.presign(
        .upload(key: key, contentType: "image/png", maxBytes: 1_000, lifetime: .seconds(60))
      )
      let expires = fixture.clock.now + 60
      let changes: [(String, String)] = [
        ("/uploads/1/", "/uploads/3/"), ("expires=\(expires)", "expires=\(expires + 1)"),
        ("expires=\(expires)", "expires=+\(expires)"), ("method=PUT", "method=GET"),
        ("image%2Fpng", "image%2Fsvg"), ("image%2Fpng", "image/png"), ("image%2F", "image%2f"),
        ("max=1000", "max=10000"), ("max=1000", "max=01000"), ("&max=1000", ""),
        ("&max=1000", "&max=1000&max=1000"), ("a%20b%2B", "a+b%2B"), ("a%20b", "%61%20b"),
        ("/files/uploads", "/files/./uploads"), ("/files/uploads", "/files//uploads"),
        ("/2/", "/2/../2/"), ("?expires", "?a=b&expires"), ("&signature=", "&signature=00"),
        ("&signature=", "&Signature="),
      ]
      for (old, new) in changes {
        let altered = url.replacing(old, with: new, maxReplacements: 1)
        #expect(altered != url)
        #expect(throws: SignedLinkRefusal.self, "\(altered)") {
          try store.verify(method: .put, target: target(altered)).get()
        }
      }
      for count in [1, 2, 32, 64] {
        #expect(throws: SignedLinkRefusal.self) {
          try store.verify(method: .put, target: target(String(url.dropLast(count)))).get()
        }
      }
      let other = try DiskObjectStore(
        root: fixture.folder,
        publicBaseURL: StoreFixture.baseURL,
        signingKey: String(repeating: "k", count: 32),
        group: fixture.group
      )
      #expect(other.verify(method: .put, target: target(url)) == .failure(.badSignature))
    }
  }

  @Test(
    "Requests for other paths are no links",
    arguments: [
      "/", "/files", "/files/", "/files/a", "/files/a?", "/file/a?expires=1", "/files/%",
      "/files/a?expires=x&method=PUT&type=&max=0&signature=",
    ]
  )
  func otherTargets(target: String) async throws {
    try await withStores { fixture in
      let result = try fixture.disk().verify(method: .get, target: Array(target.utf8))
      #expect(result == .failure(.malformed))
    }
  }

  @Test("Readers see one whole object while writers replace it")
  func atomicity() async throws {
    try await withStores { fixture in
      let store = try fixture.disk()
      try await store.put(key, bytes: [], contentType: "image/0")
      try await withThrowingTaskGroup(of: Void.self) { group in
        for writer in 1...4 {
          group.addTask {
            for round in 1...10 {
              let bytes = [UInt8](repeating: UInt8(writer), count: round * 10_000)
              try await store.put(key, bytes: bytes, contentType: "image/\(writer)")
            }
          }
          group.addTask {
            for _ in 1...25 {
              let object = try await store.get(key, maxBytes: 1_000_000)
              let values = Set(object.bytes)
              #expect(values.count <= 1)
              #expect(object.contentType == "image/\(values.first ?? 0)")
            }
          }
        }
        try await group.waitForAll()
      }
      let rest = try FileManager.default.contentsOfDirectory(atPath: fixture.folder + "/incoming")
      #expect(rest.isEmpty)
    }
  }

  @Test("Deleting leaves no empty folders, and puts beside it still succeed")
  func folders() async throws {
    try await withStores { fixture in
      let store = try fixture.disk()
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<4 {
          group.addTask {
            for round in 0..<20 {
              let name = "a/b/\(round % 3)/\(UUID())"
              try await store.put(name, bytes: [1], contentType: "image/png")
              try await store.delete(name)
            }
          }
        }
        try await group.waitForAll()
      }
      let rest = try FileManager.default.contentsOfDirectory(atPath: fixture.folder + "/objects")
      #expect(rest.isEmpty)
    }
  }

  @Test("A damaged file and a folder are no objects")
  func damage() async throws {
    try await withStores { fixture in
      let store = try fixture.disk()
      try await store.put("a/b", bytes: [1], contentType: "image/png")
      #expect(await storeError { try await store.get("a", maxBytes: 10) } == .notFound)
      #expect(try await store.head("a/b/c") == nil)
      try Data("something else".utf8).write(
        to: URL(filePath: fixture.folder + "/objects/a/b")
      )
      #expect(await storeError { try await store.get("a/b", maxBytes: 10) } == .unavailable)
      let under = await storeError {
        try await store.put("a/b/c", bytes: [1], contentType: "image/png")
      }
      #expect(under == .refused)
    }
  }

  @Test("A short signing key and a folder that cannot be made are refused at the start")
  func construction() async throws {
    try await withStores { fixture in
      func open(root: String, key: String) throws -> DiskObjectStore {
        try DiskObjectStore(
          root: root,
          publicBaseURL: "",
          signingKey: key,
          group: fixture.group
        )
      }
      #expect(await storeError { try open(root: fixture.folder, key: "short") } == .refused)
      let unusable = await storeError {
        try open(root: "/dev/null/x", key: StoreFixture.signingKey)
      }
      #expect(unusable == .refused)
    }
  }
}
