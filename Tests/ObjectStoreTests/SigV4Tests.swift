import Foundation
import HTTPCore
import Testing

@testable import ObjectStore

@Suite("Signature Version 4") struct SigV4Tests {
  private struct Fixture: Decodable {
    struct Vector: Decodable {
      let method, endpoint, region, bucket, key, url: String
      let content_type: String?
      let expires: Int64
    }

    let unix_seconds: Int64
    let access_key, secret_key: String
    let vectors: [Vector]
  }

  @Test("Presigned addresses equal botocore's for 200 keys of every kind")
  func botocore() throws {
    let file = PythonServer.support.appending(path: "presigned_urls.json")
    let fixture = try JSONDecoder().decode(Fixture.self, from: try Data(contentsOf: file))
    #expect(fixture.vectors.count == 200)
    for vector in fixture.vectors {
      let signer = SigV4(
        region: vector.region,
        accessKey: fixture.access_key,
        secretKey: fixture.secret_key
      )
      let method = try #require(HTTPMethod(rawValue: vector.method))
      var request = SigV4.Request(
        method,
        host: String(vector.endpoint.split(separator: "/")[1]),
        path: "/\(vector.bucket)/\(vector.key)"
      )
      if let type = vector.content_type {
        if method == .put { request.headers = [("content-type", type)] }
        if method == .get { request.query = [("response-content-type", type)] }
      }
      let target = signer.presignedTarget(
        request,
        unixSeconds: fixture.unix_seconds,
        lifetimeSeconds: vector.expires
      )
      #expect(vector.endpoint + target == vector.url, "\(vector.key.debugDescription)")
    }
  }

  @Test("AWS's published example is signed as published")
  func published() {
    let secret = "wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYEXAMPLEKEY"
    let signer = SigV4(region: "us-east-1", accessKey: "AKIAIOSFODNN7EXAMPLE", secretKey: secret)
    let request = SigV4.Request(.get, host: "examplebucket.s3.amazonaws.com", path: "/test.txt")
    let target = signer.presignedTarget(
      request,
      unixSeconds: 1_369_353_600,
      lifetimeSeconds: 86_400
    )
    let signature = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    #expect(target.hasSuffix("&X-Amz-Signature=\(signature)"))
  }

  @Test("The session token of temporary credentials is part of what is signed")
  func sessionToken() {
    let signer = SigV4(region: "r", accessKey: "a", secretKey: "s", sessionToken: "t/+=")
    let request = SigV4.Request(.get, host: "h", path: "/b/k")
    let target = signer.presignedTarget(request, unixSeconds: 0, lifetimeSeconds: 60)
    #expect(target.contains("&X-Amz-Security-Token=t%2F%2B%3D&X-Amz-SignedHeaders=host&"))
    let fields = signer.signedFields(request, bodyHash: SigV4.emptyBodyHash, unixSeconds: 0)
    #expect(fields.contains { $0.name == "x-amz-security-token" })
    #expect(SigV4.hash([]) == SigV4.emptyBodyHash)
  }
}
