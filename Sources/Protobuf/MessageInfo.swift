internal import CProtobufC
internal import Synchronization

/// A message with a JSON form of its own (ProtoJSON), all in `google.protobuf`.
package enum WellKnownType: Sendable {
  case any, duration, empty, fieldMask, structure, value, listValue, timestamp
  /// `Int32Value`, `StringValue`, …: the field `value` (1) alone.
  case wrapper
}

/// What the schema says about one message, and where protobuf-c keeps its fields.
///
/// One instance per message type, made on first use and never freed. Protobuf-c's descriptors know
/// neither JSON names nor maps nor our options; these tables do.
package final class MessageInfo: Sendable {
  /// `oneshot.jobs.v1.CreateJobRequest`.
  package let fullName: String
  /// In ascending order of number; `fields[i]` is described by `fields[i]` of the C descriptor.
  package let fields: [FieldInfo]
  /// Names of the oneofs; an `optional` field makes none.
  package let oneofs: [String]
  /// The special JSON form, if the message has one.
  package let wellKnown: WellKnownType?
  /// The message is the entry of a map.
  package let isMapEntry: Bool
  /// Address of the `ProtobufCMessageDescriptor`.
  // The descriptor is constant data of the executable.
  package nonisolated(unsafe) let descriptorAddress: UnsafeRawPointer
  /// Size of the C struct in bytes.
  package let cSize: Int

  private let indexByName: [String: Int]
  private let indexByAlias: [String: Int]
  // Written once before `isLinked` is published, constant afterwards.
  private nonisolated(unsafe) let table: UnsafeMutablePointer<ScanTable>
  private let isLinked = Atomic<Bool>(false)

  /// Makes the tables of one message.
  ///
  /// `descriptor` is the address of what protoc-gen-c made for the lowered message; `fields` are all
  /// its fields, in ascending order of number.
  package init(
    _ fullName: String,
    descriptor: UnsafeRawPointer,
    wellKnown: WellKnownType? = nil,
    isMapEntry: Bool = false,
    oneofs: [String] = [],
    fields: [FieldInfo]
  ) {
    let c = descriptor.assumingMemoryBound(to: ProtobufCMessageDescriptor.self)
    precondition(
      Int(c.pointee.n_fields) == fields.count,
      "\(fullName): generated Swift and C differ; run make generate"
    )
    var placed = fields
    var byName: [String: Int] = [:]
    var byAlias: [String: Int] = [:]
    for index in placed.indices {
      placed[index].place(c.pointee.fields[index])
      byName[placed[index].jsonName] = index
      for alias in placed[index].aliases { byAlias[alias] = index }
    }
    // The original name wins over another field's JSON name.
    for index in placed.indices { byName[placed[index].name] = index }
    self.fullName = fullName
    self.fields = placed
    self.oneofs = oneofs
    self.wellKnown = wellKnown
    self.isMapEntry = isMapEntry
    descriptorAddress = descriptor
    cSize = c.pointee.sizeof_message
    indexByName = byName
    indexByAlias = byAlias
    table = ScanTable.make(fields: placed, descriptor: descriptor, cSize: cSize)
  }

  /// The field of an original or JSON name (standard ProtoJSON input).
  package func field(named name: String) -> FieldInfo? {
    indexByName[name].map { fields[$0] }
  }

  /// The field of an original name, JSON name or alias (edge JSON input).
  package func field(namedOrAliased name: String) -> FieldInfo? {
    (indexByName[name] ?? indexByAlias[name]).map { fields[$0] }
  }

  /// The field of a number.
  package func field(number: Int32) -> FieldInfo? {
    var low = 0
    var high = fields.count
    while low < high {
      let middle = (low + high) / 2
      if fields[middle].number < number { low = middle + 1 } else { high = middle }
    }
    return low < fields.count && fields[low].number == number ? fields[low] : nil
  }
}

extension MessageInfo {
  /// The C descriptor, at its real address.
  var cDescriptor: UnsafePointer<ProtobufCMessageDescriptor> {
    descriptorAddress.assumingMemoryBound(to: ProtobufCMessageDescriptor.self)
  }

  /// The table that the guard scan reads, linked to the tables of all reachable messages.
  var scanTable: UnsafePointer<ScanTable> {
    if !isLinked.load(ordering: .acquiring) { link() }
    return UnsafePointer(table)
  }

  private func link() {
    Self.linking.withLock { _ in
      var pending = [self]
      var reached: [ObjectIdentifier: MessageInfo] = [:]
      while let info = pending.popLast() {
        guard !info.isLinked.load(ordering: .acquiring), reached[ObjectIdentifier(info)] == nil
        else { continue }
        reached[ObjectIdentifier(info)] = info
        for (index, field) in info.fields.enumerated() {
          guard let child = field.message else { continue }
          info.table.pointee.entries[index].child = UnsafePointer(child.table)
          pending.append(child)
        }
      }
      // Published only when everything reachable is complete.
      for info in reached.values { info.isLinked.store(true, ordering: .releasing) }
    }
  }

  private static let linking = Mutex<Void>(())
}

extension FieldInfo {
  fileprivate mutating func place(_ c: ProtobufCFieldDescriptor) {
    precondition(c.id == UInt32(number), "\(name): generated Swift and C differ; run make generate")
    offset = Int(c.offset)
    // Key and value of a map's entry have a case in C although they have no presence.
    let hasCase = c.flags & UInt32(PROTOBUF_C_FIELD_FLAG_ONEOF.rawValue) != 0
    let isList = c.label == PROTOBUF_C_LABEL_REPEATED
    quantifierOffset = hasCase || isList ? Int(c.quantifier_offset) : nil
  }
}
