import Foundation
import OneShotAPI
import Protobuf
import RPC
import ServiceKit
import Testing

@testable import JobSvc

@Suite("Requests to JobSvc", .serialized) struct RequestTests {
  @Test("An upload is signed for its user, and can be named by id or address once it is there")
  func uploads() async throws {
    try await ServiceFixture.run(workers: false) { service in
      let place = try await service.uploads.presignUpload(
        .with {
          $0.filename = "../me at sea.jpg"
          $0.contentType = "image/jpeg"
          $0.fileSize = 1_000
        },
        options: service.options()
      )
      #expect(place.expiresIn == 3_600)
      #expect(place.uploadUrl == place.presignedUrl)
      let key = "uploads/\(service.user)/\(place.uploadId)/me_at_sea.jpg"
      #expect(place.fileUrl == "http://own/files/\(key)")
      let byID = Jobs.CreateJobRequest.with {
        $0.jobType = "face_restore"
        $0.params = .with { $0.inputUploadId = place.uploadId }
      }
      let byURL = Jobs.CreateJobRequest.with {
        $0.jobType = "face_restore"
        $0.params = .with { $0.inputUrl = place.fileUrl }
      }
      for request in [byID, byURL] {
        #expect(await refusal { try await service.create(request) }?.reason == "UPLOAD_INCOMPLETE")
      }
      try await service.objects.put(key, bytes: [1], contentType: "image/jpeg")
      for request in [byID, byURL] { _ = try await service.create(request) }
      // Another user finds neither.
      let stranger = service.options(as: UserID(UUID()))
      for request in [byID, byURL] {
        let error = await refusal {
          try await service.jobs.createJob(request, options: stranger)
        }
        #expect((error?.code, error?.reason) == (.notFound, "UPLOAD_NOT_FOUND"))
      }
    }
  }

  @Test("Uploads of other types, sizes or without a name are refused")
  func badUploads() async throws {
    try await ServiceFixture.run(workers: false) { service in
      func reason(_ change: @escaping (inout Jobs.PresignUploadRequest) -> Void) async -> String? {
        var request = Jobs.PresignUploadRequest.with {
          $0.filename = "me.jpg"
          $0.contentType = "image/jpeg"
        }
        change(&request)
        let made = request
        return await refusal {
          try await service.uploads.presignUpload(made, options: service.options())
        }?.reason
      }
      #expect(await reason { _ in } == nil)
      #expect(await reason { $0.filename = "" } == "MISSING_FIELD")
      #expect(await reason { $0.contentType = "image/svg+xml" } == "INVALID_VALUE")
      #expect(await reason { $0.fileSize = 0 } == "INVALID_VALUE")
      #expect(await reason { $0.fileSize = 21 * 1_024 * 1_024 } == "INPUT_TOO_LARGE")
      #expect(await reason { $0.filename = String(repeating: "x", count: 256) } == "INVALID_VALUE")
    }
  }

  @Test("Bad requests are refused before anything is stored, with the field at fault")
  func badRequests() async throws {
    try await ServiceFixture.run(workers: false) { service in
      let unknown = await refusal { try await service.create(.with { $0.jobType = "paint" }) }
      #expect(unknown?.reason == "UNKNOWN_JOB_TYPE")
      let scale = await refusal {
        try await service.create(
          .with {
            $0.jobType = "upscale"
            $0.params = .with {
              $0.inputUrl = "https://example.com/a"
              $0.scale = 3
            }
          }
        )
      }
      #expect(scale?.reason == "INVALID_VALUE")
      #expect(scale?.violations.first?.field == "scale")
      let key = await refusal { try await service.create(key: "a b") }
      #expect(key?.reason == "IDEMPOTENCY_KEY_INVALID")
      let rows = try await service.database.query("SELECT 1 FROM job")
      #expect(rows.isEmpty)
      #expect(service.billing.state.withLock { $0.holdCalls.isEmpty })
    }
  }

  @Test("Lists page by cursor; a cursor of another list, or none at all, is refused")
  func lists() async throws {
    try await ServiceFixture.run(workers: false) { service in
      var ids: [String] = []
      for _ in 0..<3 { ids.insert(try await service.create().id, at: 0) }
      func list(
        _ change: (inout Jobs.ListJobsRequest) -> Void
      ) async throws -> Jobs.ListJobsResponse {
        var request = Jobs.ListJobsRequest()
        change(&request)
        return try await service.jobs.listJobs(request, options: service.options())
      }
      let first = try await list { $0.limit = 2 }
      #expect(first.items.map(\.id) == Array(ids[..<2]))
      #expect(first.hasMore)
      let cursor = try #require(first.nextCursor)
      let rest = try await list {
        $0.limit = 2
        $0.cursor = cursor
      }
      #expect(rest.items.map(\.id) == [ids[2]])
      #expect((rest.hasMore, rest.nextCursor) == (false, nil))
      #expect(try await list { $0.skip = 1 }.items.map(\.id) == Array(ids[1...]))
      #expect(try await list { $0.status = .failed }.items.isEmpty)
      let reasons = [
        await refusal { try await list { $0.cursor = "nonsense" } }?.reason,
        await refusal {
          try await list {
            $0.cursor = cursor
            $0.status = .pending
          }
        }?.reason,
        await refusal { try await list { $0.limit = 0 } }?.reason,
        await refusal { try await list { $0.limit = 101 } }?.reason,
        await refusal {
          try await list {
            $0.cursor = cursor
            $0.skip = 1
          }
        }?.reason,
      ]
      #expect(
        reasons == [
          "INVALID_CURSOR", "INVALID_CURSOR", "INVALID_VALUE", "INVALID_VALUE", "INVALID_VALUE",
        ]
      )
    }
  }

  @Test("Limits never print a negative remainder")
  func limits() async throws {
    try await ServiceFixture.run(workers: false) { service in
      let limits = try await service.jobs.getLimits(.init(), options: service.options())
      #expect(limits.planCode == "free")
      #expect((limits.usage?.jobsToday, limits.remaining?.dailyJobs) == (6, 0))
      #expect(limits.remaining?.concurrentJobs == 1)
    }
  }
}
