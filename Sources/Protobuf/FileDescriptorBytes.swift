/// One `.proto` file as an encoded `google.protobuf.FileDescriptorProto`, for server reflection.
package struct FileDescriptorBytes: Sendable {
  /// The file's path, `oneshot/jobs/v1/jobs.proto`.
  package let name: String
  /// The paths that the file imports, all of them among the descriptors of a registry.
  package let dependencies: [String]
  /// Full names of everything declared: messages, fields, enums, values, services, methods.
  package let symbols: [String]
  /// Extensions declared: the extended message and the number.
  package let extensions: [(extendee: String, number: Int32)]
  // Constant data of the executable.
  private nonisolated(unsafe) let data: UnsafeRawBufferPointer

  package init(
    name: String,
    dependencies: [String],
    symbols: [String],
    extensions: [(extendee: String, number: Int32)] = [],
    data: UnsafeRawPointer,
    count: Int
  ) {
    self.name = name
    self.dependencies = dependencies
    self.symbols = symbols
    self.extensions = extensions
    self.data = UnsafeRawBufferPointer(start: data, count: count)
  }

  /// The encoded descriptor.
  package var bytes: [UInt8] { [UInt8](data) }
}
