import Foundation
import ObjectStore
import Testing

@testable import EdgeProxy

@Suite("Files through the edge")
struct FileTests {
  private let key = "uploads/u1/f1/me.jpg"

  private func target(_ url: String) throws -> String {
    try String(
      #require(url.range(of: "/files/")).lowerBound.samePosition(in: url).map { url[$0...] } ?? ""
    )
  }

  private func uploadTarget(_ edge: EdgeFixture, maxBytes: Int = 1000) throws -> String {
    try target(
      edge.store.presign(
        .upload(
          key: key,
          contentType: "image/jpeg",
          maxBytes: Int64(maxBytes),
          lifetime: .seconds(60)
        )
      )
    )
  }

  private func downloadTarget(_ edge: EdgeFixture) throws -> String {
    try target(
      edge.store.presign(.download(key: key, contentType: "image/jpeg", lifetime: .seconds(60)))
    )
  }

  private let type = ["content-type": "image/jpeg"]

  @Test("What is put under a link is got under a link, also in part")
  func roundTrip() async throws {
    try await EdgeFixture.run { edge in
      let put = try await edge.send("PUT", uploadTarget(edge), type, body: "0123456789")
      #expect(put.status == 200)
      let link = try downloadTarget(edge)
      let whole = try await edge.send("GET", link)
      #expect((whole.status, whole.body) == (200, "0123456789"))
      #expect(whole.headers["content-type"] == "image/jpeg")
      #expect(whole.headers["accept-ranges"] == "bytes")
      #expect(whole.headers["cross-origin-resource-policy"] == "cross-origin")
      let part = try await edge.send("GET", link, ["range": "bytes=2-4"])
      #expect((part.status, part.body) == (206, "234"))
      #expect(part.headers["content-range"] == "bytes 2-4/10")
      let behind = try await edge.send("GET", link, ["range": "bytes=10-"])
      #expect(behind.status == 416)
      #expect(behind.headers["content-range"] == "bytes */10")
      let head = try await edge.send("HEAD", link)
      #expect((head.status, head.body, head.headers["content-length"]) == (200, "", "10"))
    }
  }

  @Test("A large file goes through in pieces, chunked as well")
  func large() async throws {
    try await EdgeFixture.run { edge in
      let body = String(repeating: "0123456789abcdef", count: 100_000)
      let link = try uploadTarget(edge, maxBytes: 2_000_000)
      #expect(try await edge.send("PUT", link, type, body: body).status == 200)
      #expect(try await edge.send("GET", downloadTarget(edge)).body == body)
      let chunked = try await edge.raw(
        "PUT \(link) HTTP/1.1\r\nhost: x\r\ncontent-type: image/jpeg\r\nconnection: close\r\n"
          + "transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
      )
      #expect(chunked.hasPrefix("HTTP/1.1 200"))
      #expect(try await edge.send("GET", downloadTarget(edge)).body == "hello")
    }
  }

  @Test("The link's size, type, method and signature hold")
  func refusals() async throws {
    try await EdgeFixture.run { edge in
      let link = try uploadTarget(edge, maxBytes: 5)
      #expect(try await edge.send("PUT", link, type, body: "123456").status == 413)
      #expect(
        try await edge.send("PUT", link, ["content-type": "text/html"], body: "12345").status == 415
      )
      #expect(try await edge.send("GET", link).status == 403)
      #expect(try await edge.send("POST", link, type, body: "1").status == 405)
      let forged = link.replacingOccurrences(of: "max=5", with: "max=9")
      #expect(try await edge.send("PUT", forged, type, body: "123456").status == 403)
      #expect(try await edge.send("GET", downloadTarget(edge)).status == 404)
      let chunked = try await edge.raw(
        "PUT \(link) HTTP/1.1\r\nhost: x\r\ncontent-type: image/jpeg\r\n"
          + "transfer-encoding: chunked\r\n\r\n6\r\n123456\r\n0\r\n\r\n"
      )
      #expect(chunked.hasPrefix("HTTP/1.1 413"), "\(chunked.prefix(60))")
      #expect(try await edge.send("GET", downloadTarget(edge)).status == 404)
      for path in ["/files/", "/files/../../etc/passwd", "/files/%2e%2e/x", "/files/a?signature=x"]
      {
        #expect(try await edge.send("GET", path).status >= 400)
      }
    }
  }

  @Test("Nothing is left of an upload that breaks off")
  func brokenOff() async throws {
    try await EdgeFixture.run { edge in
      let link = try uploadTarget(edge)
      _ = try await RawSocket.exchange(
        Array(
          "PUT \(link) HTTP/1.1\r\nhost: x\r\ncontent-type: image/jpeg\r\ncontent-length: 100\r\n\r\nabc"
            .utf8
        ),
        edge.port,
        until: { _ in true }
      )
      // The next request is served after the broken one has been noticed.
      for _ in 0..<100 where try !leftovers(edge).isEmpty {
        _ = try await edge.send("GET", "/healthz")
      }
      #expect(try leftovers(edge).isEmpty)
      #expect(try await edge.send("GET", downloadTarget(edge)).status == 404)
    }
  }

  /// Files with any bytes under the store's folder.
  private func leftovers(_ edge: EdgeFixture) throws -> [String] {
    let all =
      FileManager.default.enumerator(atPath: edge.folder.path)?.allObjects as? [String] ?? []
    return all.filter { name in
      var isFolder: ObjCBool = false
      let path = edge.folder.appendingPathComponent(name).path
      return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
        && !isFolder.boolValue
    }
  }
}
