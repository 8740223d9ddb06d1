internal import CSandbox
#if canImport(Glibc)
  internal import Glibc
#endif

/// Takes away from the process whatever it does not need.
///
/// Limits, privileges and the system-call filter are musts: without one of them the worker refuses to
/// run. The network namespace is a second wall behind the filter, and not every system permits it.
struct Sandbox {
  /// Most virtual memory; the largest legal job was measured at well under half of it.
  static let addressSpaceBytes: UInt64 = 3 << 30
  /// Most processor time of one job.
  static let cpuSeconds: UInt64 = 120
  /// Most open files while the libraries load.
  static let openFiles: UInt64 = 32

  /// What must happen before any library starts a thread.
  func prepare() {
    let limits = oneshot_limits(
      address_space_bytes: Self.addressSpaceBytes,
      cpu_seconds: Self.cpuSeconds,
      open_files: Self.openFiles
    )
    must("limits", oneshot_sandbox_limit(limits))
    let network = oneshot_sandbox_leave_network()
    if network != 0 {
      MediaWorkerMain.complain("no network namespace here (errno \(network)); the filter stands")
    }
    must("identity", oneshot_sandbox_drop_root())
    must("privileges", oneshot_sandbox_no_new_privileges())
  }

  /// Closes the cage: from here on only memory and the open pipes.
  func close() {
    must("system-call filter", oneshot_sandbox_filter_calls())
  }

  private func must(_ what: String, _ code: Int32) {
    guard code != 0 else { return }
    MediaWorkerMain.complain("\(what): errno \(code)")
    exit(ExitCode.sandboxRefused)
  }
}

/// Tries, inside the closed cage, what must not work.
enum SelfCheck {
  /// One line a probe: its name and the errno that it met, 0 if it succeeded.
  static func report() -> [String] {
    let probes: [(String, oneshot_probe)] = [
      ("socket", ONESHOT_PROBE_SOCKET), ("open-read", ONESHOT_PROBE_OPEN_READ),
      ("open-write", ONESHOT_PROBE_OPEN_WRITE), ("exec", ONESHOT_PROBE_EXEC),
      ("fork", ONESHOT_PROBE_FORK), ("ptrace", ONESHOT_PROBE_PTRACE),
      ("kill", ONESHOT_PROBE_KILL), ("unlink", ONESHOT_PROBE_UNLINK),
    ]
    return probes.map { "\($0.0) \(oneshot_sandbox_probe($0.1))" }
  }
}
