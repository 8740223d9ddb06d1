internal import COpenSSL
internal import Synchronization

/// Certificates and rules of one side of TLS, shared by all loops.
///
/// Files that were replaced are noticed when a connection begins, looked at every ten seconds at most:
/// the new certificate serves connections to come, those that are open keep what they have. Files that
/// cannot be used leave the old ones in use, which is reported once.
package final class TLSContext: Sendable {
  /// What to build a context from.
  package struct Configuration: Sendable {
    /// Which end of the connection this is.
    package enum Role: Sendable { case server, client }

    package var role: Role
    /// PEM chain of our own certificate; nil for a client without one.
    package var certificateFile: String?
    /// PEM key of the certificate.
    package var keyFile: String?
    /// PEM bundle that the peer's certificate must lead to; nil: a server asks for no certificate.
    package var authorityFile: String?
    /// Protocols in order of preference (RFC 7301); a peer without a common one is refused.
    package var protocols: [String]
    /// TLS 1.3 only.
    ///
    /// The public edge allows 1.2, too.
    package var requiresTLS13: Bool

    /// Mutual TLS 1.3 between services.
    package static func mutual(
      _ role: Role,
      certificateFile: String,
      keyFile: String,
      authorityFile: String,
      protocols: [String] = ["h2"]
    ) -> Configuration {
      Configuration(
        role: role,
        certificateFile: certificateFile,
        keyFile: keyFile,
        authorityFile: authorityFile,
        protocols: protocols,
        requiresTLS13: true
      )
    }

    /// A client without a certificate of its own, TLS 1.2 and 1.3.
    package static func client(
      authorityFile: String,
      protocols: [String] = ["h2"]
    ) -> Configuration {
      Configuration(
        role: .client,
        certificateFile: nil,
        keyFile: nil,
        authorityFile: authorityFile,
        protocols: protocols,
        requiresTLS13: false
      )
    }

    /// A public server: no client certificates, TLS 1.2 and 1.3.
    package static func publicServer(
      certificateFile: String,
      keyFile: String,
      protocols: [String] = ["h2", "http/1.1"]
    ) -> Configuration {
      Configuration(
        role: .server,
        certificateFile: certificateFile,
        keyFile: keyFile,
        authorityFile: nil,
        protocols: protocols,
        requiresTLS13: false
      )
    }
  }

  /// What the context was built from.
  package let configuration: Configuration
  private let state: Mutex<State>
  private let checkInterval: Duration
  private let onReload: @Sendable (NetError?) -> Void

  private struct State {
    var native: NativeContext
    /// Of the files that were looked at last, whether or not they could be used.
    var stamps: [UInt64]
    var checked: ContinuousClock.Instant
  }

  /// Reads the files and checks that key and certificate belong together.
  ///
  /// - Parameters:
  ///   - configuration: Role, files and protocols.
  ///   - checkInterval: How long files are believed to be unchanged.
  ///   - onReload: Told once of each replacement: nil when it is in use, else why it is not.
  /// - Throws: ``NetError/credentials(file:reason:)`` naming the file.
  package init(
    _ configuration: Configuration,
    checkInterval: Duration = .seconds(10),
    onReload: @escaping @Sendable (NetError?) -> Void = { _ in }
  ) throws(NetError) {
    self.configuration = configuration
    self.checkInterval = checkInterval
    self.onReload = onReload
    let stamps = configuration.fileStamps
    state = Mutex(
      State(native: try NativeContext(configuration), stamps: stamps, checked: .now)
    )
  }

  func makeSession(descriptor: Int32, serverName: String?) throws(NetError) -> TLSSession {
    let (context, outcome) = state.withLock { state in
      let outcome = refresh(&state, now: .now)
      return (state.native, outcome)
    }
    // Outside the lock: it writes logs.
    switch outcome {
    case .success: onReload(nil)
    case .failure(let error): onReload(error)
    case nil: break
    }
    return try TLSSession(context: context, descriptor: descriptor, serverName: serverName)
  }

  /// Reads replaced files, each replacement once; half a one does not fit together, and the old files
  /// stay in use until the other half has come.
  private func refresh(
    _ state: inout State,
    now: ContinuousClock.Instant
  ) -> Result<Void, NetError>? {
    guard now - state.checked >= checkInterval else { return nil }
    state.checked = now
    let stamps = configuration.fileStamps
    guard stamps != state.stamps else { return nil }
    state.stamps = stamps
    do {
      state.native = try NativeContext(configuration)
      return .success(())
    } catch {
      return .failure(error)
    }
  }
}

extension TLSContext.Configuration {
  /// Changes when one of the files does.
  fileprivate var fileStamps: [UInt64] {
    [certificateFile, keyFile, authorityFile].map { $0.map { fileStamp($0) } ?? 0 }
  }
}

/// Owns one `SSL_CTX` and the protocol list that its callback reads.
// @unchecked: OpenSSL allows an SSL_CTX that is no longer configured to be used from all threads.
final class NativeContext: @unchecked Sendable {
  let pointer: OpaquePointer
  let role: TLSContext.Configuration.Role
  private let protocolList: UnsafeMutableBufferPointer<UInt8>

  init(_ configuration: TLSContext.Configuration) throws(NetError) {
    role = configuration.role
    let method = role == .server ? TLS_server_method() : TLS_client_method()
    guard let pointer = SSL_CTX_new(method) else { throw .tls(reason: takeTLSError()) }
    self.pointer = pointer
    // Length-prefixed names and a final 0 for the selection callback.
    var list: [UInt8] = []
    for name in configuration.protocols {
      list.append(UInt8(name.utf8.count))
      list.append(contentsOf: name.utf8)
    }
    list.append(0)
    protocolList = .allocate(capacity: list.count)
    _ = protocolList.initialize(from: list)
    copenssl_configure(
      pointer,
      configuration.requiresTLS13 ? copenssl_tls13() : copenssl_tls12()
    )
    try loadOwnCertificate(configuration)
    try loadAuthorities(configuration)
    setProtocols()
  }

  deinit {
    SSL_CTX_free(pointer)
    protocolList.deallocate()
  }

  private func loadOwnCertificate(
    _ configuration: TLSContext.Configuration
  ) throws(NetError) {
    guard let certificate = configuration.certificateFile, let key = configuration.keyFile else {
      return
    }
    guard SSL_CTX_use_certificate_chain_file(pointer, certificate) == 1 else {
      throw .credentials(file: certificate, reason: takeTLSError())
    }
    guard SSL_CTX_use_PrivateKey_file(pointer, key, SSL_FILETYPE_PEM) == 1,
      SSL_CTX_check_private_key(pointer) == 1
    else { throw .credentials(file: key, reason: takeTLSError()) }
  }

  private func loadAuthorities(_ configuration: TLSContext.Configuration) throws(NetError) {
    guard let authorities = configuration.authorityFile else {
      if role == .client { throw .credentials(file: "", reason: "a client needs authorities") }
      return
    }
    guard SSL_CTX_load_verify_locations(pointer, authorities, nil) == 1 else {
      throw .credentials(file: authorities, reason: takeTLSError())
    }
    SSL_CTX_set_verify(pointer, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
    // Without a session id context OpenSSL refuses to resume sessions with client certificates.
    let context = Array("oneshot".utf8)
    SSL_CTX_set_session_id_context(pointer, context, UInt32(context.count))
  }

  private func setProtocols() {
    let count = protocolList.count - 1
    guard count > 0 else { return }
    if role == .server {
      copenssl_accept_alpn(pointer, protocolList.baseAddress)
    } else {
      SSL_CTX_set_alpn_protos(pointer, protocolList.baseAddress, UInt32(count))
    }
  }
}

/// The oldest error in OpenSSL's queue, which is emptied.
func takeTLSError() -> String {
  var text = [CChar](repeating: 0, count: 256)
  copenssl_take_error(&text, text.count)
  return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
