internal import EventLoop
internal import RPC

/// Hashes and checks passwords on the loop's thread pool, a bounded number at once.
///
/// A flood of logins waits here, and is refused when too many wait, instead of taking the threads
/// from everything else.
struct PasswordHasher: Sendable {
  /// Checks that may wait; at a quarter of a second each this is some seconds of work.
  static let maxWaiting = 64

  private let cost: UInt
  private let gate: WorkGate
  /// What a password is checked against when there is no user, so that it takes as long.
  private let standIn: String

  /// The library failed to hash: its settings are wrong.
  struct Failure: Error, Sendable {}

  /// Makes a hasher for `maxRunning` hashes at once, one a core; blocks for the time of one hash.
  init(
    cost: UInt = Bcrypt.cost,
    maxRunning: Int,
    maxWaiting: Int = PasswordHasher.maxWaiting
  ) throws {
    guard let standIn = Bcrypt.hash(Array("nobody's password".utf8), cost: cost) else {
      throw Failure()
    }
    self.cost = cost
    self.standIn = standIn
    gate = WorkGate(maxRunning: maxRunning, maxWaiting: maxWaiting)
  }

  /// Hashes a new password.
  func hash(_ password: [UInt8], on loop: EventLoop) async throws -> String {
    let cost = cost
    return try await run(on: loop) {
      guard let hash = Bcrypt.hash(password, cost: cost) else { throw Failure() }
      return hash
    }
  }

  /// Whether a password is the one behind `stored`.
  ///
  /// Takes the same time without a user (`stored` nil) or with a password that no user can have
  /// (`password` nil); the answer is false then.
  func matches(
    _ password: [UInt8]?,
    _ stored: String?,
    on loop: EventLoop
  ) async throws -> Bool {
    let hash = stored ?? standIn
    let isPossible = stored != nil && password != nil
    let bytes = password ?? [0x20]
    return try await run(on: loop) { Bcrypt.matches(bytes, hash) && isPossible }
  }

  private func run<Value: Sendable>(
    on loop: EventLoop,
    _ work: @escaping @Sendable () throws -> Value
  ) async throws -> Value {
    do {
      return try await gate.run { try await loop.offload(work) }
    } catch is WorkGate.Full {
      throw ServiceError(
        code: .unavailable,
        reason: "UNAVAILABLE",
        message: "Too many people are signing in. Please try again.",
        retryAfter: .seconds(2)
      )
    }
  }
}
