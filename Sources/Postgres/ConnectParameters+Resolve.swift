internal import EventLoop

extension ConnectParameters {
  /// Looks up the hosts that are names, each with all of its addresses.
  ///
  /// - Throws: ``EventLoopError`` when none of them has an address.
  func resolved(on loop: EventLoop) async throws(EventLoopError) -> ConnectParameters {
    var found: [Host] = []
    var failure: EventLoopError?
    for host in hosts {
      guard host.needsResolving else {
        found.append(host)
        continue
      }
      do {
        for address in try await loop.resolve(host.name, port: 0) {
          found.append(Host(name: host.name, port: host.port, address: address.host))
        }
      } catch {
        failure = error
      }
    }
    if found.isEmpty, let failure { throw failure }
    return with(hosts: found)
  }
}
