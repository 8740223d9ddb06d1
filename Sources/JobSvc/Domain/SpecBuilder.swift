internal import OneShotAPI

/// Turns a checked description into the gateway's words, with every default filled in.
struct SpecBuilder {
  /// Largest of the sides that the plan and the client allow.
  let maxSide: Int32
  /// Where each picture is.
  let sources: [JobDescription.InputName: InputReference]

  private static let blend = 0.8
  private static let denoise = 0.5

  /// The gateway's form of `description`.
  func spec(for description: JobDescription) -> Gpu.JobSpec {
    let params = description.params
    var spec = Gpu.JobSpec()
    spec.maxSide = maxSide
    switch description.type {
    case .faceRestore: spec.pipeline = .faceRestore(faceRestore(params))
    case .faceSwap: spec.pipeline = .faceSwap(faceSwap(params))
    case .upscale: spec.pipeline = .upscale(upscale(params))
    }
    return spec
  }

  private func faceRestore(_ params: Jobs.JobParams) -> Gpu.FaceRestoreSpec {
    .with {
      $0.input = source(.input)
      $0.model = params.faceRestore?.textValue ?? ParameterRules.defaultFaceModel
      $0.enhance = params.enhance ?? true
      $0.denoise = params.denoise ?? Self.denoise
      $0.scale = params.scale ?? 1
    }
  }

  private func faceSwap(_ params: Jobs.JobParams) -> Gpu.FaceSwapSpec {
    .with {
      $0.sourceFace = source(.source)
      $0.target = source(.target)
      $0.blend = params.blend ?? Self.blend
      $0.swapStrength = params.swapStrength ?? 1
      $0.restoreModel = restoreModel(params)
      $0.upscale = params.upscale ?? 1
      $0.lora = params.lora ?? ""
    }
  }

  /// A named model wins over `true`, which means the default one; empty for none.
  private func restoreModel(_ params: Jobs.JobParams) -> String {
    if let name = params.faceRestore?.textValue { return name }
    if params.faceRestore?.boolValue == false { return "" }
    if let enhancer = params.faceEnhancer { return enhancer }
    return params.faceRestore == nil ? "" : ParameterRules.defaultFaceModel
  }

  private func upscale(_ params: Jobs.JobParams) -> Gpu.UpscaleSpec {
    .with {
      $0.input = source(.input)
      $0.model = params.model ?? ParameterRules.defaultUpscaleModel
      $0.scale = params.scale ?? 2
      $0.tile = params.tile ?? 0
    }
  }

  private func source(_ name: JobDescription.InputName) -> Gpu.ImageSource {
    var source = Gpu.ImageSource()
    switch sources[name] {
    case .object(let key): source.location = .objectKey(key)
    case .remote(let url): source.location = .url(url)
    case nil: break
    }
    return source
  }
}
