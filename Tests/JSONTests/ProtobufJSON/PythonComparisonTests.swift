import Foundation
import ProtobufJSON
import Testing

@Suite("The standard JSON form beside the Python implementation's")
struct PythonComparisonTests {
  private func object(_ json: String) throws -> NSObject {
    let value = try JSONSerialization.jsonObject(
      with: Data(json.utf8),
      options: [.fragmentsAllowed]
    )
    return try #require(value as? NSObject)
  }

  private func bytes(_ hex: String) -> [UInt8] {
    stride(from: 0, to: hex.utf8.count, by: 2).compactMap { index in
      let start = hex.index(hex.startIndex, offsetBy: index)
      return UInt8(hex[start..<hex.index(start, offsetBy: 2)], radix: 16)
    }
  }

  @Test("Every random message prints alike and is read back as it was")
  func vectors() throws {
    let fixture = try TranscodingFixture()
    #expect(pythonJSONVectors.count > 90)
    for (type, hex, json) in pythonJSONVectors {
      let printed = try fixture.print(type, bytes(hex))
      #expect(try object(printed) == object(json), "\(type) \(hex)")
      let read = try fixture.bytes(type, json)
      #expect(try fixture.print(type, read) == printed, "\(type) \(hex)")
    }
  }
}
