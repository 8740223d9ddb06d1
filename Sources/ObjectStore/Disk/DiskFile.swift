#if canImport(Glibc)
  internal import Glibc
#else
  internal import Darwin
#endif

/// Blocking file work of the disk store; runs on the loops' thread pool only.
///
/// An object is one file: a first line that names format and content type, then the bytes. So type
/// and bytes appear together by one rename, on any file system.
struct DiskFile {
  private static let magic = "oneshot-object-1 "
  /// Most bytes of the first line.
  private static let maximumHeader = 160

  let root: String

  private func path(_ key: String) -> String { "\(root)/objects/\(key)" }

  /// Makes the folders that every object needs.
  func prepare() throws(ObjectStoreError) {
    try makeFolders(of: "\(root)/objects/x")
    try makeFolders(of: "\(root)/incoming/x")
  }

  // MARK: Writing

  func store(
    _ key: String,
    _ bytes: [UInt8],
    contentType: String,
    temporaryName: String
  ) throws(ObjectStoreError) {
    let temporary = incomingPath(temporaryName)
    do throws(ObjectStoreError) {
      try writeWhole(temporary, Array("\(Self.magic)\(contentType)\n".utf8), bytes)
      try publish(temporary, as: path(key))
    } catch {
      unlink(temporary)
      throw error
    }
  }

  private func writeWhole(
    _ path: String,
    _ header: [UInt8],
    _ bytes: [UInt8]
  ) throws(ObjectStoreError) {
    let descriptor = systemOpen(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o640)
    guard descriptor >= 0 else { throw failure("open") }
    defer { close(descriptor) }
    for part in [header, bytes] {
      guard part.withUnsafeBytes({ writeAll(descriptor, $0) }) else { throw failure("write") }
    }
    guard fsync(descriptor) == 0 else { throw failure("fsync") }
  }

  private func writeAll(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Bool {
    var rest = bytes
    while !rest.isEmpty {
      let count = write(descriptor, rest.baseAddress, rest.count)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
    return true
  }

  private func publish(_ temporary: String, as path: String) throws(ObjectStoreError) {
    // A delete may remove the emptied folder between the two steps.
    for attempt in 1...3 {
      try makeFolders(of: path)
      if rename(temporary, path) == 0 { return try syncFolder(of: path) }
      guard errno == ENOENT, attempt < 3 else { throw failure("rename") }
    }
  }

  private func syncFolder(of path: String) throws(ObjectStoreError) {
    let descriptor = systemOpen(folder(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { throw failure("open folder") }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw failure("fsync folder") }
  }

  private func makeFolders(of path: String) throws(ObjectStoreError) {
    let folder = folder(of: path)
    if mkdir(folder, 0o750) == 0 || errno == EEXIST { return }
    guard errno == ENOENT, !folder.isEmpty else { throw failure("mkdir") }
    try makeFolders(of: folder)
    guard mkdir(folder, 0o750) == 0 || errno == EEXIST else { throw failure("mkdir") }
  }

  private func folder(of path: String) -> String {
    String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
  }

  // MARK: Reading

  func read(_ key: String, maxBytes: Int) throws(ObjectStoreError) -> StoredObject {
    guard let (descriptor, header) = try openObject(key) else {
      throw ObjectStoreError(.notFound, key)
    }
    defer { close(descriptor) }
    let size = header.fileSize - header.count
    guard size <= maxBytes else { throw ObjectStoreError(.tooLarge, "\(key) has \(size) bytes") }
    let bytes = try readRange(descriptor, from: header.count, count: size)
    return StoredObject(bytes: bytes, contentType: header.contentType)
  }

  func incomingPath(_ name: String) -> String { "\(root)/incoming/\(name)" }

  func open(_ key: String) throws(ObjectStoreError) -> OpenObject {
    guard let (descriptor, header) = try openObject(key) else {
      throw ObjectStoreError(.notFound, key)
    }
    return OpenObject(
      takingOwnership: descriptor,
      start: header.count,
      size: header.fileSize - header.count,
      contentType: header.contentType
    )
  }

  func info(_ key: String) throws(ObjectStoreError) -> ObjectInfo? {
    guard let (descriptor, header) = try openObject(key) else { return nil }
    close(descriptor)
    return ObjectInfo(size: header.fileSize - header.count, contentType: header.contentType)
  }

  /// Reads a file that is no object, for ``ObjectStore/put(_:file:contentType:)``.
  func readPlain(_ path: String, maxBytes: Int) throws(ObjectStoreError) -> [UInt8] {
    let descriptor = systemOpen(path, O_RDONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else { throw failure("open") }
    defer { close(descriptor) }
    let size = Int(lseek(descriptor, 0, SEEK_END))
    guard size >= 0 else { throw failure("lseek") }
    guard size <= maxBytes else { throw ObjectStoreError(.tooLarge, "\(size) bytes") }
    return try readRange(descriptor, from: 0, count: size)
  }

  private struct Header {
    var contentType: String
    var count: Int
    var fileSize: Int
  }

  private func openObject(_ key: String) throws(ObjectStoreError) -> (Int32, Header)? {
    let descriptor = systemOpen(path(key), O_RDONLY | O_CLOEXEC, 0)
    guard descriptor >= 0 else {
      guard errno == ENOENT || errno == ENOTDIR else { throw failure("open") }
      return nil
    }
    do throws(ObjectStoreError) {
      guard let header = try readHeader(descriptor) else {
        close(descriptor)
        return nil
      }
      return (descriptor, header)
    } catch {
      close(descriptor)
      throw error
    }
  }

  /// Nil for a folder, which is no object.
  private func readHeader(_ descriptor: Int32) throws(ObjectStoreError) -> Header? {
    let size = Int(lseek(descriptor, 0, SEEK_END))
    var start = [UInt8](repeating: 0, count: Self.maximumHeader)
    let count = pread(descriptor, &start, start.count, 0)
    if count < 0, errno == EISDIR { return nil }
    guard size >= 0, count >= 0 else { throw failure("pread") }
    let line = start.prefix(count).prefix { $0 != UInt8(ascii: "\n") }
    guard line.count < count, line.starts(with: Self.magic.utf8) else {
      throw ObjectStoreError(.unavailable, "damaged object file")
    }
    let type = String(decoding: line.dropFirst(Self.magic.utf8.count), as: UTF8.self)
    return Header(contentType: type, count: line.count + 1, fileSize: size)
  }

  private func readRange(
    _ descriptor: Int32,
    from start: Int,
    count: Int
  ) throws(ObjectStoreError) -> [UInt8] {
    var done = 0
    var failed = false
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      while done < count {
        let base = buffer.baseAddress.map { UnsafeMutableRawPointer($0 + done) }
        let part = pread(descriptor, base, count - done, off_t(start + done))
        if part < 0, errno == EINTR { continue }
        guard part > 0 else {
          failed = true
          break
        }
        done += part
      }
      initialized = done
    }
    guard !failed else { throw failure("pread") }
    return bytes
  }

  // MARK: Removing

  /// Removes an object and the folders that it leaves empty.
  func remove(_ key: String) throws(ObjectStoreError) {
    guard unlink(path(key)) == 0 else {
      guard errno == ENOENT || errno == ENOTDIR else { throw failure("unlink") }
      return
    }
    var folder = folder(of: path(key))
    while folder.utf8.count > "\(root)/objects".utf8.count, rmdir(folder) == 0 {
      folder = self.folder(of: folder)
    }
  }

  private func failure(_ call: String) -> ObjectStoreError {
    let code = errno
    let kind: ObjectStoreError.Kind =
      code == ENOTDIR || code == EISDIR || code == ENAMETOOLONG ? .refused : .unavailable
    return ObjectStoreError(kind, "\(call): \(String(cString: strerror(code)))")
  }
}

/// The system's call, which a method of the same name would hide.
private func systemOpen(_ path: String, _ flags: Int32, _ mode: mode_t) -> Int32 {
  open(path, flags, mode)
}
