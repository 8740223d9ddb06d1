import Foundation
import ServiceKit
import Testing

@testable import JobSvc

@Suite("Event hub") struct EventHubTests {
  @Test("The limit counts watchers, also those of one job, and each that ends makes room once")
  func limit() throws {
    let hub = EventHub(maxWatchers: 2)
    let job = JobID(UUID())
    let first = try #require(hub.watch(job))
    let second = try #require(hub.watch(job))
    #expect(hub.watch(job) == nil)
    #expect(hub.watch(JobID(UUID())) == nil)
    first.end()
    first.end()
    let third = try #require(hub.watch(JobID(UUID())))
    #expect(hub.watch(job) == nil)
    second.end()
    third.end()
    #expect(hub.watch(job) != nil)
  }
}
