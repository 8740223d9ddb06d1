import OneShotAPI
import RPC
import ServiceKit
import Testing

@testable import AuthSvc

@Suite("Sessions", .serialized) struct SessionTests {
  private func refresh(
    _ auth: AuthFixture,
    _ token: String
  ) async throws -> Auth.RefreshResponse {
    try await auth.service.refresh(
      Auth.RefreshRequest(refreshToken: token),
      context: auth.context()
    )
  }

  @Test("A refresh answers a new pair for the same session")
  func rotates() async throws {
    try await AuthFixture.run { auth in
      let first = try await auth.register()
      let second = try await refresh(auth, first.refreshToken)
      let third = try await refresh(auth, second.refreshToken)
      #expect(Set([first.refreshToken, second.refreshToken, third.refreshToken]).count == 3)
      let session = try await auth.token(first.accessToken).sid
      #expect(try await auth.token(third.accessToken).sid == session)
    }
  }

  @Test("A refresh token used twice ends the session, for its successor as well")
  func reuse() async throws {
    try await AuthFixture.run { auth in
      let first = try await auth.register()
      let second = try await refresh(auth, first.refreshToken)
      await expectRefusal("REFRESH_TOKEN_REUSED", .unauthenticated) {
        try await refresh(auth, first.refreshToken)
      }
      await expectRefusal("INVALID_TOKEN", .unauthenticated) {
        try await refresh(auth, second.refreshToken)
      }
      let token = try await auth.token(first.accessToken)
      #expect(auth.revocations.sessions.map(\.description) == [token.sid])
      let state = try await auth.service.verifySession(
        Auth.VerifySessionRequest(sessionId: token.sid),
        context: auth.context()
      )
      #expect(!state.active)
    }
  }

  @Test("Of many uses of one refresh token at once, one is answered")
  func race() async throws {
    try await AuthFixture.run(connections: 4) { auth in
      let first = try await auth.register()
      let results = await withTaskGroup(of: Bool.self) { group in
        for _ in 0..<8 {
          group.addTask { (try? await refresh(auth, first.refreshToken)) != nil }
        }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(results.filter { $0 }.count == 1)
    }
  }

  @Test("A refresh token expires, and a session ends after its longest life")
  func expires() async throws {
    try await AuthFixture.run { auth in
      let answer = try await auth.register()
      auth.clock.advance(by: .seconds(7 * 86_400))
      await expectRefusal("TOKEN_EXPIRED", .unauthenticated) {
        try await refresh(auth, answer.refreshToken)
      }
      var token = try await auth.service.login(
        Auth.LoginRequest(email: "user@example.com", password: AuthFixture.password),
        context: auth.context()
      ).refreshToken
      for _ in 0..<14 {
        auth.clock.advance(by: .seconds(6 * 86_400))
        token = try await refresh(auth, token).refreshToken
      }
      auth.clock.advance(by: .seconds(6 * 86_400))
      await expectRefusal("TOKEN_EXPIRED", .unauthenticated) { try await refresh(auth, token) }
    }
  }

  @Test("What is no refresh token is refused", arguments: ["x", "osr_", "osr_unknown"])
  func unknown(text: String) async throws {
    try await AuthFixture.run { auth in
      await expectRefusal("INVALID_TOKEN", .unauthenticated) { try await refresh(auth, text) }
      await expectRefusal("INVALID_TOKEN", .unauthenticated) {
        try await refresh(auth, RefreshToken().text)
      }
      await expectRefusal("MISSING_FIELD", .invalidArgument) { try await refresh(auth, "") }
    }
  }

  @Test("Logout ends the session, tells the edges, and may be repeated")
  func logout() async throws {
    try await AuthFixture.run { auth in
      let answer = try await auth.register()
      let token = try await auth.token(answer.accessToken)
      let session = Auth.VerifySessionRequest(sessionId: token.sid)
      let before = try await auth.service.verifySession(session, context: auth.context())
      #expect(before.active)
      #expect(before.userId == token.sub)
      #expect(before.role == "user")
      for _ in 0..<2 {
        let reply = try await auth.service.logout(
          Auth.LogoutRequest(),
          context: auth.context(token)
        )
        #expect(reply.status == "success")
      }
      #expect(auth.revocations.sessions.map(\.description) == [token.sid, token.sid])
      #expect(try await !auth.service.verifySession(session, context: auth.context()).active)
      await expectRefusal("INVALID_TOKEN", .unauthenticated) {
        try await refresh(auth, answer.refreshToken)
      }
      await expectRefusal("UNAUTHENTICATED", .unauthenticated) {
        try await auth.service.logout(Auth.LogoutRequest(), context: auth.context())
      }
    }
  }

  @Test("A session that ended while Redis was away is announced later")
  func announcesLater() async throws {
    try await AuthFixture.run { auth in
      let token = try await auth.token(try await auth.register().accessToken)
      let publisher = RevocationPublisher(
        store: auth.service.store,
        list: auth.revocations,
        tokenLifetime: .seconds(600)
      )
      auth.revocations.setAway(true)
      _ = try await auth.service.logout(Auth.LogoutRequest(), context: auth.context(token))
      #expect(auth.revocations.sessions.isEmpty)
      auth.revocations.setAway(false)
      _ = try await publisher.publish()
      _ = try await publisher.publish()
      #expect(auth.revocations.sessions.map(\.description) == [token.sid])
    }
  }

  @Test("An unknown session is not active, and what is no UUID is refused")
  func verifyUnknown() async throws {
    try await AuthFixture.run { auth in
      let unknown = Auth.VerifySessionRequest(sessionId: "\(SessionID(auth.service.ids.next()))")
      let state = try await auth.service.verifySession(unknown, context: auth.context())
      #expect(!state.active)
      await expectRefusal("INVALID_VALUE", .invalidArgument) {
        try await auth.service.verifySession(
          Auth.VerifySessionRequest(sessionId: "me"),
          context: auth.context()
        )
      }
    }
  }

  @Test("Old refresh tokens are swept, spent ones only after their expiry")
  func sweeps() async throws {
    try await AuthFixture.run { auth in
      _ = try await refresh(auth, try await auth.register().refreshToken)
      #expect(try await auth.service.store.removeExpiredTokens(limit: 10) == 0)
      auth.clock.advance(by: .seconds(15 * 86_400))
      #expect(try await auth.service.store.removeExpiredTokens(limit: 10) == 2)
    }
  }
}
