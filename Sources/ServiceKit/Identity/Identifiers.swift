package import Foundation

/// A UUID that says what it names.
///
/// Printed in lower case, as JSON and logs show it.
package protocol UUIDIdentifier: Sendable, Hashable, CustomStringConvertible {
  /// The bare value, for SQL and wire fields.
  var uuid: UUID { get }
  /// Wraps a value.
  init(_ uuid: UUID)
}

extension UUIDIdentifier {
  /// Parses the canonical text form; nil for anything else.
  package init?(text: String) {
    guard let uuid = UUID(uuidString: text) else { return nil }
    self.init(uuid)
  }

  package var description: String { uuid.uuidString.lowercased() }
}

/// Names a user.
package struct UserID: UUIDIdentifier {
  package let uuid: UUID
  package init(_ uuid: UUID) { self.uuid = uuid }
}

/// Names a login session.
package struct SessionID: UUIDIdentifier {
  package let uuid: UUID
  package init(_ uuid: UUID) { self.uuid = uuid }
}

/// Names a job; also the key of its credit hold.
package struct JobID: UUIDIdentifier {
  package let uuid: UUID
  package init(_ uuid: UUID) { self.uuid = uuid }
}

/// Names an upload.
package struct UploadID: UUIDIdentifier {
  package let uuid: UUID
  package init(_ uuid: UUID) { self.uuid = uuid }
}

/// Names an artifact of a job.
package struct ArtifactID: UUIDIdentifier {
  package let uuid: UUID
  package init(_ uuid: UUID) { self.uuid = uuid }
}
