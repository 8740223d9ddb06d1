import Foundation
import Logging
import OneShotAPI
import RPC
import ServiceKit
import Synchronization
import Testing

@testable import AuthSvc

/// JobSvc and BillingSvc, which answer as they are told: done, not yet, or not at all.
private final class FakeData: UserData {
  enum Answer: Sendable {
    case done, notYet, away
  }

  private let state = Mutex((jobs: Answer.done, billing: Answer.done, calls: [String]()))

  var calls: [String] { state.withLock { $0.calls } }
  func answer(jobs: Answer = .done, billing: Answer = .done) {
    state.withLock { ($0.jobs, $0.billing) = (jobs, billing) }
  }

  func eraseJobs(of user: UserID) async throws -> Bool {
    try state.withLock { state in
      state.calls.append("jobs \(user)")
      return try Self.value(state.jobs)
    }
  }

  func eraseAccount(of user: UserID, as pseudonym: UUID) async throws -> Bool {
    try state.withLock { state in
      state.calls.append("billing \(user) \(pseudonym)")
      return try Self.value(state.billing)
    }
  }

  private static func value(_ answer: Answer) throws -> Bool {
    switch answer {
    case .done: return true
    case .notYet: return false
    case .away: throw ServiceError(code: .unavailable, reason: "UNAVAILABLE", message: "away")
    }
  }
}

@Suite("Erasures", .serialized) struct ErasureTests {
  private func worker(_ auth: AuthFixture, _ data: FakeData) -> ErasureWorker {
    ErasureWorker(
      store: auth.service.erasures,
      revocations: auth.revocations,
      data: data,
      logger: Logger(label: "auth tests")
    )
  }

  private func erase(_ auth: AuthFixture, _ user: String) async throws -> Auth.EraseUserResponse {
    try await auth.service.eraseUser(
      Auth.EraseUserRequest(userId: user),
      context: auth.context()
    )
  }

  @Test("An erasure removes account, sessions and tokens at once, and frees the address")
  func account() async throws {
    try await AuthFixture.run { auth in
      let first = try await auth.register()
      let other = try await auth.register("other@example.com")
      let erasure = try await erase(auth, first.user?.id ?? "")
      #expect(erasure.step == .sessions)
      #expect(erasure.completedAt == nil)
      for table in ["user_account", "user_session", "refresh_token"] {
        #expect(try await auth.count("SELECT count(*) FROM \(unescaped: table)") == 1)
      }
      await expectRefusal("INVALID_TOKEN", .unauthenticated) {
        try await auth.service.getMe(
          Auth.GetMeRequest(),
          context: auth.context(try await auth.token(first.accessToken))
        )
      }
      await expectRefusal("INVALID_TOKEN", .unauthenticated) {
        try await auth.service.refresh(
          Auth.RefreshRequest(refreshToken: first.refreshToken),
          context: auth.context()
        )
      }
      await expectRefusal("INVALID_CREDENTIALS", .unauthenticated) {
        try await auth.service.login(
          Auth.LoginRequest(email: "user@example.com", password: AuthFixture.password),
          context: auth.context()
        )
      }
      let again = try await auth.register()
      #expect(again.user?.id != first.user?.id)
      _ = try await auth.service.refresh(
        Auth.RefreshRequest(refreshToken: other.refreshToken),
        context: auth.context()
      )
    }
  }

  @Test("The worker tells the edges, then JobSvc, then BillingSvc, and forgets the pseudonym")
  func steps() async throws {
    try await AuthFixture.run { auth in
      let answer = try await auth.register()
      let user = answer.user?.id ?? ""
      let data = FakeData()
      let requested = try await erase(auth, user)
      var steps: [Auth.ErasureStep] = []
      while try await worker(auth, data).runOnce() > 0 {
        steps.append(try await erase(auth, user).step)
      }
      #expect(steps == [.jobs, .billing, .done])
      #expect(
        auth.revocations.sessions.map(\.description) == [
          try await auth.token(answer.accessToken).sid
        ]
      )
      #expect(data.calls.map { $0.split(separator: " ").first } == ["jobs", "billing"])
      let done = try await erase(auth, user)
      #expect(done.erasureId == requested.erasureId)
      #expect(done.requestedAt == requested.requestedAt)
      #expect(done.completedAt != nil)
      let pseudonym = data.calls[1].split(separator: " ")[2]
      let traces = try await auth.count(
        "SELECT count(*) FROM erasure e WHERE strpos(e::text, \(pseudonym.lowercased())) > 0"
      )
      #expect(traces == 0)
    }
  }

  @Test("A step that another service has not completed is repeated, ever more slowly")
  func notYet() async throws {
    try await AuthFixture.run { auth in
      let user = try await auth.register().user?.id ?? ""
      let data = FakeData()
      let worker = worker(auth, data)
      _ = try await erase(auth, user)
      #expect(try await worker.runOnce() == 1)
      data.answer(jobs: .notYet)
      #expect(try await worker.runOnce() == 1)
      #expect(try await worker.runOnce() == 0)
      auth.clock.advance(by: .seconds(1))
      data.answer(jobs: .away)
      #expect(try await worker.runOnce() == 1)
      auth.clock.advance(by: .seconds(1))
      #expect(try await worker.runOnce() == 0)
      auth.clock.advance(by: .seconds(1))
      data.answer(billing: .away)
      #expect(try await worker.runOnce() == 1)
      #expect(try await worker.runOnce() == 1)
      #expect(try await erase(auth, user).step == .billing)
      data.answer()
      auth.clock.advance(by: .seconds(1))
      #expect(try await worker.runOnce() == 1)
      #expect(try await erase(auth, user).step == .done)
      // Every try carried the same pseudonym.
      #expect(Set(data.calls.filter { $0.hasPrefix("billing") }).count == 1)
    }
  }

  @Test("An erasure whose process died within a step is taken again after its lease")
  func takeover() async throws {
    try await AuthFixture.run { auth in
      let user = try await auth.register().user?.id ?? ""
      _ = try await erase(auth, user)
      // Taken by a process that does not come back.
      #expect(try await auth.service.erasures.take().count == 1)
      #expect(try await auth.service.erasures.take().isEmpty)
      auth.clock.advance(by: .seconds(31))
      let data = FakeData()
      while try await worker(auth, data).runOnce() > 0 {}
      #expect(try await erase(auth, user).step == .done)
    }
  }

  @Test("Without Redis an erasure waits: access tokens must end first")
  func withoutRedis() async throws {
    try await AuthFixture.run { auth in
      let user = try await auth.register().user?.id ?? ""
      let data = FakeData()
      auth.revocations.setAway(true)
      _ = try await erase(auth, user)
      #expect(try await worker(auth, data).runOnce() == 1)
      #expect(try await erase(auth, user).step == .sessions)
      auth.revocations.setAway(false)
      auth.clock.advance(by: .seconds(1))
      while try await worker(auth, data).runOnce() > 0 {}
      #expect(auth.revocations.sessions.count == 1)
      #expect(try await erase(auth, user).step == .done)
    }
  }

  @Test("A user who never was, or whose id is none, is refused")
  func unknown() async throws {
    try await AuthFixture.run { auth in
      await expectRefusal("NOT_FOUND", .notFound) { try await erase(auth, "\(UUID())") }
      await expectRefusal("INVALID_VALUE", .invalidArgument) { try await erase(auth, "me") }
      await expectRefusal("MISSING_FIELD", .invalidArgument) { try await erase(auth, "") }
    }
  }

  @Test("A sign-in that meets the erasure of its user opens no session")
  func race() async throws {
    try await AuthFixture.run(connections: 4) { auth in
      let user = try await auth.register().user?.id ?? ""
      await withTaskGroup(of: Void.self) { group in
        for _ in 0..<8 {
          group.addTask {
            _ = try? await auth.service.login(
              Auth.LoginRequest(email: "user@example.com", password: AuthFixture.password),
              context: auth.context()
            )
          }
        }
        group.addTask { _ = try? await erase(auth, user) }
      }
      #expect(try await auth.count("SELECT count(*) FROM erasure") == 1)
      #expect(try await auth.count("SELECT count(*) FROM user_session") == 0)
    }
  }

  @Test("Tries of one step are a second apart, then twice as long, and never more than a minute")
  func delays() {
    let seconds = [1, 2, 3, 6, 7, 100].map { ErasureRetryRule.delay(afterTries: $0) }
    #expect(seconds == [1, 2, 4, 32, 60, 60].map { Duration.seconds($0) })
  }
}
