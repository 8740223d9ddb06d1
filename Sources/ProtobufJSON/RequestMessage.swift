package import JSON
internal import Protobuf

/// A request on its way from JSON and parameters to protobuf bytes.
///
/// Lives from the first field to ``packed(reserving:)`` on one thread without an `await` between:
/// it borrows the parser's buffers and the thread's arena.
package struct RequestMessage: ~Copyable {
  private let arena: Arena
  private let plan: MessagePlan
  private let root: UnsafeMutableRawPointer
  private var reader: MessageReader
  /// Top-level fields that the body or a parameter has given.
  private var given = FieldSet()

  /// An empty message of the type `plan`.
  ///
  /// With `ignoresUnknownFields`, body members that are no fields are dropped, not refused.
  package init(_ plan: MessagePlan, in schema: JSONSchema, ignoresUnknownFields: Bool = false) {
    arena = Arena()
    self.plan = plan
    root = arena.allocateMessage(plan.info)
    reader = MessageReader(schema: schema, ignoresUnknownFields: ignoresUnknownFields)
  }

  /// Names of fields that the body carried although the schema ignores them, for the log.
  package var ignoredFields: [String] { reader.ignoredFields }

  /// Reads a JSON body into the message, or into the one field that the route's `body` names.
  ///
  /// The message's strings refer to the parser's buffers, so nothing else may be parsed by `parser`
  /// before the message is packed.
  package mutating func readBody(
    _ text: inout [UInt8],
    with parser: JSONParser,
    into field: FieldPlan? = nil
  ) throws(TranscodingError) {
    var failure: TranscodingError?
    do throws(JSONError) {
      failure = try parser.parse(&text) { readBody($0, into: field) }
    } catch {
      throw TranscodingError(error)
    }
    if let failure { throw failure }
  }

  private mutating func readBody(_ element: JSONElement, into field: FieldPlan?)
    -> TranscodingError?
  {
    do throws(TranscodingError) {
      if let field {
        _ = given.insert(field.index)
        try reader.readField(element, field, into: root, depth: 1, arena)
      } else {
        try reader.readRoot(element, plan, into: root, arena)
      }
      return nil
    } catch {
      return error
    }
  }

  /// Puts a body that is not JSON into a field of bytes, untouched.
  package mutating func setBytes(
    _ field: FieldPlan,
    _ bytes: [UInt8]
  ) throws(TranscodingError) {
    guard field.storage == .bytes || field.storage == .string, field.cardinality != .repeated else {
      throw TranscodingError(.unprintable, "\(field.info.name) takes no raw body")
    }
    _ = given.insert(field.index)
    let (data, count) = arena.copy(bytes)
    (root + field.offset).storeBytes(UnsafeBufferPointer(start: data, count: count))
    field.markSet(in: root)
  }

  /// Sets a field from a path parameter; the body was read before.
  ///
  /// - Throws: ``TranscodingError`` `.duplicateField` if the body gave the field another value: which
  ///   of the two was meant is not ours to guess.
  package mutating func setPathParameter(
    _ path: [FieldPlan],
    _ value: [UInt8]
  ) throws(TranscodingError) {
    if path.count == 1 { _ = given.insert(path[0].index) }
    try set(path, [value], mustAgree: true)
  }

  /// Sets a field from a query parameter.
  ///
  /// - Parameters:
  ///   - name: Field names joined by dots, in any spelling that a body may use.
  ///   - values: All values of the parameter: one, but for a list.
  /// - Throws: ``TranscodingError`` for an unknown name, a second spelling or a bad value.
  package mutating func setQueryParameter(
    _ name: String,
    _ values: [[UInt8]]
  ) throws(TranscodingError) {
    guard let path = plan.path(name, in: reader.schema) else {
      throw TranscodingError(.unknownParameter, "There is no query parameter '\(name)'.")
    }
    if let field = path.last, field.info.ignoredInput {
      reader.noteIgnored(field.info.name)
      return
    }
    if path.count == 1, !given.insert(path[0].index) {
      throw TranscodingError(
        .duplicateField,
        "The parameter '\(name)' is given by the path or in two spellings."
      )
    }
    do {
      try set(path, values)
    } catch {
      throw TranscodingError(
        error.reason,
        "The query parameter '\(name)' is invalid: \(error.detail)"
      )
    }
  }

  private func set(
    _ path: [FieldPlan],
    _ values: [[UInt8]],
    mustAgree: Bool = false
  ) throws(TranscodingError) {
    var message = root
    for field in path.dropLast() {
      let place = message + field.offset
      if let child = UnsafeRawPointer(place).loadPointer() {
        message = UnsafeMutableRawPointer(mutating: child)
      } else {
        let child = arena.allocateMessage(reader.schema.child(of: field).info)
        place.storeBytes(of: child, as: UnsafeMutableRawPointer.self)
        field.markSet(in: message)
        message = child
      }
    }
    guard let field = path.last else { return }
    if field.cardinality == .repeated {
      try setList(field, values, in: message)
    } else {
      guard let value = values.first, values.count == 1 else {
        throw TranscodingError(.invalidValue, "It is given more than once.")
      }
      let place = message + field.offset
      if mustAgree, field.isSet(in: message) {
        let other = arena.allocate(bytes: field.storage.stride)
        try setValue(value, field, at: other)
        guard field.isEqual(UnsafeRawPointer(place), UnsafeRawPointer(other)) else {
          throw TranscodingError(
            .duplicateField,
            at: "/" + path.map(\.info.name).joined(separator: "/"),
            "The path and the body give different values."
          )
        }
      }
      try setValue(value, field, at: place)
      field.markSet(in: message)
    }
  }

  private func setList(
    _ field: FieldPlan,
    _ values: [[UInt8]],
    in message: UnsafeMutableRawPointer
  ) throws(TranscodingError) {
    let elements = arena.allocate(bytes: values.count * field.storage.stride)
    for (index, value) in values.enumerated() {
      try setValue(value, field, at: elements + index * field.storage.stride)
    }
    message.storeBytes(of: elements, toByteOffset: field.offset, as: UnsafeMutableRawPointer.self)
    message.storeBytes(of: values.count, toByteOffset: field.quantifierOffset, as: Int.self)
  }

  private func setValue(
    _ value: [UInt8],
    _ field: FieldPlan,
    at place: UnsafeMutableRawPointer
  ) throws(TranscodingError) {
    let (data, count) = arena.copy(value)
    let text = UnsafeBufferPointer(start: UnsafePointer(data), count: count)
    guard field.storage == .message else {
      return try ScalarReader.read(text: text, field, at: place, isKey: true, arena)
    }
    let childPlan = reader.schema.child(of: field)
    let child = arena.allocateMessage(childPlan.info)
    try MessageReader.readText(text, childPlan, into: child, arena)
    place.storeBytes(of: child, as: UnsafeMutableRawPointer.self)
  }

  /// The message's bytes behind `prefix` bytes that are the caller's to fill.
  package consuming func packed(reserving prefix: Int) -> [UInt8] {
    arena.pack(root, reserving: prefix)
  }
}

extension MessageReader {
  /// Reads a whole document into the message that was made for it.
  mutating func readRoot(
    _ element: JSONElement,
    _ plan: MessagePlan,
    into root: UnsafeMutableRawPointer,
    _ arena: borrowing Arena
  ) throws(TranscodingError) {
    if let wellKnown = plan.wellKnown, wellKnown != .empty {
      try readWellKnown(wellKnown, element, plan, into: root, depth: 1, arena)
    } else {
      try readObject(element, plan, into: root, depth: 1, skipping: nil, arena)
    }
  }
}

extension MessagePlan {
  /// The fields that a dotted name goes through, to one that a parameter can carry.
  ///
  /// - Returns: Nil when a name is unknown, or the last field is a map, a list of messages, or a
  ///   message without a text form.
  package func path(_ name: String, in schema: JSONSchema) -> [FieldPlan]? {
    let parts = name.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count <= 8 else { return nil }
    var plan = self
    var path: [FieldPlan] = []
    for (index, part) in parts.enumerated() {
      guard let field = plan.field(named: String(part)), !field.info.isMap else { return nil }
      path.append(field)
      let isLast = index == parts.count - 1
      if isLast { break }
      guard field.storage == .message, field.cardinality != .repeated else { return nil }
      plan = schema.child(of: field)
    }
    guard let last = path.last else { return nil }
    guard last.storage == .message else { return path }
    guard last.cardinality != .repeated else { return nil }
    switch schema.child(of: last).wellKnown {
    case .timestamp, .duration, .fieldMask, .wrapper: return path
    default: return nil
    }
  }
}

extension TranscodingError {
  /// What a refused JSON text is to the caller.
  init(_ error: JSONError) {
    switch error {
    case .malformed: self.init(.malformedJSON, "The body is not well-formed JSON.")
    case .empty: self.init(.malformedJSON, "The body is empty; send a JSON object.")
    case .tooDeep: self.init(.malformedJSON, "The document nests too deep.")
    case .invalidUnicode: self.init(.malformedJSON, "The body is not valid UTF-8.")
    case .numberOutOfRange(let offset):
      self.init(.invalidValue, "The number at byte \(offset) is out of range.")
    case .outOfMemory: self.init(.malformedJSON, "The body is too large.")
    }
  }
}
