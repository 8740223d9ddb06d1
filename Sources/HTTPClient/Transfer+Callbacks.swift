internal import CCurl
internal import HTTPCore

extension Transfer {
  /// Points the handle's callbacks at this object, which outlives the handle's use.
  func installCallbacks() throws(HTTPClientError) {
    let this = Unmanaged.passUnretained(self).toOpaque()
    try check(ccurl_set_data_callback(easy, CURLOPT_WRITEFUNCTION, Self.onBody))
    try check(ccurl_set_pointer(easy, CURLOPT_WRITEDATA, this))
    try check(ccurl_set_data_callback(easy, CURLOPT_HEADERFUNCTION, Self.onHeader))
    try check(ccurl_set_pointer(easy, CURLOPT_HEADERDATA, this))
    try check(ccurl_set_data_callback(easy, CURLOPT_READFUNCTION, Self.onRead))
    try check(ccurl_set_pointer(easy, CURLOPT_READDATA, this))
    try check(ccurl_set_seek_callback(easy, Self.onSeek))
    try check(ccurl_set_pointer(easy, CURLOPT_SEEKDATA, this))
    try check(ccurl_set_open_callback(easy, Self.onOpen))
    try check(ccurl_set_pointer(easy, CURLOPT_OPENSOCKETDATA, this))
    try check(ccurl_set_prereq_callback(easy, Self.onRequest))
    try check(ccurl_set_pointer(easy, CURLOPT_PREREQDATA, this))
  }

  private static func transfer(_ user: UnsafeMutableRawPointer?) -> Transfer? {
    user.map { Unmanaged<Transfer>.fromOpaque($0).takeUnretainedValue() }
  }

  // MARK: Addresses

  /// Sees the address after names are resolved, before anything is connected.
  private static let onOpen: ccurl_open_callback = { user, _, address in
    guard let transfer = transfer(user), let address else { return ccurl_socket_bad() }
    var port: UInt16 = 0
    var bytes = [UInt8](repeating: 0, count: 16)
    let count = Int(ccurl_sockaddr_bytes(address, &bytes, &port))
    guard transfer.permits(bytes.prefix(count), port) else { return ccurl_socket_bad() }
    return ccurl_open_socket(address)
  }

  /// Sees the peer before each request, also on a connection that is used again.
  private static let onRequest: ccurl_prereq_callback = { user, peer, _, port, _ in
    guard let transfer = transfer(user), let peer else { return CURL_PREREQFUNC_ABORT }
    var bytes = [UInt8](repeating: 0, count: 16)
    let count = Int(ccurl_parse_address(peer, &bytes))
    guard transfer.permits(bytes.prefix(count), UInt16(clamping: port)) else {
      return CURL_PREREQFUNC_ABORT
    }
    // An address that was refused before a permitted one answered is not the outcome.
    transfer.failure = nil
    return CURL_PREREQFUNC_OK
  }

  private func permits(_ address: ArraySlice<UInt8>, _ port: UInt16) -> Bool {
    guard !address.isEmpty, hop.policy.permits(Array(address), port: port) else {
      failure = HTTPClientError(.unreachable, "address refused by policy")
      return false
    }
    return true
  }

  // MARK: Request body

  private static let onRead: ccurl_data_callback = { buffer, size, count, user in
    guard let transfer = transfer(user), let buffer else { return ccurl_read_abort() }
    return transfer.fill(UnsafeMutableRawBufferPointer(start: buffer, count: size * count))
  }

  /// Goes back to the start when a kept connection turns out to be dead.
  private static let onSeek: ccurl_seek_callback = { user, offset, origin in
    guard let transfer = transfer(user), ccurl_seek_origin_is_start(origin) != 0 else {
      return CURL_SEEKFUNC_CANTSEEK
    }
    transfer.sentBytes = Int(clamping: offset)
    return CURL_SEEKFUNC_OK
  }

  private func fill(_ buffer: UnsafeMutableRawBufferPointer) -> Int {
    guard let body = hop.request.body, sentBytes < body.count else { return 0 }
    let part = body[sentBytes..<min(body.count, sentBytes + buffer.count)]
    buffer.copyBytes(from: part)
    sentBytes += part.count
    return part.count
  }

  // MARK: Response

  private static let onHeader: ccurl_data_callback = { bytes, size, count, user in
    guard let transfer = transfer(user), let bytes else { return 0 }
    return transfer.takeHeader(UnsafeRawBufferPointer(start: bytes, count: size * count))
      ? size * count : 0
  }

  private static let onBody: ccurl_data_callback = { bytes, size, count, user in
    guard let transfer = transfer(user), let bytes else { return 0 }
    return transfer.takeBody(UnsafeRawBufferPointer(start: bytes, count: size * count))
      ? size * count : 0
  }

  private func takeHeader(_ line: UnsafeRawBufferPointer) -> Bool {
    headBytes += line.count
    guard headBytes <= hop.limits.headBytes else {
      failure = HTTPClientError(.tooLarge, "response head")
      return false
    }
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
      // A status line; an interim response's fields are not the final one's.
      if line.starts(with: "HTTP/".utf8) { headers = HTTPHeaders() }
      return true
    }
    let name = UnsafeRawBufferPointer(rebasing: line[..<colon])
    guard !name.isEmpty, name.allSatisfy(ASCII.isToken) else { return true }
    headers.append(name: name, value: trimmed(line[(colon + 1)...]))
    return true
  }

  private func trimmed(_ value: Slice<UnsafeRawBufferPointer>) -> UnsafeRawBufferPointer {
    let start = value.firstIndex { $0 > ASCII.space } ?? value.endIndex
    let end = value.lastIndex { $0 > ASCII.space }.map { $0 + 1 } ?? start
    return UnsafeRawBufferPointer(rebasing: value.base[start..<end])
  }

  private func takeBody(_ bytes: UnsafeRawBufferPointer) -> Bool {
    guard body.count + bytes.count <= hop.limits.responseBytes else {
      failure = HTTPClientError(.tooLarge, "response body")
      return false
    }
    body.append(contentsOf: bytes)
    return true
  }
}
