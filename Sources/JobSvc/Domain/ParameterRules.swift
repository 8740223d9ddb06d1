internal import OneShotAPI
internal import Protobuf

/// A job as its creator described it, checked and in canonical names.
struct JobDescription: Sendable, Hashable {
  /// The pipeline.
  var type: JobType
  /// Only what was given, under canonical names: what `Get` prints.
  var params: Jobs.JobParams
  /// Pictures by the canonical name of their parameter.
  var inputs: [InputName: InputGiven]

  /// Canonical names of the pictures.
  enum InputName: String, Sendable, Hashable, CaseIterable {
    case input, source, target
  }

  /// How a picture was named, and by which field.
  enum InputGiven: Sendable, Hashable {
    case url(String, field: String)
    case upload(String, field: String)

    /// The field's canonical name.
    var field: String {
      switch self {
      case .url(_, let field), .upload(_, let field): field
      }
    }
  }

  /// Longest side that was asked for; nil leaves it to the plan.
  var maxSide: Int32? { params.maxSide }

  /// Consents that were given, by field name.
  var consents: [String] {
    let flags: [(String, Bool?)] = [
      ("face_swap_consent", params.faceSwapConsent),
      ("deepfake_awareness_consent", params.deepfakeAwarenessConsent),
      ("biometric_processing_consent", params.biometricProcessingConsent),
    ]
    return flags.filter { $0.1 == true }.map(\.0)
  }

  /// Gated features that were asked for.
  var features: [String] { params.premiumFeature == true ? ["premium_feature"] : [] }
}

/// Checks the parameters of each pipeline and brings them into canonical names.
enum ParameterRules {
  private static let faceModels = ["gfpgan", "codeformer", "custom_lora"]
  private static let upscaleModels = ["realesrgan_x4plus", "realesrgan_x2plus"]
  /// Model that stands for `true`.
  static let defaultFaceModel = "gfpgan"
  /// Model when none is named.
  static let defaultUpscaleModel = "realesrgan_x4plus"
  private static let maxLoraBytes = 64

  /// Checks `given` for the pipeline `type`.
  static func check(
    _ type: JobType,
    _ given: Jobs.JobParams
  ) throws(RequestProblem) -> JobDescription {
    try checkApplicability(type, given)
    try checkRanges(given)
    switch type {
    case .faceRestore: return try faceRestore(given)
    case .faceSwap: return try faceSwap(given)
    case .upscale: return try upscale(given)
    }
  }

  // MARK: Pipelines

  private static func faceRestore(
    _ given: Jobs.JobParams
  ) throws(RequestProblem) -> JobDescription {
    var params = given
    if let model = given.model {
      guard given.faceRestore == nil else { throw .twice("face_restore", "model") }
      params.model = nil
      params.faceRestore = .text(model)
    }
    if let value = params.faceRestore {
      guard let name = value.textValue, faceModels.contains(name) else {
        throw .invalid("face_restore", "one of \(faceModels.joined(separator: ", "))")
      }
    }
    let input = try input(
      ("input_url", given.inputUrl),
      ("input_upload_id", given.inputUploadId)
    )
    return JobDescription(type: .faceRestore, params: params, inputs: [.input: input])
  }

  private static func faceSwap(
    _ given: Jobs.JobParams
  ) throws(RequestProblem) -> JobDescription {
    var params = given
    if let url = given.inputUrl {
      guard given.srcFaceUrl == nil else { throw .twice("src_face_url", "input_url") }
      params.srcFaceUrl = url
      params.inputUrl = nil
    }
    if let upload = given.inputUploadId {
      guard given.srcFaceUploadId == nil else {
        throw .twice("src_face_upload_id", "input_upload_id")
      }
      params.srcFaceUploadId = upload
      params.inputUploadId = nil
    }
    try checkSwapModels(given)
    let source = try input(
      ("src_face_url", params.srcFaceUrl),
      ("src_face_upload_id", params.srcFaceUploadId)
    )
    let target = try input(
      ("target_url", params.targetUrl),
      ("target_upload_id", params.targetUploadId)
    )
    return JobDescription(
      type: .faceSwap,
      params: params,
      inputs: [.source: source, .target: target]
    )
  }

  private static func checkSwapModels(_ given: Jobs.JobParams) throws(RequestProblem) {
    if let value = given.faceRestore, value.boolValue == nil {
      guard let name = value.textValue, faceModels.contains(name) else {
        let models = faceModels.joined(separator: ", ")
        throw .invalid("face_restore", "true, false or one of \(models)")
      }
    }
    if let enhancer = given.faceEnhancer, !faceModels.contains(enhancer) {
      throw .invalid("face_enhancer", "one of \(faceModels.joined(separator: ", "))")
    }
    if let lora = given.lora {
      guard !lora.isEmpty, lora.utf8.count <= maxLoraBytes, lora.utf8.allSatisfy(isNameByte)
      else { throw .invalid("lora", "a name of at most \(maxLoraBytes) letters, digits, - and _") }
    }
  }

  private static func upscale(
    _ given: Jobs.JobParams
  ) throws(RequestProblem) -> JobDescription {
    if let model = given.model, !upscaleModels.contains(model) {
      throw .invalid("model", "one of \(upscaleModels.joined(separator: ", "))")
    }
    if given.scale == 1 { throw .invalid("scale", "2 or 4") }
    let input = try input(
      ("input_url", given.inputUrl),
      ("input_upload_id", given.inputUploadId)
    )
    return JobDescription(type: .upscale, params: given, inputs: [.input: input])
  }

  // MARK: Fields

  private static func input(
    _ url: (name: String, value: String?),
    _ upload: (name: String, value: String?)
  ) throws(RequestProblem) -> JobDescription.InputGiven {
    switch (url.value, upload.value) {
    case (let text?, nil): return .url(text, field: url.name)
    case (nil, let text?): return .upload(text, field: upload.name)
    case (nil, nil): throw .missing(url.name)
    case (_?, _?): throw .twice(url.name, upload.name)
    }
  }

  private static func checkRanges(_ given: Jobs.JobParams) throws(RequestProblem) {
    let shares = [
      ("denoise", given.denoise), ("blend", given.blend), ("swap_strength", given.swapStrength),
    ]
    for (name, value) in shares {
      if let value, !(0...1).contains(value) { throw .invalid(name, "between 0 and 1") }
    }
    for (name, value) in [("scale", given.scale), ("upscale", given.upscale)] {
      if let value, ![1, 2, 4].contains(value) { throw .invalid(name, "1, 2 or 4") }
    }
    if let side = given.maxSide, !(64...8_192).contains(side) {
      throw .invalid("max_side", "between 64 and 8192")
    }
    if let tile = given.tile, tile != 0, !(64...1_024).contains(tile) {
      throw .invalid("tile", "0 or between 64 and 1024")
    }
  }

  /// Refuses parameters that the pipeline would ignore.
  private static func checkApplicability(
    _ type: JobType,
    _ given: Jobs.JobParams
  ) throws(RequestProblem) {
    let restore: Set<JobType> = [.faceRestore]
    let swap: Set<JobType> = [.faceSwap]
    let upscale: Set<JobType> = [.upscale]
    let rules: [(name: String, isGiven: Bool, types: Set<JobType>)] = [
      ("src_face_url", given.srcFaceUrl != nil, swap),
      ("src_face_upload_id", given.srcFaceUploadId != nil, swap),
      ("target_url", given.targetUrl != nil, swap),
      ("target_upload_id", given.targetUploadId != nil, swap),
      ("face_restore", given.faceRestore != nil, restore.union(swap)),
      ("model", given.model != nil, restore.union(upscale)),
      ("enhance", given.enhance != nil, restore),
      ("denoise", given.denoise != nil, restore),
      ("scale", given.scale != nil, restore.union(upscale)),
      ("tile", given.tile != nil, upscale),
      ("blend", given.blend != nil, swap),
      ("swap_strength", given.swapStrength != nil, swap),
      ("upscale", given.upscale != nil, swap),
      ("lora", given.lora != nil, swap),
      ("face_enhancer", given.faceEnhancer != nil, swap),
    ]
    for rule in rules where rule.isGiven && !rule.types.contains(type) {
      throw RequestProblem(
        "UNKNOWN_FIELD",
        "Parameter '\(rule.name)' does not apply to \(type.rawValue)",
        field: rule.name
      )
    }
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x5F: true
    default: false
    }
  }
}
