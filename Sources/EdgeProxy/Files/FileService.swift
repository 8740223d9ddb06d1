internal import EventLoop
internal import HTTPCore
internal import ObjectStore

/// What is done with a file of the disk store.
enum FileOperation: Sendable {
  case upload, download
}

/// `/files/<key>`: the disk store's objects under signed links.
///
/// With another store the clients talk to it themselves, and there is nothing here.
final class FileService: Sendable {
  private let store: DiskObjectStore?

  /// Bytes of a file that are read at once.
  private static let pieceBytes = 128 * 1024

  init(_ store: (any ObjectStore)?) {
    self.store = store as? DiskObjectStore
  }

  /// The largest body of an operation, as the link says.
  ///
  /// - Throws: ``Problem`` when the link is not valid: nothing of the body is read then.
  func bodyLimit(of operation: FileOperation, _ head: HTTPRequestHead) throws(Problem) -> Int {
    let access = try access(head)
    return operation == .upload ? Int(access.maxBytes) : 0
  }

  /// Serves a request and sends its answer.
  ///
  /// - Returns: The status that was answered.
  func serve(
    _ operation: FileOperation,
    _ request: AdmittedRequest,
    _ client: Client,
    on loop: EventLoop
  ) async throws -> HTTPStatus {
    guard let store else { throw Self.noRoute }
    let access = try access(request.head)
    do {
      switch operation {
      case .upload: return try await upload(access, request, client, store, on: loop)
      case .download: return try await download(access, request, client, store, on: loop)
      }
    } catch let error as ObjectStoreError {
      throw Self.problem(error)
    }
  }

  private func access(_ head: HTTPRequestHead) throws(Problem) -> SignedAccess {
    guard let store else { throw Self.noRoute }
    let method: HTTPMethod = head.method == .head ? .get : head.method
    switch store.verify(method: method, target: head.target) {
    case .success(let access): return access
    case .failure(.expired): throw Problem("SIGNED_URL_EXPIRED", "The link has expired.")
    case .failure: throw Problem("SIGNED_URL_INVALID", "The link is not valid.")
    }
  }

  private static let noRoute = Problem("ROUTE_NOT_FOUND", "There is nothing at this path.")

  private static func problem(_ error: ObjectStoreError) -> Problem {
    switch error.kind {
    case .notFound, .invalidKey: Problem("NOT_FOUND", "There is no such file.")
    case .tooLarge: Problem("BODY_TOO_LARGE", "The file is too large.")
    case .unavailable, .refused, .cancelled:
      Problem("UNAVAILABLE", "The file cannot be stored or read at the moment.")
    }
  }

  // MARK: Upload

  private func upload(
    _ access: SignedAccess,
    _ request: AdmittedRequest,
    _ client: Client,
    _ store: DiskObjectStore,
    on loop: EventLoop
  ) async throws -> HTTPStatus {
    let type = request.head.headers["content-type"] ?? ""
    guard let wanted = access.contentType, type.lowercased() == wanted.lowercased() else {
      var problem = Problem(
        "UNSUPPORTED_MEDIA_TYPE",
        "The Content-Type must be \(access.contentType ?? "the one of the link")."
      )
      problem.closesConnection = true
      throw problem
    }
    let path = store.incomingPath()
    do {
      try await receive(client, into: path, on: loop)
      try await store.put(access.key, file: path, contentType: wanted)
    } catch {
      await IncomingFile.remove(path, on: loop)
      throw error
    }
    await IncomingFile.remove(path, on: loop)
    var headers = request.context.base
    headers.append("cache-control", "no-store")
    await client.respond(EdgeResponse(200, headers))
    return 200
  }

  /// Writes the body to a file, off the loop, piece by piece.
  private func receive(_ client: Client, into path: String, on loop: EventLoop) async throws {
    let file = try await loop.offload { try IncomingFile(path) }
    do {
      while let piece = try await client.read() {
        try await loop.offload { try file.append(piece) }
      }
      try await loop.offload { try file.finish() }
    } catch {
      await file.abandon(on: loop)
      throw error
    }
  }

  // MARK: Download

  private func download(
    _ access: SignedAccess,
    _ request: AdmittedRequest,
    _ client: Client,
    _ store: DiskObjectStore,
    on loop: EventLoop
  ) async throws -> HTTPStatus {
    let object = try await store.open(access.key)
    let range = ByteRange(request.head.headers["range"], size: object.size)
    var headers = request.context.base
    headers.set("cross-origin-resource-policy", "cross-origin")
    headers.append("content-type", access.contentType ?? object.contentType)
    headers.append("accept-ranges", "bytes")
    headers.append("cache-control", "private, max-age=300")
    switch range {
    case .whole:
      return await send(0..<object.size, of: object, 200, headers, client, on: loop)
    case .part(let part):
      let last = part.upperBound - 1
      headers.append("content-range", "bytes \(part.lowerBound)-\(last)/\(object.size)")
      return await send(part, of: object, 206, headers, client, on: loop)
    case .unsatisfiable:
      headers.append("content-range", "bytes */\(object.size)")
      await client.respond(EdgeResponse(416, headers))
      return 416
    }
  }

  private func send(
    _ range: Range<Int>,
    of object: OpenObject,
    _ status: HTTPStatus,
    _ headers: HTTPHeaders,
    _ client: Client,
    on loop: EventLoop
  ) async -> HTTPStatus {
    await client.begin(HTTPResponseHead(status: status, headers: headers), length: range.count)
    var position = range.lowerBound
    while position < range.upperBound, !Task.isCancelled {
      let start = position
      let count = min(Self.pieceBytes, range.upperBound - start)
      let piece = try? await loop.offload { try object.read(count, at: start) }
      guard let piece, !piece.isEmpty else {
        await client.abort()
        return status
      }
      guard await client.write(piece) else { return status }
      position += piece.count
    }
    await client.end()
    return status
  }
}
