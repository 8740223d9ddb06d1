import EventLoop
import Foundation
import FoundationNetworking
import Net
import Testing

@testable import ServiceKit

@Suite("Admin server") struct AdminServerTests {
  private struct Broken: Error {}

  private struct Fixture {
    let group: EventLoopGroup
    let readiness = Readiness(clock: ManualWallClock())
    let server: AdminServer

    init() async throws {
      group = try EventLoopGroup(count: 1)
      let registry = PrometheusRegistry()
      registry.makeCounter(label: "n", dimensions: []).increment(by: 1)
      let routes = AdminRoutes(
        service: "jobs",
        readiness: readiness,
        metrics: registry,
        group: group
      )
      server = try await AdminServer.start(
        on: Endpoint("127.0.0.1:0"),
        group: group,
        routes: routes
      )
    }

    func get(_ path: String, method: String = "GET") async throws -> (status: Int, body: Data) {
      let url = try #require(URL(string: "http://\(server.address)\(path)"))
      var request = URLRequest(url: url)
      request.httpMethod = method
      let (data, response) = try await URLSession.shared.data(for: request)
      return ((response as? HTTPURLResponse)?.statusCode ?? 0, data)
    }

    func ready() async throws -> (status: Int, services: [String: [String: Any]]) {
      let (status, body) = try await get("/readyz")
      let object = try JSONSerialization.jsonObject(with: body) as? [String: Any]
      return (status, try #require(object?["services"] as? [String: [String: Any]]))
    }
  }

  @Test("Live at once, ready only between start and drain")
  func phases() async throws {
    let fixture = try await Fixture()
    #expect(try await fixture.get("/healthz").status == 200)
    #expect(try await fixture.get("/readyz").status == 503)
    fixture.readiness.didStart(checks: [
      HealthCheck("database") { ["connection": "ok"] }
    ])
    let ready = try await fixture.ready()
    #expect(ready.status == 200)
    #expect(ready.services["database"]?["healthy"] as? Bool == true)
    #expect(ready.services["database"]?["duration_ms"] is Double)
    #expect(ready.services["database"]?["details"] as? [String: String] == ["connection": "ok"])
    fixture.readiness.willDrain()
    #expect(try await fixture.get("/readyz").status == 503)
  }

  @Test("One failing dependency makes the service not ready and is named")
  func failure() async throws {
    let fixture = try await Fixture()
    fixture.readiness.didStart(checks: [
      HealthCheck("redis") { throw Broken() }, HealthCheck("database") { [:] },
    ])
    let ready = try await fixture.ready()
    #expect(ready.status == 503)
    #expect(ready.services["redis"]?["healthy"] as? Bool == false)
    #expect(ready.services["database"]?["healthy"] as? Bool == true)
  }

  @Test("A service that is called and is down is reported, and the caller stays ready")
  func peer() async throws {
    let fixture = try await Fixture()
    fixture.readiness.didStart(checks: [
      HealthCheck("billing", isRequired: false) { throw Broken() }, HealthCheck("database") { [:] },
    ])
    let ready = try await fixture.ready()
    #expect(ready.status == 200)
    #expect(ready.services["billing"]?["healthy"] as? Bool == false)
    #expect(ready.services["billing"]?["required"] as? Bool == false)
    #expect(ready.services["billing"]?["duration_ms"] is Double)
    #expect(ready.services["database"]?["required"] as? Bool == true)
  }

  @Test("Metrics are served, unknown paths and methods refused")
  func routes() async throws {
    let fixture = try await Fixture()
    let metrics = try await fixture.get("/metrics")
    #expect(String(decoding: metrics.body, as: UTF8.self).contains("# TYPE n counter\nn 1\n"))
    #expect(try await fixture.get("/other").status == 404)
    #expect(try await fixture.get("/metrics", method: "POST").status == 405)
  }
}
