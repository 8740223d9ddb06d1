internal import CSockets
internal import EventLoop

/// One non-blocking stream socket; closes it at the end of its life.
struct Socket: ~Copyable {
  let descriptor: Int32

  /// Takes over a descriptor that accepts or connects gave us.
  init(takingOwnership descriptor: Int32) {
    self.descriptor = descriptor
  }

  deinit { csockets_close(descriptor) }

  static func listen(
    on address: SocketAddress,
    reusePort: Bool,
    backlog: Int32
  ) throws(NetError) -> Socket {
    var native = csockets_address(address)
    let result = csockets_listen(&native, reusePort ? 1 : 0, backlog)
    guard result >= 0 else { throw .system("listen on \(address)", Int(result)) }
    return Socket(takingOwnership: result)
  }

  static func connect(to address: SocketAddress) throws(NetError) -> Socket {
    var native = csockets_address(address)
    let result = csockets_connect(&native)
    guard result >= 0 else { throw .system("connect to \(address)", Int(result)) }
    return Socket(takingOwnership: result)
  }

  /// Tells the kernel how to treat a TCP connection.
  func tune(_ limits: TransportLimits) {
    let timeout = max(limits.acknowledgementTimeout, limits.writeStallTimeout).wholeMilliseconds
    csockets_tune(descriptor, Int32(clamping: timeout), Int32(clamping: limits.unsentBytes))
  }
}

extension csockets_address {
  /// The kernel's view of `address`.
  init(_ address: SocketAddress) {
    self.init()
    switch address {
    case .v4(let source, let port), .v6(let source, let port):
      length = Int32(source.count)
      self.port = port
      withUnsafeMutableBytes(of: &bytes) { $0.copyBytes(from: source) }
    case .unix(let path):
      length = 0
      withUnsafeMutableBytes(of: &self.path) { $0.copyBytes(from: path.utf8.prefix(107)) }
    }
  }

  /// Our view of it.
  var socketAddress: SocketAddress {
    switch length {
    case 4: .v4(bytes: withUnsafeBytes(of: bytes) { Array($0.prefix(4)) }, port: port)
    case 16: .v6(bytes: withUnsafeBytes(of: bytes) { Array($0) }, port: port)
    default: .unix(path: "")
    }
  }
}

/// A number that changes when the file is written or replaced; 0 when there is no such file.
func fileStamp(_ path: String) -> UInt64 {
  csockets_file_stamp(path)
}
