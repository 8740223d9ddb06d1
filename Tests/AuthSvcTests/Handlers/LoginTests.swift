import OneShotAPI
import RPC
import Testing

@testable import AuthSvc

@Suite("Login", .serialized) struct LoginTests {
  @Test("Each login opens a session of its own")
  func logsIn() async throws {
    try await AuthFixture.run { auth in
      let registered = try await auth.register()
      let answer = try await auth.service.login(
        Auth.LoginRequest(email: "USER@example.com", password: AuthFixture.password),
        context: auth.context()
      )
      #expect(answer.user == registered.user)
      #expect(answer.tokenType == "bearer")
      let first = try await auth.token(registered.accessToken)
      let second = try await auth.token(answer.accessToken)
      #expect(first.sub == second.sub)
      #expect(first.sid != second.sid)
    }
  }

  @Test(
    "A wrong password, an unknown address and an impossible one get the same answer",
    arguments: [
      ("user@example.com", "wrong password"), ("nobody@example.com", AuthFixture.password),
      ("no address", AuthFixture.password),
      ("user@example.com", String(repeating: "x", count: 100)),
      ("user@example.com", AuthFixture.password + "\u{0}"),
    ]
  )
  func refuses(email: String, password: String) async throws {
    try await AuthFixture.run { auth in
      _ = try await auth.register()
      let error = await #expect(throws: ServiceError.self) {
        try await auth.service.login(
          Auth.LoginRequest(email: email, password: password),
          context: auth.context()
        )
      }
      #expect(error?.reason == "INVALID_CREDENTIALS")
      #expect(error?.code == .unauthenticated)
      #expect(error?.message == AuthFailure.invalidCredentials.message)
    }
  }

  @Test("Me shows the user, and null credits while BillingSvc is away")
  func me() async throws {
    try await AuthFixture.run { auth in
      let registered = try await auth.register()
      let token = try await auth.token(registered.accessToken)
      let me = try await auth.service.getMe(
        Auth.GetMeRequest(),
        context: auth.context(token)
      )
      #expect(me.id == registered.user?.id)
      #expect(me.email == "user@example.com")
      #expect(me.credits == 10)
      #expect(me.subscriptionStatus == "inactive")
      #expect(me.planCode == "free")
      #expect(me.createdAt != nil)
      auth.accounts.goAway()
      let alone = try await auth.service.getMe(
        Auth.GetMeRequest(),
        context: auth.context(token)
      )
      #expect(alone.credits == nil)
      #expect(alone.planCode == nil)
      await expectRefusal("UNAUTHENTICATED", .unauthenticated) {
        try await auth.service.getMe(Auth.GetMeRequest(), context: auth.context())
      }
    }
  }
}
