internal import JSON
internal import Protobuf

extension JSONSchema {
  /// Prints an encoded message as JSON, appended to `output`.
  ///
  /// The bytes are checked before they are unpacked, whoever sent them.
  /// - Parameters:
  ///   - message: The encoded message.
  ///   - plan: Its type.
  ///   - field: Prints this field's value alone, as a route's `response_body` asks.
  ///   - style: The form.
  ///   - output: Where the text goes; nothing is appended when an error is thrown.
  /// - Throws: ``TranscodingError`` for bytes that are no such message, and values without JSON form.
  package func print(
    _ message: UnsafeRawBufferPointer,
    as plan: MessagePlan,
    field: FieldPlan? = nil,
    style: JSONStyle = .edge,
    to output: inout [UInt8]
  ) throws(TranscodingError) {
    let unpacked: UnpackedMessage
    do {
      unpacked = try UnpackedMessage(plan.info, message)
    } catch {
      throw TranscodingError(.unprintable, "\(plan.info.fullName): \(error)")
    }
    // The writer looks at the last byte to place commas, so it starts on bytes of its own.
    var printer = MessagePrinter(
      schema: self,
      style: style,
      writer: JSONWriter(reserving: message.count * 2 + 64)
    )
    if let field {
      try printer.printField(unpacked.cMessage, field)
    } else {
      try printer.print(unpacked.cMessage, plan)
    }
    if output.isEmpty { output = printer.writer.bytes } else { output += printer.writer.bytes }
  }

  /// The value of a field of a message as text, for routing by content (an event's name and number).
  ///
  /// - Returns: Nil when the bytes are no such message or the field is no scalar.
  package func text(
    of field: FieldPlan,
    in message: UnsafeRawBufferPointer,
    as plan: MessagePlan
  ) -> String? {
    var output: [UInt8] = []
    guard (try? print(message, as: plan, field: field, to: &output)) != nil else { return nil }
    if output.first == UInt8(ascii: "\"") { output = output.dropFirst().dropLast() }
    return String(decoding: output, as: UTF8.self)
  }
}
