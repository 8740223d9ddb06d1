import Foundation
import MediaProtocol
import OneShotAPI
import Testing

@testable import GPUGateway

@Suite("Inputs") struct InputRuleTests {
  @Test("A key is its user's only under their own prefix")
  func ownership() {
    let user = UUID()
    let name = user.uuidString.lowercased()
    #expect(InputRule.owns(user, "uploads/\(name)/u/me.jpg"))
    #expect(InputRule.owns(user, "artifacts/\(name)/j/result.png"))
    for key in [
      "uploads/\(UUID().uuidString.lowercased())/u/me.jpg", "uploads/\(name)/../me.jpg",
      "uploads/\(name)//me.jpg", "uploads/\(name)/u", "uploads/\(name)/u/v/me.jpg",
      "secrets/\(name)/u/me.jpg", "uploads/\(user.uuidString)/u/me.jpg", "",
    ] {
      #expect(!InputRule.owns(user, key), "\(key)")
    }
  }

  @Test("Bytes that are no acceptable picture are refused by their head")
  func pictures() throws {
    func reason(_ bytes: [UInt8], limits: ImageLimits = ImageLimits()) -> String? {
      do {
        try InputRule.check(bytes, limits: limits, position: 0)
        return nil
      } catch {
        #expect(!error.isRetryable)
        return error.reason
      }
    }
    let picture = SimulatedPicture.png(side: 64, seed: 7)
    #expect(reason(picture) == nil)
    #expect(reason(Array("text".utf8)) == "INPUT_INVALID")
    #expect(reason(Array("<svg xmlns=''/>".utf8)) == "INPUT_INVALID")
    #expect(reason(Array(picture.dropLast(20))) == "INPUT_INVALID")
    #expect(reason(SimulatedPicture.png(side: 16, seed: 7)) == "INPUT_INVALID")
    #expect(reason(picture, limits: ImageLimits(maximumBytes: 100)) == "INPUT_INVALID")
  }

  @Test("A fault of ours is retryable and shows nothing of its cause")
  func ownFaults() {
    let failure = RunFailure(MediaError(.internalFailure, "secret", cause: "secret"))
    #expect((failure.reason, failure.isRetryable) == ("PROVIDER_FAILED", true))
    #expect(!failure.message.contains("secret"))
    let noFace = RunFailure(MediaError(.noFaceFound, "No face."))
    #expect(
      (noFace.reason, noFace.isRetryable, noFace.message) == ("NO_FACE_FOUND", false, "No face.")
    )
  }

  @Test("A result is named by content and parameters, not by places")
  func contentHash() {
    func spec(_ change: (inout Gpu.UpscaleSpec) -> Void) -> Gpu.JobSpec {
      var upscale = Gpu.UpscaleSpec.with {
        $0.input = .with { $0.location = .objectKey("a") }
        $0.scale = 2
      }
      change(&upscale)
      return .with {
        $0.maxSide = 512
        $0.pipeline = .upscale(upscale)
      }
    }
    let policy = Gpu.OutputPolicy.with { $0.artifactPrefix = "p" }
    let plain = ContentHash.of(inputs: [[1]], spec: spec { _ in }, policy: policy)
    let moved = ContentHash.of(
      inputs: [[1]],
      spec: spec { $0.input?.location = .url("b") },
      policy: .with { $0.artifactPrefix = "q" }
    )
    #expect(moved == plain)
    let others = [
      ContentHash.of(inputs: [[2]], spec: spec { _ in }, policy: policy),
      ContentHash.of(inputs: [[1]], spec: spec { $0.scale = 4 }, policy: policy),
      ContentHash.of(
        inputs: [[1]],
        spec: spec { _ in },
        policy: .with { $0.watermark = true }
      ),
    ]
    #expect(Set(others + [plain]).count == 4)
  }
}
