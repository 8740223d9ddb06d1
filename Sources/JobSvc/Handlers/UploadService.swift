internal import ObjectStore
internal import OneShotAPI
internal import ServiceKit

/// What the RPCs of `oneshot.jobs.v1.UploadService` share.
struct UploadService: Jobs.UploadServiceHandler {
  let store: UploadStore
  let objects: any ObjectStore
  let ids: UUIDv7
  let settings: Settings

  struct Settings: Sendable {
    /// Where our own files are served.
    var publicBaseURL: String
    /// Life of a signed upload address.
    var lifetime: Duration
    /// Largest picture.
    var maxBytes: Int64
  }
}
