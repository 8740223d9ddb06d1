internal import Foundation

/// Places where a test may kill the process, to prove that nothing is lost there.
///
/// `FAULT_POINT=<name>` is read in development only; the process then dies by SIGKILL, without any
/// clean-up, when it first reaches the point of that name.
package struct FaultPoints: Sendable {
  private let armed: String?

  /// Arms the point called `name`, or none.
  package init(armed name: String?) {
    armed = name
  }

  /// Dies here if the point is armed.
  package func reach(_ name: String) {
    guard let armed, armed == name else { return }
    kill(getpid(), SIGKILL)
  }
}
