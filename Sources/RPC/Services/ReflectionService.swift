internal import Protobuf

/// `grpc.reflection.v1.ServerReflection`: lets generic tools list, describe and call.
struct ReflectionService: GrpcReflection.ServerReflectionHandler {
  typealias Request = GrpcReflection.ServerReflectionRequest
  typealias Response = GrpcReflection.ServerReflectionResponse

  let index: ReflectionIndex

  func serverReflectionInfo(
    _ requests: RequestStream<Request>,
    responses: ResponseWriter<Response>,
    context: ServerContext
  ) async throws {
    for try await request in requests { try await responses.send(answer(request)) }
  }

  /// Errors are messages: the stream goes on.
  func answer(_ request: Request) -> Response {
    var response = Response()
    response.validHost = request.host
    response.originalRequest = request
    response.messageResponse = content(for: request)
    return response
  }

  private func content(for request: Request) -> Response.MessageResponse {
    switch request.messageRequest {
    case .fileByFilename(let name): files(index.file(named: name), name)
    case .fileContainingSymbol(let symbol): files(index.file(declaring: symbol), symbol)
    case .fileContainingExtension(let wanted):
      files(
        index.file(extending: wanted.containingType, number: wanted.extensionNumber),
        "\(wanted.containingType) \(wanted.extensionNumber)"
      )
    case .allExtensionNumbersOfType(let type): extensionNumbers(of: type)
    case .listServices: services()
    case nil: error(.invalidArgument, "empty request")
    }
  }

  private func files(_ found: [[UInt8]]?, _ what: String) -> Response.MessageResponse {
    guard let found else { return error(.notFound, "\(what) is not known") }
    return .fileDescriptorResponse(.with { $0.fileDescriptorProto = found })
  }

  private func extensionNumbers(of type: String) -> Response.MessageResponse {
    guard let numbers = index.extensionNumbers(of: type) else {
      return error(.notFound, "\(type) is not known")
    }
    return .allExtensionNumbersResponse(
      .with {
        $0.baseTypeName = type
        $0.extensionNumber = numbers
      }
    )
  }

  private func services() -> Response.MessageResponse {
    .listServicesResponse(
      .with { list in
        list.service = index.services.map { name in .with { $0.name = name } }
      }
    )
  }

  private func error(_ code: StatusCode, _ message: String) -> Response.MessageResponse {
    .errorResponse(
      .with {
        $0.errorCode = Int32(code.rawValue)
        $0.errorMessage = message
      }
    )
  }
}

/// The same service under its older name, which some tools still ask first.
///
/// The two packages have the same messages, field by field: bytes of one are bytes of the other.
struct ReflectionServiceV1alpha: GrpcReflectionV1alpha.ServerReflectionHandler {
  let current: ReflectionService

  func serverReflectionInfo(
    _ requests: RequestStream<GrpcReflectionV1alpha.ServerReflectionRequest>,
    responses: ResponseWriter<GrpcReflectionV1alpha.ServerReflectionResponse>,
    context: ServerContext
  ) async throws {
    for try await request in requests {
      let answer = current.answer(try ReflectionService.Request(decodingCall: request.encoded()))
      try await responses.send(
        GrpcReflectionV1alpha.ServerReflectionResponse(decodingCall: answer.encoded())
      )
    }
  }
}

extension MethodRegistry {
  /// Adds health checking, and reflection over everything added so far.
  package mutating func addStandardServices(health: HealthService, reflection: Bool) {
    health.register(in: &self)
    guard reflection else { return }
    let names = [
      "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection",
    ]
    let index = ReflectionIndex(files: files, services: (serviceNames + names).sorted())
    let service = ReflectionService(index: index)
    service.register(in: &self)
    ReflectionServiceV1alpha(current: service).register(in: &self)
  }
}
