/// Turns the bytes of a pipe into frames.
///
/// States: *header* (0…7 bytes of one are held), *payload* (a header was accepted, part of its payload
/// is held) and *broken* (a frame was refused; every later call throws the same error). Memory is
/// bounded by the kind's limit, and a payload's memory grows only with the bytes that arrived.
package struct MediaFrameDecoder: Sendable {
  private enum State: Sendable {
    case header
    case payload(MediaFrame.Kind, length: Int)
    case broken(MediaError)
  }

  private let accepted: Set<MediaFrame.Kind>
  private var state = State.header
  private var held: [UInt8] = []
  private var finished: [MediaFrame] = []

  /// A decoder that refuses every kind outside `accepted` by its header.
  package init(accepting accepted: Set<MediaFrame.Kind>) {
    self.accepted = accepted
  }

  /// Whether the bytes so far end with a whole frame.
  package var isAtBoundary: Bool {
    if case .header = state { held.isEmpty && finished.isEmpty } else { false }
  }

  /// Takes bytes as they arrive, in pieces of any size.
  ///
  /// - Returns: The frames that became complete.
  /// - Throws: ``MediaError`` `PROTOCOL_VIOLATION` for an unknown version, a kind that is not
  ///   accepted, or a length over the kind's limit.
  package mutating func receive(
    _ bytes: UnsafeRawBufferPointer
  ) throws(MediaError) -> [MediaFrame] {
    var rest = bytes[...]
    while true {
      switch state {
      case .broken(let error):
        throw error
      case .header:
        take(MediaFrame.headerBytes - held.count, from: &rest)
        guard held.count == MediaFrame.headerBytes else { return drained() }
        try openFrame()
      case .payload(let kind, let length):
        take(length - held.count, from: &rest)
        guard held.count == length else { return drained() }
        finished.append(MediaFrame(kind, held))
        held = []
        state = .header
      }
    }
  }

  private mutating func take(_ count: Int, from rest: inout Slice<UnsafeRawBufferPointer>) {
    held.append(contentsOf: rest.prefix(count))
    rest = rest.dropFirst(count)
  }

  private mutating func drained() -> [MediaFrame] {
    defer { finished = [] }
    return finished
  }

  private mutating func openFrame() throws(MediaError) {
    do throws(MediaError) {
      state = try parseHeader()
      held = []
    } catch {
      state = .broken(error)
      throw error
    }
  }

  private func parseHeader() throws(MediaError) -> State {
    guard held[0] == MediaFrame.version, held[2] == 0, held[3] == 0 else {
      throw MediaError(.protocolViolation, "A frame has an unknown version.")
    }
    guard let kind = MediaFrame.Kind(rawValue: held[1]), accepted.contains(kind) else {
      throw MediaError(.protocolViolation, "A frame of kind \(held[1]) is not accepted here.")
    }
    let length = held[4..<8].reduce(0) { $0 << 8 | Int($1) }
    guard length <= kind.maximumBytes else {
      let code: MediaErrorCode = kind == .input ? .imageTooLarge : .protocolViolation
      throw MediaError(code, "A frame of \(length) bytes exceeds \(kind.maximumBytes).")
    }
    return .payload(kind, length: length)
  }
}
