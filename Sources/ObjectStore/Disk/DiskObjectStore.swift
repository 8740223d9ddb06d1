package import EventLoop
internal import Foundation
package import HTTPCore

/// Keeps objects in a folder that all services of one machine share.
///
/// File work runs on the loops' thread pool. The addresses it signs are served by EdgeProxy, which
/// asks ``verify(method:target:)`` and then puts or gets the object.
package struct DiskObjectStore: ObjectStore {
  /// Largest file that is taken by path.
  package static let maximumFileBytes = 256 * 1024 * 1024

  private let files: DiskFile
  private let link: SignedLink
  private let publicBaseURL: String
  private let group: EventLoopGroup
  private let now: @Sendable () -> Int64

  /// Opens a store and makes its folders.
  ///
  /// - Parameters:
  ///   - root: The store's folder.
  ///   - publicBaseURL: Address of the edge, without a slash at its end.
  ///   - signingKey: Secret of links, 32 bytes or more; the same in all services.
  ///   - group: Loops whose pool does the file work.
  ///   - now: The wall clock, in seconds since 1970.
  /// - Throws: `.refused` for a short key, `.unavailable` if the folders cannot be made.
  package init(
    root: String,
    publicBaseURL: String,
    signingKey: String,
    group: EventLoopGroup,
    now: @escaping @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970) }
  ) throws(ObjectStoreError) {
    guard signingKey.utf8.count >= 32 else {
      throw ObjectStoreError(.refused, "signing key shorter than 32 bytes")
    }
    files = DiskFile(root: root)
    link = SignedLink(signingKey: signingKey)
    self.publicBaseURL = publicBaseURL
    self.group = group
    self.now = now
    try files.prepare()
  }

  /// Stores bytes.
  package func put(
    _ key: String,
    bytes: [UInt8],
    contentType: String
  ) async throws(ObjectStoreError) {
    try ObjectKeyRule.check(key)
    try ContentTypeRule.check(contentType)
    let name = UUID().uuidString
    try await work { files in
      try files.store(key, bytes, contentType: contentType, temporaryName: name)
    }
  }

  /// Stores a local file's bytes.
  package func put(
    _ key: String,
    file path: String,
    contentType: String
  ) async throws(ObjectStoreError) {
    try ObjectKeyRule.check(key)
    let bytes = try await work { files in
      try files.readPlain(path, maxBytes: Self.maximumFileBytes)
    }
    try await put(key, bytes: bytes, contentType: contentType)
  }

  /// Reads an object.
  package func get(
    _ key: String,
    maxBytes: Int
  ) async throws(ObjectStoreError) -> StoredObject {
    try ObjectKeyRule.check(key)
    return try await work { files in try files.read(key, maxBytes: maxBytes) }
  }

  /// A fresh path in the store's own file system for an upload under way; the caller removes the file.
  package func incomingPath() -> String {
    files.incomingPath(UUID().uuidString)
  }

  /// Opens an object for reading in pieces.
  ///
  /// - Throws: `.notFound` without one.
  package func open(_ key: String) async throws(ObjectStoreError) -> OpenObject {
    try ObjectKeyRule.check(key)
    return try await work { files in try files.open(key) }
  }

  /// Describes an object; nil without one.
  package func head(_ key: String) async throws(ObjectStoreError) -> ObjectInfo? {
    try ObjectKeyRule.check(key)
    return try await work { files in try files.info(key) }
  }

  /// Removes an object; it is fine if there is none.
  package func delete(_ key: String) async throws(ObjectStoreError) {
    try ObjectKeyRule.check(key)
    try await work { files in try files.remove(key) }
  }

  /// Signs an address at the edge.
  package func presign(_ request: PresignRequest) throws(ObjectStoreError) -> String {
    try ObjectKeyRule.check(request.key)
    let expires = now() + (try request.checkedSeconds())
    let access: SignedAccess
    switch request.operation {
    case .upload(let contentType, let maxBytes):
      try ContentTypeRule.check(contentType)
      guard maxBytes > 0 else { throw ObjectStoreError(.refused, "upload of \(maxBytes) bytes") }
      access = SignedAccess(
        key: request.key,
        operation: .upload,
        contentType: contentType,
        maxBytes: maxBytes,
        expires: expires
      )
    case .download(let contentType):
      if let contentType { try ContentTypeRule.check(contentType) }
      access = SignedAccess(
        key: request.key,
        operation: .download,
        contentType: contentType,
        maxBytes: 0,
        expires: expires
      )
    }
    return publicBaseURL + link.sign(access)
  }

  /// Tells what a request to `/files/…` may do.
  ///
  /// - Parameters:
  ///   - method: The request's method; a link to download serves GET and HEAD.
  ///   - target: The request's target as it stood on the wire.
  /// - Returns: What is allowed, or why nothing is.
  package func verify(
    method: HTTPMethod,
    target: [UInt8]
  ) -> Result<SignedAccess, SignedLinkRefusal> {
    link.check(target, method: method, unixSeconds: now())
  }

  private func work<T: Sendable>(
    _ body: @escaping @Sendable (DiskFile) throws -> T
  ) async throws(ObjectStoreError) -> T {
    let files = files
    do {
      return try await group.preferred().offload { try body(files) }
    } catch let error as ObjectStoreError {
      throw error
    } catch {
      throw ObjectStoreError(.unavailable, "\(error)")
    }
  }
}
