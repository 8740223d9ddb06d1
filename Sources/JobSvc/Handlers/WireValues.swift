internal import Protobuf

extension GoogleProtobuf.Value {
  /// A JSON string.
  static func text(_ text: String) -> GoogleProtobuf.Value {
    .with { $0.kind = .stringValue(text) }
  }

  /// The JSON string, if it is one.
  var textValue: String? {
    if case .stringValue(let text) = kind { text } else { nil }
  }

  /// The JSON boolean, if it is one.
  var boolValue: Bool? {
    if case .boolValue(let value) = kind { value } else { nil }
  }
}
