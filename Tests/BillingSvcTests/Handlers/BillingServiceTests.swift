import EventLoop
import Foundation
import HTTP2
import Logging
import OneShotAPI
import Protobuf
import RPC
import ServiceKit
import Testing

@testable import BillingSvc

@Suite("Billing RPCs", .serialized) struct BillingServiceTests {
  private struct Subject {
    let service: BillingService
    let context: (_ user: UserID?, _ role: String, _ address: String?) -> ServerContext

    func context(_ user: UserID? = nil) -> ServerContext { context(user, "user", nil) }
  }

  private func run(
    allowsMockEvents: Bool = true,
    _ body: (Subject) async throws -> Void
  ) async throws {
    let group = try EventLoopGroup(count: 1)
    let loop = group.next()
    try await BillingFixture.run { billing in
      let service = BillingService(
        store: billing.store,
        ids: UUIDv7(),
        allowsMockEvents: allowsMockEvents,
        logger: Logger(label: "billing tests")
      )
      let subject = Subject(service: service) { user, role, address in
        var block = HeaderBlock()
        if let user {
          block.append("x-oneshot-user-id", "\(user)")
          block.append("x-oneshot-session-id", "\(SessionID(UUID()))")
          block.append("x-oneshot-role", role)
        }
        if let address { block.append("x-oneshot-client-address", address) }
        return ServerContext(
          method: Billing.BillingServiceMethods.getCredits,
          caller: "edge",
          metadata: Metadata(block),
          deadline: .now + .seconds(10),
          loop: loop
        )
      }
      try await body(subject)
    }
    group.stop()
  }

  private func holdRequest(_ user: UserID, maxSide: Int32? = nil) -> Billing.HoldCreditsRequest {
    Billing.HoldCreditsRequest(
      jobId: "\(JobID(UUID()))",
      userId: "\(user)",
      jobType: "upscale",
      maxSide: maxSide
    )
  }

  @Test("A hold answers the cost, the balance and the plan")
  func hold() async throws {
    try await run { subject in
      let user = BillingFixture.newUser()
      let answer = try await subject.service.holdCredits(
        holdRequest(user),
        context: subject.context()
      )
      #expect(answer.state == .held)
      #expect(answer.creditsCost == 1)
      #expect(answer.balance == 9)
      #expect(answer.entitlements?.planCode == "free")
      #expect(answer.entitlements?.limits?.maxSide == 512)
      #expect(answer.entitlements?.subscriptionStatus == "inactive")
      let credits = try await subject.service.getCredits(
        Billing.GetCreditsRequest(),
        context: subject.context(user)
      )
      #expect(credits.balance == 9)
      #expect(credits.held == 1)
      #expect(credits.holds.map(\.jobId) == [answer.jobId])
    }
  }

  @Test("A refusal carries the seed's text")
  func refusal() async throws {
    try await run { subject in
      let error = await #expect(throws: ServiceError.self) {
        try await subject.service.holdCredits(
          holdRequest(BillingFixture.newUser(), maxSide: 1_024),
          context: subject.context()
        )
      }
      #expect(error?.reason == "PARAMETER_VIOLATION")
      #expect(error?.message == "Parameter 'max_side' value 1024 exceeds plan limit of 512")
    }
  }

  @Test("A settled hold answers its state, an unknown one is not found")
  func settle() async throws {
    try await run { subject in
      let user = BillingFixture.newUser()
      let hold = holdRequest(user)
      _ = try await subject.service.holdCredits(hold, context: subject.context())
      let capture = Billing.CaptureHoldRequest(jobId: hold.jobId, userId: hold.userId)
      let spent = try await subject.service.captureHold(capture, context: subject.context())
      #expect(spent.state == .captured)
      #expect(spent.creditsSpent == 1)
      #expect(spent.changed)
      let released = try await subject.service.releaseHold(
        Billing.ReleaseHoldRequest(jobId: hold.jobId, userId: hold.userId, reason: .failed),
        context: subject.context()
      )
      #expect(released.state == .captured)
      #expect(released.creditsReleased == 0)
      #expect(!released.changed)
      let unknown = Billing.CaptureHoldRequest(
        jobId: "\(JobID(UUID()))",
        userId: hold.userId
      )
      let error = await #expect(throws: ServiceError.self) {
        try await subject.service.captureHold(unknown, context: subject.context())
      }
      #expect(error?.code == .notFound)
    }
  }

  @Test("Plans and prices are those of the price table")
  func plans() async throws {
    try await run { subject in
      let answer = try await subject.service.listPlans(
        Billing.ListPlansRequest(),
        context: subject.context()
      )
      #expect(answer.plans.map(\.code) == ["free", "pro", "premium"])
      #expect(answer.plans.map(\.creditsIncluded) == [0, 50, 200])
      #expect(answer.plans.map(\.consumesCredits) == [true, false, false])
      #expect(answer.plans.map { $0.limits?.dailyJobs } == [5, 50, 200])
      #expect(answer.jobCosts.map(\.jobType) == ["face_restore", "face_swap", "upscale"])
      #expect(answer.jobCosts.map(\.credits) == [1, 2, 1])
    }
  }

  @Test("A mock event makes a caller on this machine a subscriber")
  func mockEvent() async throws {
    try await run { subject in
      let user = BillingFixture.newUser()
      let request = Billing.MockEventRequest(
        eventType: "subscription_created",
        userId: "\(user)",
        productId: "pro_monthly",
        eventId: "mock_evt_789"
      )
      let local = subject.context(nil, "user", "127.0.0.1")
      let first = try await subject.service.mockEvent(request, context: local)
      #expect(first.status == "success")
      #expect(first.message == "Mock event sent to webhook")
      #expect(first.webhookResponse?.eventId == "mock_evt_789")
      #expect(first.webhookResponse?.processed == true)
      #expect(first.webhookResponse?.duplicate == false)
      let second = try await subject.service.mockEvent(request, context: local)
      #expect(second.webhookResponse?.duplicate == true)
      let plan = try await subject.service.getEntitlements(
        Billing.GetEntitlementsRequest(userId: "\(user)"),
        context: subject.context()
      )
      #expect(plan.entitlements?.planCode == "pro")
      #expect(plan.entitlements?.subscriptionStatus == "active")
      #expect(plan.entitlements?.expiresAt != nil)
      #expect(plan.credits == 60)
    }
  }

  @Test("Users elsewhere make no mock events, and nobody does where they are off")
  func mockEventRefused() async throws {
    let request = Billing.MockEventRequest(
      eventType: "subscription_created",
      userId: "\(UserID(UUID()))",
      productId: "pro_monthly"
    )
    try await run { subject in
      let user = BillingFixture.newUser()
      for address in ["192.0.2.1", nil] {
        let error = await #expect(throws: ServiceError.self) {
          try await subject.service.mockEvent(
            request,
            context: subject.context(user, "user", address)
          )
        }
        #expect(error?.reason == "PERMISSION_DENIED")
      }
      let byOperator = try await subject.service.mockEvent(
        request,
        context: subject.context(user, "admin", "192.0.2.1")
      )
      #expect(byOperator.webhookResponse?.processed == true)
    }
    try await run(allowsMockEvents: false) { subject in
      let error = await #expect(throws: ServiceError.self) {
        try await subject.service.mockEvent(
          request,
          context: subject.context(nil, "user", "127.0.0.1")
        )
      }
      #expect(error?.code == .notFound)
    }
  }

  @Test("Malformed requests are refused with the field's name")
  func malformed() async throws {
    try await run { subject in
      let user = "\(UserID(UUID()))"
      let job = "\(JobID(UUID()))"
      let context = subject.context()
      let calls: [(String, () async throws -> Void)] = [
        (
          "job_id",
          {
            _ = try await subject.service.holdCredits(
              Billing.HoldCreditsRequest(jobId: "1", userId: user, jobType: "x"),
              context: context
            )
          }
        ),
        (
          "user_id",
          {
            _ = try await subject.service.captureHold(
              Billing.CaptureHoldRequest(jobId: job, userId: "me"),
              context: context
            )
          }
        ),
        (
          "reason",
          {
            _ = try await subject.service.releaseHold(
              Billing.ReleaseHoldRequest(jobId: job, userId: user),
              context: context
            )
          }
        ),
        (
          "amount",
          {
            _ = try await subject.service.grantCredits(
              Billing.GrantCreditsRequest(
                userId: user,
                amount: -5,
                kind: .bonus,
                reference: "gift"
              ),
              context: context
            )
          }
        ),
        (
          "reference",
          {
            _ = try await subject.service.grantCredits(
              Billing.GrantCreditsRequest(userId: user, amount: 5, kind: .bonus),
              context: context
            )
          }
        ),
        (
          "expires_at",
          {
            // The year 292277, where PostgreSQL would say infinity.
            var event = Billing.MockEventRequest(
              eventType: "subscription_created",
              userId: user,
              productId: "pro_monthly"
            )
            event.expiresAt = GoogleProtobuf.Timestamp(seconds: 9_223_372_036_854)
            let local = subject.context(nil, "user", "127.0.0.1")
            _ = try await subject.service.mockEvent(event, context: local)
          }
        ),
      ]
      for (field, call) in calls {
        let error = await #expect(throws: ServiceError.self) { try await call() }
        #expect(error?.code == .invalidArgument)
        #expect(error?.violations.map(\.field) == [field])
      }
      let anonymous = await #expect(throws: ServiceError.self) {
        try await subject.service.getCredits(Billing.GetCreditsRequest(), context: context)
      }
      #expect(anonymous?.code == .unauthenticated)
    }
  }
}
