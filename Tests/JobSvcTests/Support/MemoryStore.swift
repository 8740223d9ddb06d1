import ObjectStore
import Synchronization

/// An object store in memory.
final class MemoryStore: ObjectStore {
  private let objects = Mutex<[String: StoredObject]>([:])

  func put(_ key: String, bytes: [UInt8], contentType: String) async throws(ObjectStoreError) {
    objects.withLock { $0[key] = StoredObject(bytes: bytes, contentType: contentType) }
  }

  func put(_ key: String, file path: String, contentType: String) async throws(ObjectStoreError) {
    throw ObjectStoreError(.refused, "not in memory")
  }

  func get(_ key: String, maxBytes: Int) async throws(ObjectStoreError) -> StoredObject {
    guard let object = objects.withLock({ $0[key] }) else {
      throw ObjectStoreError(.notFound, key)
    }
    return object
  }

  func head(_ key: String) async throws(ObjectStoreError) -> ObjectInfo? {
    objects.withLock { $0[key] }.map {
      ObjectInfo(size: $0.bytes.count, contentType: $0.contentType)
    }
  }

  func delete(_ key: String) async throws(ObjectStoreError) {
    objects.withLock { _ = $0.removeValue(forKey: key) }
  }

  func presign(_ request: PresignRequest) throws(ObjectStoreError) -> String {
    "memory:///\(request.key)"
  }
}
