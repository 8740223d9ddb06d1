internal import CUV

extension EventLoop {
  /// Looks up the stream addresses of `host` without blocking a loop.
  ///
  /// - Parameters:
  ///   - host: A name or a literal address; a literal needs neither a look-up service nor a thread.
  ///   - port: Put into every address of the answer.
  /// - Returns: At least one address, in the resolver's order.
  /// - Throws: ``EventLoopError`` when the name is unknown or the resolver does not answer.
  package func resolve(
    _ host: String,
    port: UInt16
  ) async throws(EventLoopError) -> [SocketAddress] {
    if let literal = SocketAddress(literal: host) { return [literal.with(port: port)] }
    let result = await withCheckedContinuation {
      (done: CheckedContinuation<Result<[SocketAddress], EventLoopError>, Never>) in
      submit { [self] in startResolving(host, done) }
    }
    let addresses = try result.get()
    guard !addresses.isEmpty else { throw .noAddress(host: host) }
    return addresses.map { $0.with(port: port) }
  }

  private func startResolving(
    _ host: String,
    _ done: CheckedContinuation<Result<[SocketAddress], EventLoopError>, Never>
  ) {
    let request = UnsafeMutablePointer<uv_getaddrinfo_t>.allocate(capacity: 1)
    let waiter = ResolveWaiter(done)
    request.pointee.data = Unmanaged.passRetained(waiter).toOpaque()
    let code = cuv_resolve(
      uv,
      request,
      { request, status, answer in
        guard let request, let data = request.pointee.data else { return }
        let waiter = Unmanaged<ResolveWaiter>.fromOpaque(data).takeRetainedValue()
        waiter.finish(status: status, answer: UnsafeRawPointer(answer))
        uv_freeaddrinfo(answer)
        request.deallocate()
      },
      host
    )
    guard code != 0 else { return }
    Unmanaged.passUnretained(waiter).release()
    request.deallocate()
    waiter.finish(status: code, answer: nil)
  }
}

/// Carries the caller's continuation through libuv.
private final class ResolveWaiter {
  private let done: CheckedContinuation<Result<[SocketAddress], EventLoopError>, Never>

  init(_ done: CheckedContinuation<Result<[SocketAddress], EventLoopError>, Never>) {
    self.done = done
  }

  func finish(status: Int32, answer: UnsafeRawPointer?) {
    guard status == 0 else {
      let message = String(cString: uv_strerror(status))
      done.resume(returning: .failure(.library(call: "getaddrinfo", message: message)))
      return
    }
    var addresses: [SocketAddress] = []
    var entry = answer
    while let current = entry {
      if let address = Self.address(of: current) { addresses.append(address) }
      entry = cuv_address_next(current)
    }
    done.resume(returning: .success(addresses))
  }

  private static func address(of entry: UnsafeRawPointer) -> SocketAddress? {
    var bytes = [UInt8](repeating: 0, count: 16)
    let count = cuv_address_bytes(entry, &bytes)
    return SocketAddress(bytes, count: Int(count))
  }
}

extension SocketAddress {
  /// A literal address without its port; nil for a name.
  fileprivate init?(literal host: String) {
    var bytes = [UInt8](repeating: 0, count: 16)
    let count = cuv_literal_bytes(host, &bytes)
    self.init(bytes, count: Int(count))
  }

  /// The address in the first `count` bytes, four or sixteen.
  fileprivate init?(_ bytes: [UInt8], count: Int) {
    switch count {
    case 4: self = .v4(bytes: Array(bytes[..<4]), port: 0)
    case 16: self = .v6(bytes: bytes, port: 0)
    default: return nil
    }
  }
}
