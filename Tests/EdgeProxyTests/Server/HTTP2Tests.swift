import Foundation
import Testing

@testable import EdgeProxy

/// Runs curl, a foreign HTTP/2 client.
enum Curl {
  struct Failure: Error { let code: Int32 }

  static func run(_ arguments: [String]) async throws -> String {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["curl", "--silent", "--show-error", "--max-time", "20"] + arguments
    let output = Pipe()
    process.standardOutput = output
    process.standardError = output
    return try await withCheckedThrowingContinuation { continuation in
      DispatchQueue.global().async {
        continuation.resume(
          with: Result {
            try process.run()
            let bytes = output.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            return String(decoding: bytes, as: UTF8.self)
          }
        )
      }
    }
  }
}

@Suite("HTTP/2 through the edge")
struct HTTP2Tests {
  private func curl(_ edge: EdgeFixture, _ path: String, _ arguments: [String] = []) async throws
    -> String
  {
    try await Curl.run(
      ["--http2-prior-knowledge", "--include"] + arguments + [
        "http://127.0.0.1:\(edge.port)\(path)"
      ]
    )
  }

  @Test("A request and its body are served as over HTTP/1.1")
  func requests() async throws {
    try await EdgeFixture.run { edge in
      let login = try await curl(
        edge,
        "/api/v1/auth/login",
        ["--json", #"{"email":"a@x.example","password":"right"}"#]
      )
      #expect(login.hasPrefix("HTTP/2 200"))
      #expect(login.contains(#""token_type":"bearer""#))
      let token = try await edge.mint.token()
      let me = try await curl(edge, "/api/v1/auth/me", ["-H", "authorization: Bearer \(token)"])
      #expect(me.contains(edge.mint.user.uuidString.lowercased()))
      let lost = try await curl(edge, "/nothing")
      #expect(lost.hasPrefix("HTTP/2 404"))
      let head = try await curl(edge, "/healthz", ["--head"])
      #expect(head.contains("content-length: "))
    }
  }

  @Test("A body over the limit is refused, declared or not")
  func tooLarge() async throws {
    try await EdgeFixture.run { edge in
      let file = edge.folder.appendingPathComponent("large")
      try Data(repeating: 0x20, count: 200_000).write(to: file)
      let declared = try await curl(
        edge,
        "/api/v1/auth/login",
        ["--json", "@\(file.path)"]
      )
      #expect(declared.hasPrefix("HTTP/2 413"))
      let streamed = try await curl(
        edge,
        "/api/v1/auth/login",
        [
          "-H", "content-type: application/json", "-H", "content-length:", "-X", "POST", "-T",
          file.path,
        ]
      )
      #expect(streamed.contains("413"))
      try FileManager.default.removeItem(at: file)
    }
  }

  @Test("Events stream over HTTP/2")
  func events() async throws {
    try await EdgeFixture.run { edge in
      let token = try await edge.mint.token()
      let text = try await curl(
        edge,
        "/api/v1/jobs/j/events",
        ["-H", "authorization: Bearer \(token)"]
      )
      #expect(text.contains("content-type: text/event-stream"))
      #expect(text.contains("id: 3\nevent: succeeded\n"))
    }
  }

  @Test("Files go up and down over HTTP/2")
  func files() async throws {
    try await EdgeFixture.run { edge in
      let key = "uploads/u/f/big.png"
      let up = try edge.store.presign(
        .upload(key: key, contentType: "image/png", maxBytes: 5_000_000, lifetime: .seconds(60))
      )
      let down = try edge.store.presign(
        .download(key: key, contentType: "image/png", lifetime: .seconds(60))
      )
      let file = edge.folder.deletingLastPathComponent()
        .appendingPathComponent("big-\(UUID().uuidString)")
      let bytes = Data((0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) })
      try bytes.write(to: file)
      defer { try? FileManager.default.removeItem(at: file) }
      let put = try await curl(
        edge,
        up.replacingOccurrences(of: "http://edge.test", with: ""),
        ["-H", "content-type: image/png", "-T", file.path]
      )
      #expect(put.hasPrefix("HTTP/2 200"), "\(put.prefix(300))")
      let copy = file.appendingPathExtension("copy")
      defer { try? FileManager.default.removeItem(at: copy) }
      _ = try await Curl.run([
        "--http2-prior-knowledge", "-o", copy.path,
        "http://127.0.0.1:\(edge.port)"
          + down.replacingOccurrences(of: "http://edge.test", with: ""),
      ])
      #expect(try Data(contentsOf: copy) == bytes)
    }
  }
}
