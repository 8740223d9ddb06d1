import Foundation
import Net
import Synchronization
import Testing

@Suite("TLS") struct TLSTests {
  @Test("Both ends name a protocol, and the peer's certificate its service")
  func agreed() async throws {
    try await NetFixture.run(tls: Certificates.mutual(.server, "jobs")) { fixture in
      let client = try await fixture.connect(tls: Certificates.mutual(.client, "test"))
      let server = try await fixture.next()
      for await event in server.events where event == .opened { break }
      for await event in client.events where event == .opened { break }
      let facts = Mutex<[String?]>([])
      await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
        server.perform { transport in
          facts.withLock { $0 = [transport.alpn, transport.peerService] }
          done.resume()
        }
      }
      let seen = facts.withLock { $0 }
      #expect(seen == ["h2", "test"])
    }
  }

  @Test("A client without a common protocol is refused")
  func protocols() async throws {
    try await NetFixture.run(tls: Certificates.mutual(.server, "jobs")) { fixture in
      let tls = try Certificates.mutual(.client, "test", protocols: ["http/1.1"])
      let client = try await fixture.connect(tls: tls)
      let reason = await client.end()
      #expect(reason?.contains("no application protocol") == true, "\(reason ?? "orderly")")
    }
  }

  @Test("A client without a certificate is refused")
  func anonymous() async throws {
    try await NetFixture.run(tls: Certificates.mutual(.server, "jobs")) { fixture in
      _ = try await OpenSSLClient.run(fixture.port, ["-alpn", "h2"])
      let server = try await fixture.next()
      let reason = await server.end()
      #expect(reason?.contains("certificate") == true, "\(reason ?? "orderly")")
    }
  }

  @Test(
    "Old versions are refused: below 1.2 by the edge, below 1.3 between services",
    arguments: [("-tls1", false), ("-tls1_1", false), ("-tls1_2", true)]
  )
  func versions(version: String, isMutual: Bool) async throws {
    let tls =
      try isMutual ? Certificates.mutual(.server, "jobs") : Certificates.publicServer()
    try await NetFixture.run(tls: tls) { fixture in
      // Without the level OpenSSL's client would itself refuse to offer the version.
      let options = [version, "-cipher", "DEFAULT:@SECLEVEL=0"]
      let output = try await OpenSSLClient.run(fixture.port, options)
      #expect(output.contains("alert protocol version"), "\(output)")
    }
  }

  @Test("The edge speaks 1.2, and a client may not negotiate again")
  func renegotiation() async throws {
    try await NetFixture.run(tls: Certificates.publicServer()) { fixture in
      let output = try await OpenSSLClient.run(fixture.port, ["-tls1_2"], input: "R\nQ\n")
      #expect(output.contains("TLSv1.2"))
      #expect(output.contains("no renegotiation"), "\(output)")
    }
  }

  @Test("A peer may change its keys now and then, but not all the time")
  func keyUpdates() async throws {
    try await NetFixture.run(tls: Certificates.publicServer()) { fixture in
      let few = try await OpenSSLClient.updateKeys(fixture.port, times: 50)
      #expect(few == 50)
      _ = try await fixture.next()
      let many = try await OpenSSLClient.updateKeys(fixture.port, times: 200)
      #expect(many < 200)
      let abused = try await fixture.next()
      let reason = await abused.end()
      #expect(reason == "TLS: too many key updates")
    }
  }
}

/// Early data (0-RTT) comes before the client has shown that it is there: who has recorded it can send
/// it again (RFC 8446 §8).
@Suite("Early data") struct EarlyDataTests {
  /// What OpenSSL's client printed, and what came to our side's owner.
  private typealias Conversation = (printed: String, received: String)

  /// The client says "late" when it has read our greeting: by then it has its tickets.
  private func converse(
    _ fixture: NetFixture,
    _ options: [String]
  ) async throws -> Conversation {
    let folder = try Certificates.folder()
    let caller = ["-cert", "\(folder)/test.crt", "-key", "\(folder)/test.key"]
    async let printed = OpenSSLClient.converse(
      fixture.port,
      ["-tls1_3", "-alpn", "h2"] + caller + options,
      after: "welcome",
      input: "late"
    )
    let server = try await fixture.next()
    server.send(Array("welcome".utf8))
    var received: [UInt8] = []
    for await case .received(let bytes) in server.events { received += bytes }
    return (try await printed, String(decoding: received, as: UTF8.self))
  }

  /// A copy of a session in PEM that claims to allow early data.
  ///
  /// OpenSSL writes a session as one SEQUENCE of tagged fields in ascending order and leaves out
  /// `max_early_data`, number 15, when it is zero.
  private func forged(_ session: String) throws -> String {
    let lines = session.split(separator: "\n").filter { !$0.hasPrefix("-----") }
    let der = [UInt8](try #require(Data(base64Encoded: lines.joined())))
    // 30 82 and two bytes of length; then fields of one byte of tag and one to three of length.
    try #require(der.starts(with: [0x30, 0x82]))
    var next = 4
    while next < der.count, der[next] < 0xaf {
      let first = Int(der[next + 1])
      switch first {
      case 0x81: next += 3 + Int(der[next + 2])
      case 0x82: next += 4 + Int(der[next + 2]) << 8 + Int(der[next + 3])
      default: next += 2 + first
      }
    }
    try #require(next <= der.count && (next == der.count || der[next] > 0xaf))
    let content = der[4..<next] + [0xaf, 4, 2, 2, 0x40, 0x00] + der[next...]
    let length = [UInt8(content.count >> 8), UInt8(content.count & 0xff)]
    let text = Data([0x30, 0x82] + length + content).base64EncodedString(
      options: .lineLength64Characters
    )
    return "-----BEGIN SSL SESSION PARAMETERS-----\n\(text)\n-----END SSL SESSION PARAMETERS-----\n"
  }

  @Test(
    "Tickets allow none, and what a client sends early all the same is never read",
    arguments: [true, false]
  )
  func refused(isMutual: Bool) async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let session = folder.appendingPathComponent("session.pem")
    let early = folder.appendingPathComponent("early")
    try Data("early".utf8).write(to: early)
    let tls = try isMutual ? Certificates.mutual(.server, "jobs") : Certificates.publicServer()
    try await NetFixture.run(tls: tls) { fixture in
      let first = try await converse(fixture, ["-sess_out", session.path])
      let tickets = first.printed.components(separatedBy: "Session Ticket arrived").count - 1
      let without = first.printed.components(separatedBy: "Max Early Data: 0\n").count - 1
      #expect(tickets > 0 && without == tickets, "\(first.printed)")
      #expect(first.received == "late")

      let resumed = ["-sess_in", session.path, "-early_data", early.path]
      let honest = try await converse(fixture, resumed)
      #expect(honest.printed.contains("Reused, TLSv1.3"), "\(honest.printed)")
      #expect(honest.printed.contains("Early data was not sent"), "\(honest.printed)")

      try forged(String(contentsOf: session, encoding: .utf8))
        .write(to: session, atomically: true, encoding: .utf8)
      let bold = try await converse(fixture, resumed)
      #expect(bold.printed.contains("Early data was rejected"), "\(bold.printed)")
      #expect(bold.received == "late")
    }
  }
}

@Suite("Replaced certificates") struct ReplacedCertificateTests {
  /// What was reported of replacements.
  private final class Reports: Sendable {
    private let texts = Mutex<[String]>([])
    var all: [String] { texts.withLock { $0 } }
    func add(_ error: NetError?) {
      texts.withLock { $0.append(error.map { "\($0)" } ?? "in use") }
    }
  }

  private func copy(_ name: String, _ kind: String, to folder: URL) throws {
    let source = URL(fileURLWithPath: "\(try Certificates.folder())/\(name).\(kind)")
    let target = folder.appendingPathComponent("server.\(kind)")
    try Data(contentsOf: source).write(to: target, options: .atomic)
  }

  private func isServed(_ fixture: NetFixture) async throws -> Bool {
    let client = try await fixture.connect(tls: Certificates.mutual(.client, "test"))
    return await client.first { $0 == .opened } != nil
  }

  @Test("One that cannot be used leaves the old one in use, and is reported once")
  func unusable() async throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try copy("jobs", "crt", to: folder)
    try copy("jobs", "key", to: folder)
    let reports = Reports()
    let tls = try TLSContext(
      .mutual(
        .server,
        certificateFile: folder.appendingPathComponent("server.crt").path,
        keyFile: folder.appendingPathComponent("server.key").path,
        authorityFile: "\(try Certificates.folder())/ca.crt"
      ),
      checkInterval: .zero,
      onReload: reports.add
    )
    try await NetFixture.run(tls: tls) { fixture in
      try Data("no certificate".utf8)
        .write(to: folder.appendingPathComponent("server.crt"), options: .atomic)
      var served: [Bool] = []
      for _ in 0..<3 { served.append(try await isServed(fixture)) }
      #expect(served == [true, true, true])
      #expect(reports.all.count == 1)
      #expect(reports.all.first?.contains("server.crt") == true)

      // Half a replacement: the key is another one's.
      try copy("jobs", "crt", to: folder)
      try copy("billing", "key", to: folder)
      served = [try await isServed(fixture), try await isServed(fixture)]
      #expect(served == [true, true])
      #expect(reports.all.count == 2)

      try copy("jobs", "key", to: folder)
      let last = try await isServed(fixture)
      #expect(last)
      #expect(reports.all.last == "in use")
    }
  }
}
