import Foundation
import RPC
import Testing

@testable import ServiceKit

@Suite("Service config") struct ServiceConfigTests {
  @Test("gRPC's JSON is read, every field of it that we use")
  func everything() throws {
    let config = try ServiceConfig(
      json: """
        {
          "loadBalancingConfig": [{"grpclb": {}}, {"round_robin": {}}],
          "methodConfig": [
            {
              "name": [
                {"service": "oneshot.jobs.v1.JobService", "method": "GetJob"},
                {"service": "oneshot.auth.v1.AuthService"}
              ],
              "timeout": "2.5s", "waitForReady": true,
              "maxRequestMessageBytes": 4194304, "maxResponseMessageBytes": "1024",
              "retryPolicy": {
                "maxAttempts": 4, "initialBackoff": "0.1s", "maxBackoff": "1s",
                "backoffMultiplier": 2, "retryableStatusCodes": ["UNAVAILABLE", "aborted", 4]
              }
            },
            {
              "name": [{}],
              "hedgingPolicy": {
                "maxAttempts": 3, "hedgingDelay": "0.05s", "nonFatalStatusCodes": ["UNAVAILABLE"]
              }
            }
          ],
          "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1},
          "healthCheckConfig": {"serviceName": "oneshot.jobs.v1.JobService"},
          "somethingNew": {"of": "tomorrow"}
        }
        """
    )
    #expect(config.loadBalancing == .roundRobin)
    #expect(config.healthCheckService == "oneshot.jobs.v1.JobService")
    #expect(config.retryThrottling == RetryThrottling(maxTokens: 100, ratioThousandths: 100))
    #expect(
      Set(config.methods.keys)
        == ["/oneshot.jobs.v1.JobService/GetJob", "/oneshot.auth.v1.AuthService/", "/"]
    )
    let get = try #require(config.methods["/oneshot.jobs.v1.JobService/GetJob"])
    #expect(get == config.methods["/oneshot.auth.v1.AuthService/"])
    #expect(get.timeout == .milliseconds(2_500))
    #expect(get.waitForReady)
    #expect(get.maxRequestMessageBytes == 4_194_304)
    #expect(get.maxResponseMessageBytes == 1_024)
    let retry = RetryPolicy(
      maxAttempts: 4,
      initialBackoff: .milliseconds(100),
      maxBackoff: .seconds(1),
      backoffMultiplier: 2,
      retryableStatusCodes: [.unavailable, .aborted, .deadlineExceeded]
    )
    #expect(get.repetition == .retry(retry))
    let hedging = HedgingPolicy(
      maxAttempts: 3,
      hedgingDelay: .milliseconds(50),
      nonFatalStatusCodes: [.unavailable]
    )
    #expect(config.methods["/"]?.repetition == .hedging(hedging))
    #expect(config.methods["/"]?.waitForReady == false)
  }

  @Test("An empty object asks for nothing")
  func empty() throws {
    let config = try ServiceConfig(json: "{}")
    #expect(config == ServiceConfig())
  }

  @Test("The older name of a policy counts where there is no list")
  func olderPolicy() throws {
    let older = try ServiceConfig(json: #"{"loadBalancingPolicy": "PICK_FIRST"}"#)
    #expect(older.loadBalancing == .pickFirst)
    let both = try ServiceConfig(
      json: #"{"loadBalancingPolicy": "pick_first", "loadBalancingConfig": [{"round_robin": {}}]}"#
    )
    #expect(both.loadBalancing == .roundRobin)
  }

  @Test(
    "Durations are those of proto3 JSON",
    arguments: [("3s", 3_000), ("0.000001s", 0), ("1.02s", 1_020)]
  )
  func durations(text: String, milliseconds: Int) throws {
    let config = try ServiceConfig(
      json: #"{"methodConfig": [{"name": [{}], "timeout": "\#(text)"}]}"#
    )
    let timeout = try #require(config.methods["/"]?.timeout)
    #expect(timeout >= .milliseconds(milliseconds))
    #expect(timeout < .milliseconds(milliseconds + 1))
  }

  /// A method config with one policy, whose members are `text`.
  private static func policy(_ kind: String, _ text: String) -> String {
    #"{"methodConfig": [{"name": [{}], "\#(kind)": {\#(text)}}]}"#
  }

  private static let retry =
    #""initialBackoff": "1s", "maxBackoff": "1s", "backoffMultiplier": 1"#
  private static let codes = #""retryableStatusCodes": ["UNAVAILABLE"]"#

  static let refused: [(String, String)] = [
    ("", "not JSON"),
    ("{", "not JSON"),
    ("[]", "expected object"),
    (#"{"methodConfig": {}}"#, "methodConfig: expected array"),
    (#"{"methodConfig": [{"name": [{"method": "Get"}]}]}"#, "a method needs its service"),
    (#"{"methodConfig": [{"name": [{}]}, {"name": [{}]}]}"#, "methodConfig[1].name[0]: '/' has"),
    (#"{"methodConfig": [{"timeout": "2"}]}"#, "methodConfig[0].timeout: expected a duration"),
    (#"{"methodConfig": [{"timeout": "-1s"}]}"#, "expected a duration"),
    (#"{"methodConfig": [{"timeout": "1.s"}]}"#, "expected a duration"),
    (#"{"methodConfig": [{"timeout": 2}]}"#, "expected string"),
    (#"{"methodConfig": [{"waitForReady": 1}]}"#, "expected true or false"),
    (#"{"methodConfig": [{"maxRequestMessageBytes": -1}]}"#, "expected a whole number of 0…"),
    (policy("retryPolicy", "\(retry), \(codes)"), "retryPolicy: maxAttempts is missing"),
    (policy("retryPolicy", #""maxAttempts": 1, \#(retry), \#(codes)"#), "maxAttempts: expected"),
    (policy("retryPolicy", #""maxAttempts": 2, \#(retry)"#), "retryableStatusCodes is empty"),
    (
      policy("retryPolicy", #""maxAttempts": 2, \#(retry), "retryableStatusCodes": ["GONE"]"#),
      "retryableStatusCodes[0]: unknown status code"
    ),
    (
      policy(
        "retryPolicy",
        #""maxAttempts": 2, "initialBackoff": "0s", "maxBackoff": "1s", "backoffMultiplier": 1, \#(codes)"#
      ),
      "initialBackoff: expected more than no time"
    ),
    (
      policy(
        "retryPolicy",
        #""maxAttempts": 2, "initialBackoff": "1s", "maxBackoff": "1s", "backoffMultiplier": 0, \#(codes)"#
      ),
      "backoffMultiplier: expected a number above zero"
    ),
    (policy("hedgingPolicy", #""maxAttempts": 1"#), "maxAttempts: expected"),
    (
      #"{"methodConfig": [{"retryPolicy": {}, "hedgingPolicy": {}}]}"#,
      "retryPolicy and hedgingPolicy exclude each other"
    ),
    (#"{"retryThrottling": {"maxTokens": 0, "tokenRatio": 1}}"#, "maxTokens: expected"),
    (#"{"retryThrottling": {"maxTokens": 1001, "tokenRatio": 1}}"#, "maxTokens: expected"),
    (#"{"retryThrottling": {"maxTokens": 10, "tokenRatio": 0.0001}}"#, "tokenRatio: expected"),
    (#"{"loadBalancingConfig": [{"grpclb": {}}]}"#, "names no policy that is known"),
    (#"{"loadBalancingConfig": [{"a": {}, "b": {}}]}"#, "expected one policy"),
    (#"{"loadBalancingPolicy": "best"}"#, "unknown policy 'best'"),
    (#"{"healthCheckConfig": {"serviceName": 1}}"#, "expected string"),
  ]

  @Test("A value that breaks its rule refuses the whole config, and says where", arguments: refused)
  func refusals(text: String, problem: String) {
    let error = #expect(throws: ServiceConfigError.self) { try ServiceConfig(json: text) }
    #expect(error?.description.contains(problem) == true, "\(error?.description ?? "")")
  }
}

@Suite("Settings of RPC clients") struct RPCClientSettingsTests {
  private func settings(
    _ environment: [String: String],
    files: [String: String] = [:]
  ) -> (RPCClientSettings, problems: [String]) {
    var reader = ConfigurationReader(keys: RPCClientSettings.keys, environment: environment) {
      guard let text = files[$0] else { throw CocoaError(.fileNoSuchFile) }
      return text
    }
    let settings = RPCClientSettings(&reader)
    return (settings, reader.problems)
  }

  @Test("Without keys peers are kept alive, asked for their health, and retried by their schema")
  func standard() {
    let (settings, problems) = settings([:])
    #expect(problems == [])
    #expect(settings.keepalive == .services)
    #expect(settings.serviceConfig.healthCheckService == "")
    #expect(settings.serviceConfig.methods.isEmpty)
  }

  @Test("Keepalive can be slower, or off")
  func keepalive() {
    #expect(settings(["RPC_KEEPALIVE_SECONDS": "30"]).0.keepalive?.time == .seconds(30))
    #expect(settings(["RPC_KEEPALIVE_SECONDS": "0"]).0.keepalive == nil)
    let patient = settings(["RPC_KEEPALIVE_TIMEOUT_SECONDS": "60"]).0.keepalive
    #expect(patient?.timeout == .seconds(60))
    #expect(patient?.time == .seconds(10))
    #expect(settings(["RPC_KEEPALIVE_TIMEOUT_SECONDS": "0"]).1.count == 1)
  }

  @Test("A service config comes from its file, and keeps the health checks that it does not name")
  func file() {
    let (settings, problems) = settings(
      ["RPC_SERVICE_CONFIG_FILE": "/c.json"],
      files: ["/c.json": #"{"methodConfig": [{"name": [{}], "timeout": "2s"}]}"#]
    )
    #expect(problems == [])
    #expect(settings.serviceConfig.methods["/"]?.timeout == .seconds(2))
    #expect(settings.serviceConfig.healthCheckService == "")
  }

  @Test("A file that is missing or wrong is a problem, named by its key")
  func problems() {
    let missing = settings(["RPC_SERVICE_CONFIG_FILE": "/none"]).problems
    #expect(missing == ["RPC_SERVICE_CONFIG_FILE: cannot read '/none'"])
    let wrong = settings(["RPC_SERVICE_CONFIG_FILE": "/c"], files: ["/c": #"{"methodConfig": 1}"#])
    #expect(wrong.problems == ["RPC_SERVICE_CONFIG_FILE: methodConfig: expected array"])
  }
}
