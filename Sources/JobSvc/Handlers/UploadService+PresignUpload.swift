internal import ObjectStore
internal import OneShotAPI
internal import RPC
internal import ServiceKit

extension UploadService {
  private static let contentTypes = ["image/jpeg", "image/png", "image/webp", "image/gif"]
  private static let maxNameBytes = 255

  /// Reserves a place for one picture and signs the address that it is sent to.
  func presignUpload(
    _ request: Jobs.PresignUploadRequest,
    context: ServerContext
  ) async throws -> Jobs.PresignUploadResponse {
    try await answering {
      let user = try context.requireUser()
      try check(request)
      let id = UploadID(ids.next())
      let key = ObjectKey.upload(user: user, upload: id, filename: request.filename)
      let url = try objects.presign(
        .upload(
          key: key,
          contentType: request.contentType,
          maxBytes: settings.maxBytes,
          lifetime: settings.lifetime
        )
      )
      let isTaken = try await store.insert(
        UploadStore.NewUpload(
          id: id,
          user: user,
          objectKey: key,
          filename: request.filename,
          contentType: request.contentType,
          declaredSize: request.fileSize,
          lifetime: settings.lifetime
        )
      )
      guard isTaken else { throw ServiceError.userErased }
      return .with {
        $0.uploadId = id.description
        $0.uploadUrl = url
        $0.presignedUrl = url
        $0.fileUrl = "\(settings.publicBaseURL)/files/\(key)"
        $0.expiresIn = Int32(settings.lifetime.components.seconds)
      }
    }
  }

  private func check(_ request: Jobs.PresignUploadRequest) throws(RequestProblem) {
    guard !request.filename.isEmpty else { throw .missing("filename") }
    guard request.filename.utf8.count <= Self.maxNameBytes else {
      throw RequestProblem(
        "INVALID_VALUE",
        "Field 'filename' must be at most \(Self.maxNameBytes) bytes",
        field: "filename"
      )
    }
    guard !request.contentType.isEmpty else { throw .missing("content_type") }
    guard Self.contentTypes.contains(request.contentType) else {
      throw RequestProblem(
        "INVALID_VALUE",
        "Field 'content_type' must be one of \(Self.contentTypes.joined(separator: ", "))",
        field: "content_type"
      )
    }
    guard let size = request.fileSize else { return }
    guard size > 0 else {
      throw RequestProblem(
        "INVALID_VALUE",
        "Field 'file_size' must be positive",
        field: "file_size"
      )
    }
    guard size <= settings.maxBytes else {
      throw RequestProblem(
        "INPUT_TOO_LARGE",
        "The file has \(size) bytes; at most \(settings.maxBytes) are accepted",
        field: "file_size"
      )
    }
  }
}
