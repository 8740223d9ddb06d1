internal import Net

/// Why an open connection was given up by its transport, when the client is to blame.
struct ConnectionLoss {
  /// As counters name it; docs/rpc.md has the list.
  let kind: String
  let reason: String

  init?(_ error: NetError?) {
    switch error {
    case .timeout: kind = "write_stall"
    case .tooManyKeyUpdates: kind = "key_updates"
    default: return nil
    }
    reason = error.map { "\($0)" } ?? ""
  }
}
