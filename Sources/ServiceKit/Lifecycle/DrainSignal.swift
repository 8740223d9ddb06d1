internal import Synchronization

/// Tells long-lived streams that the service is about to end.
///
/// A stream that ends by itself lets its client reconnect to another process; one that does not is
/// cut when the drain's time is over.
package final class DrainSignal: Sendable {
  private struct State {
    var isDraining = false
    var nextID = 0
    var actions: [Int: @Sendable () -> Void] = [:]
  }

  private let state = Mutex(State())

  /// Makes a signal that was not given yet.
  package init() {}

  /// Whether the drain has begun.
  package var isDraining: Bool { state.withLock { $0.isDraining } }

  /// Calls `action` when the drain begins, at once if it has.
  ///
  /// - Returns: Removes the action again.
  package func onDrain(_ action: @escaping @Sendable () -> Void) -> @Sendable () -> Void {
    let id: Int? = state.withLock { state in
      guard !state.isDraining else { return nil }
      state.nextID += 1
      state.actions[state.nextID] = action
      return state.nextID
    }
    guard let id else {
      action()
      return {}
    }
    return { [self] in state.withLock { _ = $0.actions.removeValue(forKey: id) } }
  }

  /// Begins the drain.
  package func give() {
    let actions = state.withLock { state in
      defer { state.actions = [:] }
      state.isDraining = true
      return state.actions.values.map { $0 }
    }
    for action in actions { action() }
  }
}
