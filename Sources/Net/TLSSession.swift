internal import COpenSSL

/// Owns one `SSL` of a connection.
///
/// Used on the connection's loop only.
struct TLSSession: ~Copyable {
  /// How an operation on the session ended.
  enum Outcome {
    /// Bytes moved; for a handshake: done.
    case progress(Int)
    case wantsRead
    case wantsWrite
    /// The peer ended its side.
    case closed
    case failed(NetError)
  }

  /// Names in certificates are URIs with this prefix (SPIFFE form).
  private static let serviceNamePrefix = "spiffe://oneshot/"
  private static let maxServiceNameBytes = 64
  /// KeyUpdate messages that a peer may send at once; one more each second (TLS 1.3).
  static let maxKeyUpdates = 60

  private let pointer: OpaquePointer
  /// Keeps the context and its protocol list alive.
  private let context: NativeContext

  /// Makes the session of one socket.
  ///
  /// - Parameters:
  ///   - context: Certificates and rules.
  ///   - descriptor: The socket, which stays the caller's.
  ///   - serverName: For a client: sent as SNI and required in the server's certificate.
  /// - Throws: ``NetError/tls(reason:)`` when memory is short.
  init(context: NativeContext, descriptor: Int32, serverName: String?) throws(NetError) {
    guard let pointer = SSL_new(context.pointer) else { throw .tls(reason: takeTLSError()) }
    self.pointer = pointer
    self.context = context
    SSL_set_fd(pointer, descriptor)
    copenssl_limit_key_updates(pointer, UInt32(Self.maxKeyUpdates))
    guard context.role == .client else {
      SSL_set_accept_state(pointer)
      return
    }
    SSL_set_connect_state(pointer)
    guard let serverName else { return }
    copenssl_set_server_name(pointer, serverName)
    SSL_set1_host(pointer, serverName)
  }

  deinit { SSL_free(pointer) }

  func handshake() -> Outcome { outcome(copenssl_handshake(pointer)) }

  func read(into buffer: UnsafeMutableRawBufferPointer) -> Outcome {
    outcome(copenssl_read(pointer, buffer.baseAddress, buffer.count))
  }

  func write(_ bytes: UnsafeRawBufferPointer) -> Outcome {
    outcome(copenssl_write(pointer, bytes.baseAddress, bytes.count))
  }

  /// Says goodbye; the answer is not waited for.
  func sendCloseNotify() {
    ERR_clear_error()
    SSL_shutdown(pointer)
    ERR_clear_error()
  }

  /// The protocol that both sides agreed on.
  var negotiatedProtocol: String? {
    var name: UnsafePointer<UInt8>?
    var count: UInt32 = 0
    SSL_get0_alpn_selected(pointer, &name, &count)
    guard let name, count > 0 else { return nil }
    return String(decoding: UnsafeBufferPointer(start: name, count: Int(count)), as: UTF8.self)
  }

  /// The service that the peer's certificate names; nil without certificate or name.
  var peerService: String? {
    var text = [CChar](repeating: 0, count: Self.maxServiceNameBytes)
    let count = copenssl_peer_uri(pointer, Self.serviceNamePrefix, &text, text.count)
    guard count > 0 else { return nil }
    return String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  private func outcome(_ code: Int) -> Outcome {
    switch code {
    case 1...: return .progress(code)
    case COPENSSL_WANT_READ: return .wantsRead
    case COPENSSL_WANT_WRITE: return .wantsWrite
    case COPENSSL_CLOSED, COPENSSL_FAILED:
      if copenssl_has_too_many_key_updates(pointer) { return .failed(.tooManyKeyUpdates) }
      return code == COPENSSL_CLOSED ? .closed : .failed(.tls(reason: failureReason()))
    default: return .failed(.tls(reason: failureReason()))
    }
  }

  private func failureReason() -> String {
    let verification = SSL_get_verify_result(pointer)
    let error = takeTLSError()
    guard verification != X509_V_OK else { return error }
    return "\(error) (\(String(cString: X509_verify_cert_error_string(verification))))"
  }
}
