internal import ArgumentParser
internal import Foundation
internal import Net
internal import ServiceKit

/// What the tool reads.
///
/// No key is required by all commands.
struct CtlConfiguration: Sendable {
  private static let edge = ConfigKey("EDGE_ADMIN", "Admin address of EdgeProxy.")
  private static let auth = ConfigKey("AUTH_ADMIN", "Admin address of AuthSvc.")
  private static let billing = ConfigKey("BILLING_ADMIN", "Admin address of BillingSvc.")
  private static let jobs = ConfigKey("JOBS_ADMIN", "Admin address of JobSvc.")
  private static let gpu = ConfigKey("GPU_ADMIN", "Admin address of GPUGateway.")

  private static let admins: [(ServiceName, ConfigKey, standard: String)] = [
    (.edge, edge, "127.0.0.1:9080"), (.auth, auth, "127.0.0.1:9101"),
    (.billing, billing, "127.0.0.1:9102"), (.jobs, jobs, "127.0.0.1:9103"),
    (.gpu, gpu, "127.0.0.1:9104"),
  ]

  /// Where each service's probes are.
  let admins: [(service: ServiceName, endpoint: Endpoint)]
  /// URL of a role that may read the schemas of billing and jobs; empty when not given.
  let databaseURL: String

  /// Reads everything, or ends the process with every problem on standard error.
  static func read() throws -> CtlConfiguration {
    let keys = ConfigKey.common + admins.map(\.1)
    var reader = ConfigurationReader(keys: keys)
    let configuration = CtlConfiguration(&reader)
    guard reader.problems.isEmpty else {
      let text = reader.problems.joined(separator: "\n") + "\n"
      FileHandle.standardError.write(Data(text.utf8))
      throw Outcome.badConfiguration
    }
    return configuration
  }

  private init(_ reader: inout ConfigurationReader) {
    var found: [(ServiceName, Endpoint)] = []
    for (service, key, standard) in Self.admins {
      let given = reader.optionalEndpoint(key)
      if let endpoint = given ?? (try? Endpoint(standard)) { found.append((service, endpoint)) }
    }
    admins = found
    databaseURL = reader.optionalString(.databaseURL) ?? ""
  }
}
