internal import Synchronization

/// Lets a bounded number of pieces of work run at once and a bounded number wait, in order.
final class WorkGate: Sendable {
  /// Too many wait already.
  struct Full: Error, Sendable {}

  private struct Waiter {
    let number: UInt64
    let continuation: CheckedContinuation<Void, any Error>
  }

  private struct State {
    var running = 0
    var nextNumber: UInt64 = 0
    var waiting: [Waiter] = []
  }

  private let maxRunning: Int
  private let maxWaiting: Int
  private let state = Mutex(State())

  /// Both limits are at least 1.
  init(maxRunning: Int, maxWaiting: Int) {
    precondition(maxRunning > 0 && maxWaiting > 0, "a gate needs room")
    self.maxRunning = maxRunning
    self.maxWaiting = maxWaiting
  }

  /// Runs `work` when its turn comes.
  ///
  /// - Throws: ``Full`` at once when too many wait; `CancellationError` when cancelled while waiting.
  func run<Value>(_ work: () async throws -> Value) async throws -> Value {
    try await enter()
    defer { leave() }
    return try await work()
  }

  private func enter() async throws {
    let number = state.withLock { state in
      state.nextNumber += 1
      return state.nextNumber
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        let waiter = Waiter(number: number, continuation: continuation)
        switch admit(waiter) {
        case .enter: continuation.resume()
        case .wait: break
        case .refuse(let error): continuation.resume(throwing: error)
        }
      }
    } onCancel: {
      cancel(number)
    }
  }

  private enum Decision {
    case enter, wait
    case refuse(any Error)
  }

  private func admit(_ waiter: Waiter) -> Decision {
    state.withLock { state in
      // A cancellation that came before this found nobody to remove.
      if Task.isCancelled { return .refuse(CancellationError()) }
      if state.running < maxRunning {
        state.running += 1
        return .enter
      }
      guard state.waiting.count < maxWaiting else { return .refuse(Full()) }
      state.waiting.append(waiter)
      return .wait
    }
  }

  private func cancel(_ number: UInt64) {
    let waiter = state.withLock { state in
      state.waiting.firstIndex { $0.number == number }.map { state.waiting.remove(at: $0) }
    }
    waiter?.continuation.resume(throwing: CancellationError())
  }

  /// The place goes to the next in line, or becomes free.
  private func leave() {
    let next = state.withLock { state -> Waiter? in
      guard !state.waiting.isEmpty else {
        state.running -= 1
        return nil
      }
      return state.waiting.removeFirst()
    }
    next?.continuation.resume()
  }
}
