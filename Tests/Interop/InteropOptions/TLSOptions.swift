package import ArgumentParser
package import Net

/// Flags of server and client that say how the connection is protected.
///
/// Without files the development certificates of this checkout are used, made when they are missing.
package struct TLSOptions: ParsableArguments {
  /// What a server asks of its clients.
  package enum ClientCertificate: String, ExpressibleByArgument, CaseIterable {
    case required, none
  }

  @Option(name: .flags("use_tls", "tls"), defaultAsFlag: true, help: "TLS instead of clear text.")
  package var useTLS: Bool?

  @Option(
    name: .flags("use_test_ca"),
    defaultAsFlag: true,
    help: "Trust the development authority; false: the system's authorities."
  )
  package var useTestAuthority: Bool?

  @Option(name: .flags("ca_file"), help: "PEM certificates that the peer's must lead to.")
  package var authorityFile: String?

  @Option(name: .flags("cert_file", "certificate"), help: "PEM certificate of this side.")
  package var certificateFile: String?

  @Option(name: .flags("key_file", "key"), help: "PEM key of the certificate.")
  package var keyFile: String?

  @Option(
    name: .flags("client_certificate"),
    help: "Whether clients prove who they are: required or none."
  )
  package var clientCertificate = ClientCertificate.required

  private static let systemAuthorities = "/etc/ssl/certs/ca-certificates.crt"

  package init() {}

  package func validate() throws {
    guard (certificateFile == nil) == (keyFile == nil) else {
      throw ValidationError("--cert_file and --key_file belong together")
    }
  }

  /// The server's side; nil for clear text.
  package func serverContext() throws -> TLSContext? {
    guard useTLS == true else { return nil }
    let files = try files(authority: nil)
    guard clientCertificate == .required else {
      return try TLSContext(
        .publicServer(
          certificateFile: files.certificate,
          keyFile: files.key,
          protocols: ["h2"]
        )
      )
    }
    return try TLSContext(
      .mutual(
        .server,
        certificateFile: files.certificate,
        keyFile: files.key,
        authorityFile: files.authority
      )
    )
  }

  /// The client's side; nil for clear text.
  package func clientContext() throws -> TLSContext? {
    guard useTLS == true else { return nil }
    let system = useTestAuthority == false ? Self.systemAuthorities : nil
    if clientCertificate == .none, let authority = authorityFile ?? system {
      return try TLSContext(.client(authorityFile: authority))
    }
    let files = try files(authority: system)
    guard clientCertificate == .required else {
      return try TLSContext(.client(authorityFile: files.authority))
    }
    return try TLSContext(
      .mutual(
        .client,
        certificateFile: files.certificate,
        keyFile: files.key,
        authorityFile: files.authority
      )
    )
  }

  private typealias Files = (certificate: String, key: String, authority: String)

  /// Files given by flags, the others from the development certificates.
  private func files(authority: String?) throws -> Files {
    let authority = authorityFile ?? authority
    if let certificateFile, let keyFile, let authority {
      return (certificateFile, keyFile, authority)
    }
    let folder = try DevelopmentCertificates.folder()
    return (
      certificateFile ?? "\(folder)/test.crt",
      keyFile ?? "\(folder)/test.key",
      authority ?? "\(folder)/ca.crt"
    )
  }
}
