import OneShotAPI
import Protobuf
import Testing

@testable import JobSvc

@Suite("Parameters") struct ParameterRulesTests {
  private typealias Params = Jobs.JobParams

  private func check(
    _ type: JobType,
    _ change: (inout Jobs.JobParams) -> Void
  ) throws(RequestProblem) -> JobDescription {
    var params = Jobs.JobParams()
    change(&params)
    return try ParameterRules.check(type, params)
  }

  private func problem(
    _ type: JobType,
    _ change: (inout Jobs.JobParams) -> Void
  ) -> RequestProblem? {
    do {
      _ = try check(type, change)
      return nil
    } catch {
      return error
    }
  }

  @Test("Old names of pipelines are known")
  func jobTypes() {
    #expect(JobType(name: "face_restoration") == .faceRestore)
    #expect(JobType(name: "face_swap") == .faceSwap)
    #expect(JobType(name: "FACE_SWAP") == nil)
  }

  @Test("A missing picture is named by its canonical field")
  func missing() {
    #expect(problem(.faceRestore) { _ in }?.message == "Field 'input_url' is required")
    #expect(problem(.faceSwap) { $0.srcFaceUrl = "u" }?.field == "target_url")
    #expect(problem(.upscale) { _ in }?.reason == "MISSING_FIELD")
  }

  @Test("Two ways of naming one picture are refused, naming both")
  func twice() {
    let both = problem(.faceSwap) {
      $0.srcFaceUrl = "a"
      $0.inputUrl = "b"
      $0.targetUrl = "c"
    }
    #expect(both?.reason == "DUPLICATE_FIELD")
    #expect(both?.message.contains("'src_face_url' and 'input_url'") == true)
    let restored = problem(.faceRestore) {
      $0.inputUrl = "a"
      $0.inputUploadId = "b"
    }
    #expect(restored?.reason == "DUPLICATE_FIELD")
    let model = problem(.faceRestore) {
      $0.inputUrl = "a"
      $0.model = "gfpgan"
      $0.faceRestore = .text("gfpgan")
    }
    #expect(model?.reason == "DUPLICATE_FIELD")
  }

  @Test("Aliases end under the canonical name")
  func canonicalNames() throws {
    let restore = try check(.faceRestore) {
      $0.inputUrl = "a"
      $0.model = "codeformer"
    }
    #expect(restore.params.faceRestore == .text("codeformer"))
    #expect(restore.params.model == nil)
    let swap = try check(.faceSwap) {
      $0.inputUrl = "a"
      $0.targetUrl = "b"
    }
    #expect(swap.params.srcFaceUrl == "a")
    #expect(swap.params.inputUrl == nil)
    #expect(swap.inputs[.source] == .url("a", field: "src_face_url"))
  }

  @Test(
    "Values outside their range are refused",
    arguments: [
      ("denoise", JobType.faceRestore), ("scale", .faceRestore), ("max_side", .faceRestore),
      ("blend", .faceSwap), ("swap_strength", .faceSwap), ("upscale", .faceSwap),
      ("lora", .faceSwap), ("face_restore", .faceSwap), ("face_enhancer", .faceSwap),
      ("tile", .upscale), ("scale", .upscale), ("model", .upscale),
      ("face_restore", .faceRestore),
    ]
  )
  func ranges(_ field: String, _ type: JobType) {
    let found = problem(type) { params in
      params.inputUrl = "a"
      if type == .faceSwap { params.targetUrl = "b" }
      switch field {
      case "denoise": params.denoise = 1.01
      case "scale": params.scale = type == .upscale ? 1 : 3
      case "max_side": params.maxSide = 63
      case "blend": params.blend = -0.1
      case "swap_strength": params.swapStrength = .nan
      case "upscale": params.upscale = 0
      case "lora": params.lora = "../x"
      case "face_restore": params.faceRestore = .text("photoshop")
      case "face_enhancer": params.faceEnhancer = "none"
      case "tile": params.tile = 63
      default: params.model = "esrgan"
      }
    }
    #expect(found?.reason == "INVALID_VALUE")
    #expect(found?.field == field)
  }

  @Test("A parameter that the pipeline would ignore is refused")
  func applicability() {
    let found = problem(.faceRestore) {
      $0.inputUrl = "a"
      $0.tile = 0
    }
    #expect(found?.reason == "UNKNOWN_FIELD")
    #expect(found?.message == "Parameter 'tile' does not apply to face_restore")
  }

  @Test("Edges of the ranges are taken")
  func edges() throws {
    _ = try check(.upscale) {
      $0.inputUrl = "a"
      $0.tile = 0
      $0.scale = 4
      $0.maxSide = 8_192
    }
    let swap = try check(.faceSwap) {
      $0.srcFaceUrl = "a"
      $0.targetUrl = "b"
      $0.blend = 0
      $0.swapStrength = 1
      $0.faceRestore = .with { $0.kind = .boolValue(true) }
      $0.faceSwapConsent = true
      $0.deepfakeAwarenessConsent = false
      $0.premiumFeature = true
    }
    #expect(swap.consents == ["face_swap_consent"])
    #expect(swap.features == ["premium_feature"])
  }

  @Test("The specification fills in every default")
  func specification() throws {
    let swap = try check(.faceSwap) {
      $0.srcFaceUrl = "a"
      $0.targetUrl = "b"
      $0.faceRestore = .with { $0.kind = .boolValue(true) }
    }
    let builder = SpecBuilder(
      maxSide: 512,
      sources: [.source: .object(key: "k"), .target: .remote(url: "u")]
    )
    guard case .faceSwap(let spec) = builder.spec(for: swap).pipeline else {
      Issue.record("another pipeline")
      return
    }
    #expect((spec.blend, spec.swapStrength, spec.upscale) == (0.8, 1, 1))
    #expect(spec.restoreModel == "gfpgan")
    #expect(spec.sourceFace?.location == .objectKey("k"))
    #expect(spec.target?.location == .url("u"))
  }
}
