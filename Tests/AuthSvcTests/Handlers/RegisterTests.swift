import OneShotAPI
import RPC
import Testing

@testable import AuthSvc

@Suite("Register", .serialized) struct RegisterTests {
  @Test("A new user receives tokens and the starting credits")
  func registers() async throws {
    try await AuthFixture.run { auth in
      let answer = try await auth.register("New.User@Example.com")
      #expect(answer.tokenType == "bearer")
      #expect(answer.expiresIn == 600)
      #expect(answer.user?.email == "New.User@example.com")
      #expect(answer.user?.credits == 10)
      let token = try await auth.token(answer.accessToken)
      #expect(token.sub == answer.user?.id)
      #expect(token.iss == "oneshot")
      #expect(token.aud == "oneshot-api")
      #expect(token.role == "user")
      #expect(token.exp - token.iat == 600)
      #expect(try await auth.count("SELECT count(*) FROM user_session") == 1)
    }
  }

  @Test("The credits of the request are ignored")
  func ownCredits() async throws {
    try await AuthFixture.run { auth in
      let answer = try await auth.service.register(
        Auth.RegisterRequest(
          email: "greedy@example.com",
          password: AuthFixture.password,
          credits: 1_000_000
        ),
        context: auth.context()
      )
      #expect(answer.user?.credits == 10)
    }
  }

  @Test("Passwords are stored as bcrypt and nowhere else")
  func storesHash() async throws {
    try await AuthFixture.run { auth in
      let answer = try await auth.register()
      let row = try await auth.database.query(
        "SELECT password_hash, user_account::text FROM user_account"
      )[0]
      let (hash, all) = try row.decode(String.self, String.self)
      #expect(Bcrypt.isHash(hash))
      #expect(!all.contains(AuthFixture.password))
      let tokens = try await auth.count(
        """
        SELECT count(*) FROM refresh_token
        WHERE encode(hash, 'escape') LIKE \("%" + answer.refreshToken.dropFirst(4) + "%")
        """
      )
      #expect(tokens == 0)
    }
  }

  @Test("An address is taken in every spelling of its case")
  func taken() async throws {
    try await AuthFixture.run { auth in
      _ = try await auth.register("user@example.com")
      await expectRefusal("EMAIL_TAKEN", .alreadyExists) {
        try await auth.register("USER@Example.com")
      }
    }
  }

  @Test("Of many registrations of one address at once, one succeeds")
  func race() async throws {
    try await AuthFixture.run(connections: 4) { auth in
      let results = await withTaskGroup(of: Bool.self) { group in
        for _ in 0..<8 {
          group.addTask { (try? await auth.register("race@example.com")) != nil }
        }
        return await group.reduce(into: []) { $0.append($1) }
      }
      #expect(results.filter { $0 }.count == 1)
      let users = try await auth.count("SELECT count(*) FROM user_account")
      let sessions = try await auth.count("SELECT count(*) FROM user_session")
      #expect(users == 1)
      #expect(sessions == 1)
    }
  }

  @Test(
    "Bad input is refused with the field's name",
    arguments: [
      ("", AuthFixture.password, "MISSING_FIELD", "email"),
      ("user@example.com", "", "MISSING_FIELD", "password"),
      ("no address", AuthFixture.password, "INVALID_EMAIL", "email"),
      ("user@example.com", "short", "WEAK_PASSWORD", "password"),
      ("user@example.com", "password123", "WEAK_PASSWORD", "password"),
    ]
  )
  func refuses(email: String, password: String, reason: String, field: String) async throws {
    try await AuthFixture.run { auth in
      let error = await #expect(throws: ServiceError.self) {
        try await auth.service.register(
          Auth.RegisterRequest(email: email, password: password),
          context: auth.context()
        )
      }
      #expect(error?.reason == reason)
      #expect(error?.code == .invalidArgument)
      #expect(error?.violations.map(\.field) == [field])
    }
  }

  @Test("With BillingSvc away the account is made and its credits are null")
  func withoutBilling() async throws {
    try await AuthFixture.run { auth in
      auth.accounts.goAway()
      let answer = try await auth.register()
      #expect(answer.user != nil)
      #expect(answer.user?.credits == nil)
    }
  }
}
