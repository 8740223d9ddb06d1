internal import ArgumentParser
internal import EventLoop
internal import Foundation
internal import HTTPClient
internal import HTTPCore
internal import Net
internal import ServiceKit

/// `oneshot status`: asks every service whether it is ready.
struct Status: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows whether each service and what it depends on is ready."
  )

  func run() async throws {
    let configuration = try CtlConfiguration.read()
    let group = try EventLoopGroup(count: 1)
    let client = HTTPClient(group: group)
    let reports = await withTaskGroup(of: (Int, ServiceReport).self) { tasks in
      for (position, admin) in configuration.admins.enumerated() {
        tasks.addTask {
          (position, await ServiceReport.read(admin.service, at: admin.endpoint, with: client))
        }
      }
      return await tasks.reduce(into: []) { $0.append($1) }.sorted { $0.0 < $1.0 }.map(\.1)
    }
    await client.shutdown()
    print(ServiceReport.table(reports))
    if !reports.allSatisfy(\.isReady) { throw Outcome.wrong }
  }
}

/// What one service says about itself.
struct ServiceReport: Sendable {
  let service: String
  let isReady: Bool
  /// `database 1.2 ms`, or what is wrong.
  let details: [String]

  private static let timeout: Duration = .seconds(5)

  /// The answer of `/readyz`.
  private struct Answer: Decodable {
    struct Entry: Decodable {
      let healthy: Bool
      let duration_ms: Double
      let details: [String: String]
    }

    let healthy: Bool
    let services: [String: Entry]
  }

  /// Asks one service.
  static func read(
    _ service: ServiceName,
    at endpoint: Endpoint,
    with client: HTTPClient
  ) async -> ServiceReport {
    let request = HTTPRequest(.get, "http://\(endpoint)/readyz")
    do {
      let response = try await client.execute(
        request,
        policy: .trusted,
        limits: HTTPClientLimits(deadline: timeout)
      )
      return ServiceReport(service.rawValue, body: response.body)
    } catch {
      return ServiceReport(
        service: service.rawValue,
        isReady: false,
        details: ["does not answer at \(endpoint)"]
      )
    }
  }

  /// Reads the body of `/readyz`.
  init(_ service: String, body: [UInt8]) {
    guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(body)) else {
      self.init(service: service, isReady: false, details: ["answers something else"])
      return
    }
    let details = answer.services.sorted { $0.key < $1.key }.map { name, entry in
      entry.healthy
        ? "\(name) \(String(format: "%.1f", entry.duration_ms)) ms"
        : "\(name): \(entry.details["error"] ?? entry.details["phase"] ?? "failing")"
    }
    self.init(service: service, isReady: answer.healthy, details: details)
  }

  init(service: String, isReady: Bool, details: [String]) {
    self.service = service
    self.isReady = isReady
    self.details = details
  }

  /// A line a service.
  static func table(_ reports: [ServiceReport]) -> String {
    let width = reports.map(\.service.count).max() ?? 0
    return reports.map { report in
      let name = report.service.padding(toLength: width, withPad: " ", startingAt: 0)
      let state = report.isReady ? "ready    " : "NOT READY"
      return "\(name)  \(state)  \(report.details.joined(separator: ", "))"
    }.joined(separator: "\n")
  }
}
