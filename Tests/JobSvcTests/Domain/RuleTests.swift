import Foundation
import OneShotAPI
import ServiceKit
import Testing

@testable import JobSvc

@Suite("Rules of jobs") struct RuleTests {
  private let user = UserID(UUID())
  private let upload = UploadID(UUID())

  @Test("Retries wait for their delays, then the job fails")
  func retries() {
    let rule = RetryRule(delays: [.seconds(15), .seconds(60)])
    #expect(rule.maxAttempts == 3)
    #expect(rule.decision(afterAttempt: 1, isRetryable: true) == .retry(after: .seconds(15)))
    #expect(rule.decision(afterAttempt: 2, isRetryable: true) == .retry(after: .seconds(60)))
    #expect(rule.decision(afterAttempt: 3, isRetryable: true) == .fail)
    #expect(rule.decision(afterAttempt: 1, isRetryable: false) == .fail)
  }

  @Test("Progress is clamped below the whole and printed in whole percent")
  func progress() {
    #expect(JobProgress(claimed: -5).basisPoints == 0)
    #expect(JobProgress(claimed: 20_000).basisPoints == 9_999)
    #expect(JobProgress.percent(9_999) == 99)
    #expect(JobProgress.percent(10_000) == 100)
  }

  @Test(
    "File names keep their end and nothing else that matters",
    arguments: [
      ("me.jpg", "me.jpg"), ("../../etc/passwd", "passwd"), ("a b\u{0}ü.png", "a_b__.png"),
      ("C:\\me.jpg", "me.jpg"), (".hidden", "hidden"), ("///", "file"), ("..", "file"),
      (String(repeating: "x", count: 300) + ".webp", String(repeating: "x", count: 95) + ".webp"),
    ]
  )
  func fileNames(_ given: String, _ kept: String) {
    #expect(ObjectKey.sanitised(given) == kept)
  }

  @Test("A key belongs to its user only in its exact form")
  func keys() {
    let key = ObjectKey.upload(user: user, upload: upload, filename: "me.jpg")
    #expect(ObjectKey.belongs(key, to: user))
    #expect(!ObjectKey.belongs(key, to: UserID(UUID())))
    #expect(!ObjectKey.belongs("uploads/\(user)/../me.jpg", to: user))
    #expect(!ObjectKey.belongs("uploads/\(user)/\(upload)/..", to: user))
    #expect(!ObjectKey.belongs("uploads/\(user)/\(upload)/a/b", to: user))
    #expect(!ObjectKey.belongs("other/\(user)/\(upload)/me.jpg", to: user))
    #expect(!ObjectKey.belongs("", to: user))
  }

  @Test("Our own addresses become keys of the store, others stay addresses")
  func addresses() throws {
    let rule = InputAddressRule(publicBaseURL: "http://127.0.0.1:8080")
    let key = ObjectKey.upload(user: user, upload: upload, filename: "me.jpg")
    let own = try rule.reference(
      "http://127.0.0.1:8080/files/\(key)?signature=x",
      field: "input_url",
      user: user
    )
    #expect(own == .object(key: key))
    let remote = try rule.reference("https://example.com/a.jpg", field: "input_url", user: user)
    #expect(remote == .remote(url: "https://example.com/a.jpg"))
  }

  @Test(
    "Addresses that are none are refused",
    arguments: [
      ("me.jpg", "INVALID_VALUE"), ("ftp://x/a", "INVALID_VALUE"), ("http://", "INVALID_VALUE"),
      ("http://ok@127.0.0.1/", "INVALID_VALUE"), ("http://a b/", "INVALID_VALUE"),
      ("file:///etc/passwd", "INVALID_VALUE"),
      ("http://own/files/uploads/x", "UPLOAD_NOT_FOUND"),
      ("http://x/" + String(repeating: "a", count: 2_048), "INVALID_VALUE"),
    ]
  )
  func badAddresses(_ url: String, _ reason: String) {
    let rule = InputAddressRule(publicBaseURL: "http://own")
    #expect {
      try rule.reference(url, field: "input_url", user: user)
    } throws: { ($0 as? RequestProblem)?.reason == reason }
  }

  @Test("A cursor comes back as it was, and any change makes it invalid")
  func cursors() throws {
    let filter = ListCursor.fingerprint(of: ["pending", nil])
    let cursor = ListCursor(lastID: UUID(), filter: filter)
    #expect(ListCursor(text: cursor.text) == cursor)
    #expect(filter != ListCursor.fingerprint(of: [nil, "pending"]))
    for text in ["", "nonsense", cursor.text + "A", String(cursor.text.dropLast())] {
      #expect(ListCursor(text: text) == nil)
    }
  }

  @Test(
    "Idempotency keys are visible ASCII, quoted or bare",
    arguments: [
      ("abc", "abc"), ("\"abc\"", "abc"), ("", nil), ("\"\"", nil), ("a b", nil), ("ü", nil),
      (String(repeating: "k", count: 256), nil),
    ] as [(String, String?)]
  )
  func idempotencyKeys(_ header: String, _ key: String?) {
    #expect((try? IdempotencyKey.read(header)) ?? nil == key)
  }

  @Test("No header is no key")
  func noKey() throws {
    #expect(try IdempotencyKey.read(nil) == nil)
  }

  @Test("Two spellings of one request have one fingerprint, another request has another")
  func fingerprints() throws {
    func request(_ change: (inout Jobs.CreateJobRequest) -> Void) throws -> [UInt8] {
      var request = Jobs.CreateJobRequest.with {
        $0.jobType = "face_restore"
        $0.params = .with { $0.inputUrl = "https://example.com/a" }
      }
      change(&request)
      return try CreationRequest(request, WebhookURLRule()).fingerprint
    }
    let plain = try request { _ in }
    #expect(try request { $0.jobType = "face_restoration" } == plain)
    #expect(try request { $0.priority = 5 } == plain)
    #expect(try request { $0.priority = 6 } != plain)
    #expect(try request { $0.params?.denoise = 0.2 } != plain)
    #expect(try request { $0.webhookUrl = "https://example.com/hook" } != plain)
  }

  @Test("Requests without type, parameters or with a strange rank are refused")
  func requests() {
    func reason(_ change: (inout Jobs.CreateJobRequest) -> Void) -> String? {
      var request = Jobs.CreateJobRequest.with {
        $0.jobType = "upscale"
        $0.params = .with { $0.inputUrl = "https://example.com/a" }
      }
      change(&request)
      do {
        _ = try CreationRequest(request, WebhookURLRule())
        return nil
      } catch {
        return error.reason
      }
    }
    #expect(reason { _ in } == nil)
    #expect(reason { $0.jobType = "" } == "MISSING_FIELD")
    #expect(reason { $0.jobType = "paint" } == "UNKNOWN_JOB_TYPE")
    #expect(reason { $0.params = nil } == "MISSING_FIELD")
    #expect(reason { $0.priority = 10 } == "INVALID_VALUE")
    #expect(reason { $0.webhookUrl = "https://example.com/" } == nil)
    #expect(reason { $0.webhookUrl = "" } == "INVALID_VALUE")
    #expect(reason { $0.clientRef = String(repeating: "x", count: 256) } == "INVALID_VALUE")
  }

  @Test("Estimates follow what jobs have been taking")
  func estimates() {
    let estimates = DurationEstimates()
    #expect(estimates.estimate(.upscale, concurrency: 4) == 20)
    estimates.note(.upscale, .seconds(10))
    #expect(estimates.estimate(.upscale, concurrency: 4) == 10)
    estimates.note(.upscale, .seconds(20))
    #expect(estimates.estimate(.upscale, concurrency: 4) == 12)
    #expect(estimates.estimate(.upscale, ahead: 8, concurrency: 4) == 36)
  }
}
