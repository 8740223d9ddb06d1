/// The names and numbers of an enum.
package final class EnumInfo: Sendable {
  /// One declared value; aliases of a number are values of their own.
  package struct Value: Sendable {
    package let number: Int32
    /// As declared, `JOB_STATE_PENDING`.
    package let fullName: String
    /// Lower-case without the enum's prefix, `pending`: what edge JSON prints.
    package let shortName: String

    package init(_ number: Int32, _ fullName: String, _ shortName: String) {
      self.number = number
      self.fullName = fullName
      self.shortName = shortName
    }
  }

  /// `oneshot.jobs.v1.JobState`.
  package let fullName: String
  /// In order of declaration.
  package let values: [Value]
  private let indexByNumber: [Int32: Int]
  private let indexByFullName: [String: Int]
  private let indexByLowerName: [String: Int]

  package init(_ fullName: String, _ values: [Value]) {
    self.fullName = fullName
    self.values = values
    var byNumber: [Int32: Int] = [:]
    var byFullName: [String: Int] = [:]
    var byLowerName: [String: Int] = [:]
    for (index, value) in values.enumerated() {
      // The first name of a number is the one that is printed.
      if byNumber[value.number] == nil { byNumber[value.number] = index }
      byFullName[value.fullName] = index
      byLowerName[value.fullName.lowercased()] = index
    }
    for (index, value) in values.enumerated() where byLowerName[value.shortName] == nil {
      byLowerName[value.shortName] = index
    }
    indexByNumber = byNumber
    indexByFullName = byFullName
    indexByLowerName = byLowerName
  }

  /// The value of a number; nil when the schema does not declare it.
  package func value(number: Int32) -> Value? {
    indexByNumber[number].map { values[$0] }
  }

  /// The value of a name exactly as declared (standard ProtoJSON).
  package func value(fullName: String) -> Value? {
    indexByFullName[fullName].map { values[$0] }
  }

  /// The value of a full or short name in any case (edge JSON).
  package func value(anyName name: String) -> Value? {
    indexByLowerName[name.lowercased()].map { values[$0] }
  }
}
