internal import Synchronization

/// Lets a fixed number of tasks in at once; the others wait in order.
final class WorkerSlots: Sendable {
  private struct State {
    var free: Int
    var nextID = 0
    var waiting: [(id: Int, CheckedContinuation<Bool, Never>)] = []
  }

  private let state: Mutex<State>

  init(count: Int) {
    state = Mutex(State(free: count))
  }

  /// Runs `work` when there is a slot.
  ///
  /// - Throws: `CancellationError` when the task is cancelled while it waits.
  func withSlot<Value: Sendable>(_ work: () async throws -> Value) async throws -> Value {
    guard await take() else { throw CancellationError() }
    defer { giveBack() }
    return try await work()
  }

  private func take() async -> Bool {
    let id = state.withLock { state in
      state.nextID += 1
      return state.nextID
    }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { (done: CheckedContinuation<Bool, Never>) in
        let answer: Bool? = state.withLock { state in
          if Task.isCancelled { return false }
          if state.free > 0 {
            state.free -= 1
            return true
          }
          state.waiting.append((id, done))
          return nil
        }
        if let answer { done.resume(returning: answer) }
      }
    } onCancel: {
      let waiter = state.withLock { state in
        state.waiting.firstIndex { $0.id == id }.map { state.waiting.remove(at: $0) }
      }
      waiter?.1.resume(returning: false)
    }
  }

  private func giveBack() {
    let next = state.withLock { state -> CheckedContinuation<Bool, Never>? in
      if !state.waiting.isEmpty { return state.waiting.removeFirst().1 }
      state.free += 1
      return nil
    }
    next?.resume(returning: true)
  }
}
