package import HTTP2

/// The metadata of one direction of a call: header fields without the protocol's own.
package struct Metadata: Sendable {
  private let block: HeaderBlock

  /// The fields of `block`; protocol fields are not shown.
  package init(_ block: HeaderBlock) {
    self.block = block
  }

  /// The value of the first field called `name`, which is lower case.
  package subscript(name: StaticString) -> String? {
    block.value(of: name)
  }

  /// Every value of `name`, in order.
  package func values(of name: String) -> [String] {
    (0..<block.count).compactMap { block.name(at: $0) == name ? block.value(at: $0) : nil }
  }

  /// The bytes of a `-bin` field; nil when it is missing or not base64.
  package func binary(_ name: StaticString) -> [UInt8]? {
    block.value(of: name).flatMap(Base64.decode)
  }

  /// Name and value of every field that is not the protocol's own.
  package var fields: [(name: String, value: String)] {
    (0..<block.count).compactMap { index in
      let name = block.name(at: index)
      return Self.isProtocolField(name) ? nil : (name, block.value(at: index))
    }
  }

  private static func isProtocolField(_ name: String) -> Bool {
    name.hasPrefix(":") || name.hasPrefix("grpc-") || name == "te" || name == "content-type"
      || name == "user-agent"
  }
}
