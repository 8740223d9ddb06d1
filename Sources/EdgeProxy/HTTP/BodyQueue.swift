/// The pieces of a streamed request body between a connection and the handler that reads them.
///
/// Lives inside the actor of its connection. At most one reader waits; it is resumed exactly once.
struct BodyQueue {
  private var pieces: [[UInt8]] = []
  private var isEnded = false
  private var failure: (any Error)?
  private var reader: CheckedContinuation<[UInt8]?, any Error>?
  /// Bytes that wait to be read.
  private(set) var waiting = 0

  /// Adds a piece.
  mutating func append(_ bytes: [UInt8]) {
    guard !isEnded, failure == nil, !bytes.isEmpty else { return }
    if let reader {
      self.reader = nil
      reader.resume(returning: bytes)
    } else {
      waiting += bytes.count
      pieces.append(bytes)
    }
  }

  /// The body is complete.
  mutating func finish() {
    isEnded = true
    guard let reader else { return }
    self.reader = nil
    reader.resume(returning: nil)
  }

  /// The body will never be complete.
  mutating func fail(_ error: any Error) {
    guard !isEnded, failure == nil else { return }
    failure = error
    pieces = []
    waiting = 0
    guard let reader else { return }
    self.reader = nil
    reader.resume(throwing: error)
  }

  /// A piece that is there already, or nil; `isComplete` tells whether to wait.
  mutating func take() throws -> [UInt8]? {
    if let failure { throw failure }
    guard !pieces.isEmpty else { return nil }
    let piece = pieces.removeFirst()
    waiting -= piece.count
    return piece
  }

  /// Whether nothing more will come.
  var isComplete: Bool { isEnded && pieces.isEmpty }

  /// Lets `continuation` have the next piece.
  mutating func wait(_ continuation: CheckedContinuation<[UInt8]?, any Error>) {
    if isEnded {
      continuation.resume(returning: nil)
    } else if let failure {
      continuation.resume(throwing: failure)
    } else {
      reader = continuation
    }
  }
}
