internal import HTTP2
package import Protobuf

/// Runs a unary call: message bytes in, framed and unsealed reply out.
package typealias UnaryBody =
  nonisolated(nonsending) @Sendable (
    _ message: [UInt8], _ context: ServerContext
  ) async throws -> [UInt8]

/// Runs a call of any other kind.
package typealias StreamBody =
  nonisolated(nonsending) @Sendable (
    _ requests: RawRequestStream, _ responses: RawResponseWriter, _ context: ServerContext
  ) async throws -> Void

/// One RPC that a server answers.
final class Method: Sendable {
  enum Body: Sendable {
    case unary(UnaryBody)
    case stream(StreamBody)
  }

  let descriptor: MethodDescriptor
  let body: Body
  private let path: [UInt8]

  init(_ descriptor: MethodDescriptor, _ body: Body) {
    self.descriptor = descriptor
    self.body = body
    path = Array(descriptor.path.utf8)
  }

  func isAt(_ path: UnsafeBufferPointer<UInt8>) -> Bool {
    path.equals(self.path)
  }

  func allows(_ caller: String?) -> Bool {
    guard !descriptor.allowedCallers.isEmpty else { return true }
    guard let caller else { return false }
    return descriptor.allowedCallers.contains(caller)
  }
}

/// Everything that a server answers; generated code fills it.
package struct MethodRegistry: Sendable {
  private(set) var methods: [[UInt8]: Method] = [:]
  private(set) var services: Set<String> = []
  private(set) var files: [FileDescriptorBytes] = []

  package init() {}

  /// Adds a unary RPC.
  package mutating func unary(_ descriptor: MethodDescriptor, _ body: @escaping UnaryBody) {
    add(Method(descriptor, .unary(body)))
  }

  /// Adds an RPC of another kind.
  package mutating func stream(_ descriptor: MethodDescriptor, _ body: @escaping StreamBody) {
    add(Method(descriptor, .stream(body)))
  }

  /// Adds schema files for reflection.
  package mutating func addFileDescriptors(_ files: [FileDescriptorBytes]) {
    self.files.append(contentsOf: files)
  }

  /// Full names of the services, sorted.
  package var serviceNames: [String] { services.sorted() }

  private mutating func add(_ method: Method) {
    let path = Array(method.descriptor.path.utf8)
    precondition(methods[path] == nil, "\(method.descriptor.path) is registered twice")
    methods[path] = method
    services.insert(method.descriptor.service)
  }

  func method(at path: UnsafeBufferPointer<UInt8>) -> Method? {
    methods[Array(path)]
  }
}
