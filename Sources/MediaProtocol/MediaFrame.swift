/// One frame on a pipe to or from the worker.
///
/// A frame is an 8-byte header and a payload:
///
/// | bytes | meaning |
/// |---|---|
/// | 0 | version, 1 |
/// | 1 | kind |
/// | 2–3 | zero |
/// | 4–7 | length of the payload, big endian |
///
/// A request is `job` (JSON), one `input` for each picture (its bytes) and `end` (empty). A reply is
/// any number of `progress` (JSON), then either `result` (JSON) and `output` (PNG), or `failure` (JSON).
package struct MediaFrame: Sendable, Hashable {
  /// What a frame carries.
  package enum Kind: UInt8, Sendable, Hashable, CaseIterable {
    /// ``MediaJob`` in JSON.
    case job = 1
    /// An input picture.
    case input = 2
    /// The request is complete.
    case end = 3
    /// ``MediaProgress`` in JSON.
    case progress = 16
    /// ``MediaResult`` in JSON.
    case result = 17
    /// The finished picture.
    case output = 18
    /// ``MediaError`` in JSON.
    case failure = 19

    /// Most bytes that a payload of this kind may have.
    package var maximumBytes: Int {
      switch self {
      case .job, .progress, .result, .failure: MediaLimits.descriptionBytes
      case .input: MediaLimits.inputBytes
      case .end: 0
      case .output: MediaLimits.outputBytes
      }
    }
  }

  /// Bytes of the header.
  package static let headerBytes = 8
  /// The version that this code speaks.
  package static let version: UInt8 = 1

  /// What the frame carries.
  package var kind: Kind
  /// Its bytes.
  package var payload: [UInt8]

  /// A frame; a payload over the kind's limit is a programmer error and traps.
  package init(_ kind: Kind, _ payload: [UInt8] = []) {
    precondition(payload.count <= kind.maximumBytes, "payload over its limit")
    self.kind = kind
    self.payload = payload
  }

  /// Appends the frame's bytes to a buffer.
  package func encode(into buffer: inout [UInt8]) {
    let length = UInt32(payload.count)
    buffer.reserveCapacity(buffer.count + Self.headerBytes + payload.count)
    buffer += [Self.version, kind.rawValue, 0, 0]
    withUnsafeBytes(of: length.bigEndian) { buffer.append(contentsOf: $0) }
    buffer += payload
  }
}
