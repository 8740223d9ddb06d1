internal import SwiftProtobuf
internal import SwiftProtobufPluginLibrary

/// Writes one service: descriptors, the protocol that a server implements, and the client.
struct ServiceWriter {
  private let service: ServiceDescriptor
  private let filesEnum: String
  private var namespace: String { Names.namespace(service.file.package) }
  private var methodsEnum: String { "\(namespace).\(service.name)Methods" }

  init(_ service: ServiceDescriptor, filesEnum: String) {
    self.service = service
    self.filesEnum = filesEnum
  }

  func write(to text: inout TextBuilder) throws {
    text.line()
    try text.block("extension \(namespace)") { text in
      try writeMethods(to: &text)
      text.line()
      writeProtocol(to: &text)
      text.line()
      writeClient(to: &text)
    }
    text.line()
    writeRegistration(to: &text)
  }

  // MARK: Descriptors

  private func writeMethods(to text: inout TextBuilder) throws {
    text.line("/// The methods of `\(service.fullName)`.")
    try text.block("package enum \(service.name)Methods") { text in
      for method in service.methods {
        try writeDescriptor(method, to: &text)
        text.line()
      }
      let names = service.methods.map { Names.method($0.name) }.joined(separator: ", ")
      text.line("/// All of them, as declared.")
      text.line("package static let all: [MethodDescriptor] = [\(names)]")
    }
  }

  private func writeDescriptor(_ method: MethodDescriptor, to text: inout TextBuilder) throws {
    let options = method.options.Oneshot_Options_V1_rpc
    let isOurs = service.file.package.hasPrefix("oneshot.")
    guard !isOurs || !options.allow.isEmpty else {
      throw GenerationError("\(method.fullName): (oneshot.options.v1.rpc).allow is missing")
    }
    let callers = options.allow.map { "\"\($0)\"" }.joined(separator: ", ")
    let retry = try retryClass(options.retry)
    text.line("package static let \(Names.method(method.name)) = MethodDescriptor(")
    text.indented { text in
      text.line("service: \"\(service.fullName)\",")
      text.line("method: \"\(method.name)\",")
      text.line("kind: .\(method.kindName),")
      text.line("allowedCallers: [\(callers)],")
      text.line("noSideEffects: \(options.noSideEffects),")
      text.line("retry: .\(retry),")
      text.line("defaultTimeoutMilliseconds: \(options.defaultTimeoutMs),")
      text.line("requestType: \"\(method.inputType.fullName)\",")
      text.line("responseType: \"\(method.outputType.fullName)\"")
    }
    text.line(")")
  }

  private func retryClass(_ retry: Oneshot_Options_V1_RetryClass) throws -> String {
    switch retry {
    case .none: return "none"
    case .unavailable: return "unavailable"
    case .idempotent: return "idempotent"
    case .UNRECOGNIZED(let number): throw GenerationError("unknown retry class \(number)")
    }
  }

  // MARK: Server

  private func writeProtocol(to text: inout TextBuilder) {
    text.comment(service, or: "What a server of `\(service.fullName)` implements.")
    text.block("package protocol \(service.name)Handler: Sendable") { text in
      for (index, method) in service.methods.enumerated() {
        if index > 0 { text.line() }
        text.comment(method, or: "`\(method.name)`")
        text.line("func \(Names.method(method.name))(")
        text.indented { text in
          let request = Names.fullType(method.inputType)
          let response = Names.fullType(method.outputType)
          text.line(
            method.clientStreaming
              ? "_ requests: RequestStream<\(request)>," : "_ request: \(request),"
          )
          if method.serverStreaming { text.line("responses: ResponseWriter<\(response)>,") }
          text.line("context: ServerContext")
        }
        let result = method.serverStreaming ? "" : " -> \(Names.fullType(method.outputType))"
        text.line(") async throws\(result)")
      }
    }
  }

  private func writeRegistration(to text: inout TextBuilder) {
    text.block("extension \(namespace).\(service.name)Handler") { text in
      text.line("/// Adds the service's methods, and its files for reflection.")
      text.block("package func register(in registry: inout MethodRegistry)") { text in
        text.line("registry.addFileDescriptors(\(filesEnum).all)")
        for method in service.methods { writeRegistration(method, to: &text) }
      }
    }
  }

  private func writeRegistration(_ method: MethodDescriptor, to text: inout TextBuilder) {
    let name = Names.method(method.name)
    let request = Names.fullType(method.inputType)
    let descriptor = "\(methodsEnum).\(name)"
    let encoded = ".encoded(reserving: RPCFraming.prefixLength)"
    if method.kindName == "unary" {
      text.line("registry.unary(\(descriptor)) { message, context in")
      text.line("  let request = try \(request)(decodingCall: message)")
      text.line("  return try await self.\(name)(request, context: context)")
      text.line("    \(encoded)")
      text.line("}")
      return
    }
    text.line("registry.stream(\(descriptor)) { requests, responses, context in")
    text.indented { text in
      if method.clientStreaming {
        text.line("let requests = RequestStream<\(request)>(requests)")
      } else {
        text.line("let request = try await \(request)(onlyMessageOf: requests)")
      }
      let argument = method.clientStreaming ? "requests" : "request"
      if method.serverStreaming {
        text.line("try await self.\(name)(")
        text.line("  \(argument), responses: ResponseWriter(responses), context: context")
        text.line(")")
      } else {
        text.line("let response = try await self.\(name)(\(argument), context: context)")
        text.line("try await responses.send(response\(encoded))")
      }
    }
    text.line("}")
  }

  // MARK: Client

  private func writeClient(to text: inout TextBuilder) {
    text.line("/// Calls `\(service.fullName)`.")
    text.block("package struct \(service.name)Client: Sendable") { text in
      text.line("private let channel: Channel")
      text.line()
      text.line("package init(_ channel: Channel) { self.channel = channel }")
      for method in service.methods {
        text.line()
        text.comment(method, or: "Calls `\(method.name)`.")
        writeCall(method, to: &text)
      }
    }
  }

  private func writeCall(_ method: MethodDescriptor, to text: inout TextBuilder) {
    let name = Names.method(method.name)
    let request = Names.fullType(method.inputType)
    let response = Names.fullType(method.outputType)
    let descriptor = "\(methodsEnum).\(name)"
    let encoded = "request.encoded(reserving: RPCFraming.prefixLength)"
    text.line("package func \(name)(")
    text.indented { text in
      if !method.clientStreaming { text.line("_ request: \(request),") }
      let hasWriter = method.kindName == "clientStreaming"
      text.line("options: CallOptions = CallOptions()" + (hasWriter ? "," : ""))
      if hasWriter {
        text.line("_ write: (RequestWriter<\(request)>) async throws -> Void")
      }
    }
    let open = "let call = try await channel.openStream(\(descriptor), options: options)"
    switch method.kindName {
    case "unary":
      text.block(") async throws -> \(response)") { text in
        text.line("let frame = \(encoded)")
        text.line("let reply = try await channel.unary(\(descriptor), frame, options: options)")
        text.line("return try \(response)(decodingCall: reply)")
      }
    case "serverStreaming":
      text.block(") async throws -> ResponseStream<\(response)>") { text in
        text.line(open)
        text.line("try await call.send(\(encoded))")
        text.line("await call.finishSending()")
        text.line("return ResponseStream(call)")
      }
    case "clientStreaming":
      text.block(") async throws -> \(response)") { text in
        text.line(open)
        text.line("return try await call.onlyReply(after: write)")
      }
    default:
      text.block(") async throws -> BidiCall<\(request), \(response)>") { text in
        text.line("BidiCall(try await channel.openStream(\(descriptor), options: options))")
      }
    }
  }
}

extension MethodDescriptor {
  /// The case of `MethodKind`.
  var kindName: String {
    switch (clientStreaming, serverStreaming) {
    case (false, false): "unary"
    case (true, false): "clientStreaming"
    case (false, true): "serverStreaming"
    case (true, true): "bidirectional"
    }
  }
}
