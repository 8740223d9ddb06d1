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
    block.fields.compactMap { $0.name == name ? $0.value : nil }
  }

  /// The bytes of the first `-bin` field called `name`; nil when it is missing or not base64.
  package func binary(_ name: StaticString) -> [UInt8]? {
    block.value(of: name).flatMap { text in
      text.split(separator: ",", omittingEmptySubsequences: false).first
        .flatMap { Base64.decode(String($0)) }
    }
  }

  /// The bytes of every `-bin` field called `name`, in order; peers may join several by commas.
  ///
  /// - Parameter name: Lower case, ending with `-bin`.
  /// - Returns: Nil when one of them is not base64.
  package func binaryValues(of name: String) -> [[UInt8]]? {
    var result: [[UInt8]] = []
    for text in values(of: name) {
      for part in text.split(separator: ",", omittingEmptySubsequences: false) {
        guard let bytes = Base64.decode(part.filter { $0 != " " }) else { return nil }
        result.append(bytes)
      }
    }
    return result
  }

  /// Name and value of every field that is not the protocol's own.
  package var fields: [(name: String, value: String)] {
    block.fields.filter { !Self.isProtocolField($0.name) }
  }

  private static func isProtocolField(_ name: String) -> Bool {
    name.hasPrefix(":") || name.hasPrefix("grpc-") || name == "te" || name == "content-type"
      || name == "user-agent"
  }
}
