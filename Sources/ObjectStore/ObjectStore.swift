/// Keeps objects: bytes with a content type under a key.
///
/// Keys are checked by ``ObjectKeyRule``. A put is seen whole or not at all and replaces what was
/// there. All calls may run on any loop.
package protocol ObjectStore: Sendable {
  /// Stores bytes.
  func put(
    _ key: String,
    bytes: [UInt8],
    contentType: String
  ) async throws(ObjectStoreError)

  /// Stores a local file's bytes.
  func put(
    _ key: String,
    file path: String,
    contentType: String
  ) async throws(ObjectStoreError)

  /// Reads an object.
  ///
  /// - Throws: `.notFound` without one, `.tooLarge` if it has more than `maxBytes`.
  func get(_ key: String, maxBytes: Int) async throws(ObjectStoreError) -> StoredObject

  /// Describes an object; nil without one.
  func head(_ key: String) async throws(ObjectStoreError) -> ObjectInfo?

  /// Removes an object; it is fine if there is none.
  func delete(_ key: String) async throws(ObjectStoreError)

  /// Signs an address by which anybody can do one thing with one object for a while.
  func presign(_ request: PresignRequest) throws(ObjectStoreError) -> String
}

/// An object that was read.
package struct StoredObject: Sendable, Hashable {
  /// Its bytes.
  package let bytes: [UInt8]
  /// The type it was stored with.
  package let contentType: String

  /// Joins the parts.
  package init(bytes: [UInt8], contentType: String) {
    self.bytes = bytes
    self.contentType = contentType
  }
}

/// What is known of an object without reading it.
package struct ObjectInfo: Sendable, Hashable {
  /// Number of bytes.
  package let size: Int
  /// The type it was stored with.
  package let contentType: String

  /// Joins the parts.
  package init(size: Int, contentType: String) {
    self.size = size
    self.contentType = contentType
  }
}

/// What an address shall allow.
package struct PresignRequest: Sendable, Hashable {
  /// The one thing that the address allows.
  package enum Operation: Sendable, Hashable {
    /// Sending an object of exactly this type and at most so many bytes.
    ///
    /// S3 can bind the type but not the size: check that by ``ObjectStore/head(_:)`` afterwards.
    case upload(contentType: String, maxBytes: Int64)
    /// Reading the object; the type is that of the answer, nil for the stored one.
    case download(contentType: String?)
  }

  /// The object.
  package let key: String
  /// What is allowed.
  package let operation: Operation
  /// For how long; whole seconds from 1 to 604,800.
  package let lifetime: Duration

  /// An address to send an object to.
  package static func upload(
    key: String,
    contentType: String,
    maxBytes: Int64,
    lifetime: Duration
  ) -> PresignRequest {
    PresignRequest(
      key: key,
      operation: .upload(contentType: contentType, maxBytes: maxBytes),
      lifetime: lifetime
    )
  }

  /// An address to read an object from.
  package static func download(
    key: String,
    contentType: String? = nil,
    lifetime: Duration
  ) -> PresignRequest {
    PresignRequest(key: key, operation: .download(contentType: contentType), lifetime: lifetime)
  }

  /// The lifetime in seconds, if it is allowed.
  func checkedSeconds() throws(ObjectStoreError) -> Int64 {
    let seconds = lifetime.components.seconds
    guard (1...604_800).contains(seconds) else {
      throw ObjectStoreError(.refused, "lifetime of \(seconds) s")
    }
    return seconds
  }
}
