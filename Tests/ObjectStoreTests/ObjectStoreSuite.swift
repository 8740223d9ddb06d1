import Foundation
import HTTPClient
import HTTPCore
import Testing

@testable import ObjectStore

@Suite("Object stores") struct ObjectStoreSuite {
  private func freshKey(_ name: String = "a.png") -> String {
    "uploads/\(UUID().uuidString.lowercased())/\(name)"
  }

  @Test("What is put is read back with its type and size", arguments: StoreKind.allCases)
  func roundTrip(kind: StoreKind) async throws {
    try await withStores { fixture in
      let store = try fixture.store(kind)
      for size in [0, 1, 5_000_000] {
        let key = freshKey()
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        try await store.put(key, bytes: bytes, contentType: "image/png")
        let object = try await store.get(key, maxBytes: size)
        #expect(object.bytes == bytes)
        #expect(object.contentType == "image/png")
        #expect(try await store.head(key) == ObjectInfo(size: size, contentType: "image/png"))
      }
    }
  }

  @Test("A file is stored by its path", arguments: StoreKind.allCases)
  func file(kind: StoreKind) async throws {
    try await withStores { fixture in
      let store = try fixture.store(kind)
      let key = freshKey()
      let path = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
      try Data("from a file".utf8).write(to: URL(filePath: path))
      defer { try? FileManager.default.removeItem(atPath: path) }
      try await store.put(key, file: path, contentType: "text/plain")
      let object = try await store.get(key, maxBytes: 100)
      #expect(object.bytes == Array("from a file".utf8))
      let error = await storeError {
        try await store.put(key, file: path + ".missing", contentType: "text/plain")
      }
      #expect(error == .unavailable)
    }
  }

  @Test("A second put replaces bytes and type", arguments: StoreKind.allCases)
  func replace(kind: StoreKind) async throws {
    try await withStores { fixture in
      let store = try fixture.store(kind)
      let key = freshKey()
      try await store.put(key, bytes: [1, 2, 3], contentType: "image/png")
      try await store.put(key, bytes: [4], contentType: "image/jpeg")
      let object = try await store.get(key, maxBytes: 10)
      #expect(object == StoredObject(bytes: [4], contentType: "image/jpeg"))
    }
  }

  @Test("What is absent is not found, and deleting it is fine", arguments: StoreKind.allCases)
  func absent(kind: StoreKind) async throws {
    try await withStores { fixture in
      let store = try fixture.store(kind)
      let key = freshKey()
      #expect(await storeError { try await store.get(key, maxBytes: 10) } == .notFound)
      #expect(try await store.head(key) == nil)
      try await store.delete(key)
      try await store.put(key, bytes: [1], contentType: "image/png")
      try await store.delete(key)
      try await store.delete(key)
      #expect(try await store.head(key) == nil)
    }
  }

  @Test("An object over the reader's limit is refused", arguments: StoreKind.allCases)
  func limit(kind: StoreKind) async throws {
    try await withStores { fixture in
      let store = try fixture.store(kind)
      let key = freshKey()
      try await store.put(key, bytes: Array(repeating: 7, count: 1_001), contentType: "image/png")
      #expect(await storeError { try await store.get(key, maxBytes: 1_000) } == .tooLarge)
      let whole = try await store.get(key, maxBytes: 1_001)
      #expect(whole.bytes.count == 1_001)
    }
  }

  @Test("Names with spaces, signs and other scripts are kept apart", arguments: StoreKind.allCases)
  func names(kind: StoreKind) async throws {
    try await withStores { fixture in
      let store = try fixture.store(kind)
      let folder = freshKey("n")
      let names = ["a b", "a+b", "a%20b", "a%2Bb", "ü", "u\u{308}", "鍵.jpg", "a?b#c&d=e", "~'()*!"]
      for (index, name) in names.enumerated() {
        try await store.put("\(folder)/\(name)", bytes: [UInt8(index)], contentType: "image/png")
      }
      for (index, name) in names.enumerated() {
        let object = try await store.get("\(folder)/\(name)", maxBytes: 10)
        #expect(object.bytes == [UInt8(index)], "\(name)")
      }
    }
  }

  @Test("Keys that could leave the store are refused everywhere", arguments: StoreKind.allCases)
  func invalidKeys(kind: StoreKind) async throws {
    try await withStores { fixture in
      let store = try fixture.store(kind)
      for key in ObjectKeyRuleTests.invalid {
        let errors = [
          await storeError { try await store.put(key, bytes: [], contentType: "image/png") },
          await storeError { try await store.get(key, maxBytes: 10) },
          await storeError { try await store.head(key) },
          await storeError { try await store.delete(key) },
          await storeError { try store.presign(.download(key: key, lifetime: .seconds(60))) },
        ]
        #expect(errors == Array(repeating: .invalidKey, count: 5), "\(key.debugDescription)")
      }
    }
  }

  @Test("Signed addresses live from a second to a week", arguments: StoreKind.allCases)
  func lifetimes(kind: StoreKind) async throws {
    try await withStores { fixture in
      let store = try fixture.store(kind)
      for seconds in [0, -1, 604_801] {
        let error = await storeError {
          try store.presign(.download(key: "a", lifetime: .seconds(seconds)))
        }
        #expect(error == .refused)
      }
      for seconds in [1, 604_800] {
        _ = try store.presign(.download(key: "a", lifetime: .seconds(seconds)))
      }
    }
  }
}

@Suite("Object keys") struct ObjectKeyRuleTests {
  static let invalid = [
    "", "/", "/a", "a/", "a//b", "..", ".", "../a", "a/../b", "a/./b", "a/..", ".hidden",
    "a/.hidden", "a\\b", "a\u{00}b", "a\nb", "a\u{7F}", String(repeating: "a", count: 201),
    String(repeating: "abcdefghi/", count: 51) + "abc",
  ]

  @Test("Paths that mean the same everywhere are keys, others are not")
  func rule() {
    for key in Self.invalid { #expect(!ObjectKeyRule.isValid(key), "\(key.debugDescription)") }
    let valid = [
      "a", "a/b.c", "uploads/1/2/photo (1).jpg", "ü/鍵", "a b", "a..b", "a.", "%2e%2e/a",
      String(repeating: "a", count: 200), String(repeating: "abcdefghi/", count: 51) + "ab",
    ]
    for key in valid { #expect(ObjectKeyRule.isValid(key), "\(key.debugDescription)") }
  }
}
