/// The pipelines that a job can run.
enum JobType: String, Sendable, Hashable, CaseIterable {
  case faceRestore = "face_restore"
  case faceSwap = "face_swap"
  case upscale = "upscale"

  /// Reads the canonical name or one that an older client knows.
  init?(name: String) {
    switch name {
    case "face_restoration": self = .faceRestore
    default: self.init(rawValue: name)
    }
  }

  /// Seconds that a job takes before any has been measured.
  var assumedSeconds: Double {
    switch self {
    case .faceRestore: 20
    case .faceSwap: 30
    case .upscale: 20
    }
  }
}
