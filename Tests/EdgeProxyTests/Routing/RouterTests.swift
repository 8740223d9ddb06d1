import HTTPCore
import Testing

@testable import EdgeProxy

@Suite("Router")
struct RouterTests {
  private func router(_ routes: [(HTTPMethod, String)]) throws -> Router<String> {
    var router = Router<String>()
    for (method, path) in routes {
      try router.add(method, PathTemplate(path), "\(method.rawValue) \(path)")
    }
    return router
  }

  private func standard() throws -> Router<String> {
    try router([
      (.post, "/api/v1/jobs"), (.get, "/api/v1/jobs"), (.get, "/api/v1/jobs/limits"),
      (.get, "/api/v1/jobs/{job_id}"), (.get, "/api/v1/jobs/{job_id}/events"),
      (.post, "/api/v1/jobs/{job_id}/cancel"), (.get, "/files/{key=**}"), (.put, "/files/{key=**}"),
    ])
  }

  private func found(_ method: HTTPMethod, _ path: String) throws -> String? {
    guard case .found(let target, _, _) = try standard().find(method, Array(path.utf8)[...]) else {
      return nil
    }
    return target
  }

  @Test(
    "A literal wins over a capture, and a path without a literal goes to the capture",
    arguments: [
      (HTTPMethod.get, "/api/v1/jobs/limits", "GET /api/v1/jobs/limits"),
      (.get, "/api/v1/jobs/limit", "GET /api/v1/jobs/{job_id}"),
      (.get, "/api/v1/jobs/limits/events", "GET /api/v1/jobs/{job_id}/events"),
      (.post, "/api/v1/jobs/limits/cancel", "POST /api/v1/jobs/{job_id}/cancel"),
      (.post, "/api/v1/jobs", "POST /api/v1/jobs"),
      (.head, "/api/v1/jobs", "GET /api/v1/jobs"),
      (.get, "/files/a/b/c.png", "GET /files/{key=**}"), (.put, "/files/a", "PUT /files/{key=**}"),
    ]
  )
  func matches(method: HTTPMethod, path: String, target: String) throws {
    #expect(try found(method, path) == target)
  }

  @Test(
    "Other spellings of a path are other paths",
    arguments: [
      "/api/v1/jobs/", "/api/v1//jobs", "//api/v1/jobs", "/API/v1/jobs", "/api/v1/jobs/a/events/",
      "/api/v1/%6Aobs", "/api/v1/./jobs", "/api/v1/x/../jobs", "/api/v1/jobs;x", "/", "", "jobs",
      "/api%2Fv1%2Fjobs",
    ]
  )
  func notFound(path: String) throws {
    guard case .notFound = try standard().find(.get, Array(path.utf8)[...]) else {
      Issue.record("\(path) was found")
      return
    }
  }

  @Test("A path for other methods names them")
  func methodNotAllowed() throws {
    guard
      case .methodNotAllowed(let methods) = try standard().find(
        .delete,
        Array("/api/v1/jobs".utf8)[...]
      )
    else {
      Issue.record("the method was allowed")
      return
    }
    #expect(methods == [.get, .head, .post, .options])
  }

  @Test("A deep path is refused without a search")
  func deep() throws {
    let path = Array(String(repeating: "/a", count: 5000).utf8)[...]
    guard case .notFound = try standard().find(.get, path) else {
      Issue.record("a deep path was found")
      return
    }
  }

  @Test("Two routes of one method and path are an error at start")
  func duplicates() {
    #expect(throws: PathTemplate.Failure.self) {
      try router([(.get, "/a/{x}"), (.get, "/a/{y}")])
    }
  }

  @Test(
    "Templates outside the grammar are an error at start",
    arguments: [
      "a", "", "/a/", "/{}", "/{x", "/a/**/b", "/{x=a/**}/b", "/{x}/{x}", "/a:verb", "/{x=}",
      "/a*b",
    ]
  )
  func badTemplates(text: String) {
    #expect(throws: PathTemplate.Failure.self) { try PathTemplate(text) }
  }

  private func capture(_ template: String, _ path: String) throws -> String {
    let template = try PathTemplate(template)
    let segments = Array(path.utf8)[...].dropFirst().split(
      separator: UInt8(ascii: "/"),
      omittingEmptySubsequences: false
    )
    let value = try PathCapture.value(
      of: template.variables[0],
      in: segments,
      template: template
    )
    return String(decoding: value, as: UTF8.self)
  }

  @Test(
    "A captured value is decoded once",
    arguments: [
      ("/a/{x}", "/a/b%20c", "b c"), ("/a/{x}", "/a/%2561", "%61"), ("/a/{x}", "/a/%C3%A9", "é"),
      ("/a/{x}", "/a/b%2Fc", "b/c"), ("/a/{x=**}", "/a/b/c%20d", "b/c d"),
      ("/a/{x=**}", "/a/b%2Fc", "b%2Fc"), ("/a/{x=b/*}", "/a/b/c", "b/c"), ("/a/{x=**}", "/a", ""),
      ("/a/{x}", "/a/b+c", "b+c"),
    ]
  )
  func captures(template: String, path: String, value: String) throws {
    #expect(try capture(template, path) == value)
  }

  @Test(
    "A value with a broken escape is malformed",
    arguments: ["/a/%", "/a/%zz", "/a/%ff", "/a/%C3"]
  )
  func malformed(path: String) {
    #expect(throws: PathCapture.Failure.malformed) { try capture("/a/{x}", path) }
  }

  @Test(
    "A value that nothing of ours can have is impossible",
    arguments: [
      "/a/%00", "/a/..", "/a/%2e%2e", "/a/.", "/a/%0a", "/a/%7F",
    ]
  )
  func impossible(path: String) {
    #expect(throws: PathCapture.Failure.impossible) { try capture("/a/{x}", path) }
  }
}
