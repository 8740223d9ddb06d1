import Testing

@testable import RPC

@Suite("The time a server gives a call") struct CallTimeoutTests {
  private let core = ServerCore(
    .init(endpoint: .host("127.0.0.1", port: 0), tls: nil),
    MethodRegistry()
  )

  private func method(_ kind: MethodKind, defaultMilliseconds: Int = 0) -> MethodDescriptor {
    MethodDescriptor(
      service: "test.Service",
      method: "Call",
      kind: kind,
      allowedCallers: [],
      noSideEffects: false,
      defaultTimeoutMilliseconds: defaultMilliseconds,
      requestType: "bytes",
      responseType: "bytes"
    )
  }

  @Test("A caller that names none gets its method's time, else 100 s: no handler runs without end")
  func fallback() {
    for kind in [MethodKind.unary, .serverStreaming, .clientStreaming, .bidirectional] {
      #expect(core.timeout(of: method(kind), asked: nil) == .seconds(100))
      let own = method(kind, defaultMilliseconds: 2_500)
      #expect(core.timeout(of: own, asked: nil) == .milliseconds(2_500))
      #expect(core.timeout(of: own, asked: .seconds(7)) == .seconds(7))
    }
  }

  @Test("A unary call gets ten minutes at most, a stream what it asks for")
  func longest() {
    let year = Duration.seconds(31_536_000)
    #expect(core.timeout(of: method(.unary), asked: year) == .seconds(600))
    #expect(core.timeout(of: method(.serverStreaming), asked: year) == year)
  }
}
