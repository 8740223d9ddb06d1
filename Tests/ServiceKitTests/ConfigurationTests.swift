import Foundation
import Testing

@testable import ServiceKit

@Suite("Configuration") struct ConfigurationTests {
  private static let size = ConfigKey("SIZE_MB", "A size.", default: "20")
  private static let secret = ConfigKey("SIGNING_KEY", "A secret.", isSecret: true)
  private static let needed = ConfigKey("NAME", "A name.")
  private static let keys = [size, secret, needed]

  private func reader(
    _ environment: [String: String],
    files: [String: String] = [:]
  ) -> ConfigurationReader {
    ConfigurationReader(keys: Self.keys, environment: environment) { path in
      guard let text = files[path] else { throw CocoaError(.fileNoSuchFile) }
      return text
    }
  }

  @Test("The environment wins over the file, the file over the default")
  func precedence() {
    let files = ["/env": "SIZE_MB=30\nNAME='from file' \n"]
    var first = reader(["ONESHOT_ENV_FILE": "/env", "SIZE_MB": "40"], files: files)
    #expect(first.int(Self.size, in: 1...100) == 40)
    #expect(first.string(Self.needed) == "from file")
    var second = reader([:])
    #expect(second.int(Self.size, in: 1...100) == 20)
  }

  @Test("All problems are named in one run")
  func allProblems() {
    var reader = reader(["SIZE_MB": "many", "ONESHOT_TYPO": "1"])
    _ = reader.int(Self.size, in: 1...100)
    _ = reader.string(Self.secret)
    _ = reader.string(Self.needed)
    #expect(
      reader.problems == [
        "ONESHOT_TYPO: unknown key in the environment",
        "SIZE_MB: expected 1…100, not 'many'",
        "SIGNING_KEY: is required (or SIGNING_KEY_FILE): A secret.",
        "NAME: is required: A name.",
      ]
    )
  }

  @Test("An unknown key of the file is refused, one of the test runner is not")
  func unknownKeys() {
    let files = ["/env": "SIZE_M=30\n"]
    let reader = reader(
      ["ONESHOT_ENV_FILE": "/env", "ONESHOT_TEST_REDIS_URL": "x", "PATH": "/bin"],
      files: files
    )
    #expect(reader.problems == ["SIZE_M: unknown key in the file"])
  }

  @Test("A service knows the common keys that it needs, and the addresses of those it calls")
  func neededKeys() {
    let names = ConfigKey.common(needs: [.redis], peers: [.billing]).map(\.name)
    #expect(names.contains("REDIS_URL") && names.contains("BILLING_TARGET"))
    for other in ["DATABASE_URL", "RPC_LISTEN", "AUTH_TARGET", "JOBS_TARGET", "GPU_TARGET"] {
      #expect(!names.contains(other))
    }
  }

  @Test("Several gateways are refused: each knows its own runs alone")
  func oneGateway() {
    func problems(_ target: String) -> [String] {
      var reader = ConfigurationReader(
        keys: ConfigKey.common,
        environment: ["GPU_TARGET": target, "BILLING_TARGET": "10.0.0.1:1,10.0.0.2:1"]
      )
      let common = CommonConfiguration(&reader, needs: [], peers: [.billing, .gpu])
      #expect(common.targets[.billing]?.count == 2)
      #expect(common.targets[.jobs] == nil)
      return reader.problems.filter { $0.contains("_TARGET") }
    }
    #expect(problems("10.0.0.1:7104") == [])
    #expect(
      problems("10.0.0.1:7104,10.0.0.2:7104") == ["GPU_TARGET: expected one gateway, not 2"]
    )
  }

  @Test("A secret comes from its file without the last newline and is never printed")
  func secretFile() {
    var reader = reader(["SIGNING_KEY_FILE": "/key"], files: ["/key": "hush\n"])
    #expect(reader.string(Self.secret) == "hush")
    #expect(reader.report.map(\.value) == ["<redacted>"])
    #expect(reader.report.map(\.source) == ["secret file"])
  }

  @Test("A secret's wrong value is not repeated in the message")
  func secretProblem() {
    var reader = reader(["SIGNING_KEY": "hush"])
    _ = reader.int(Self.secret, in: 0...1)
    #expect(reader.problems == ["SIGNING_KEY: expected 0…1, not '<redacted>'"])
  }

  @Test("A file that cannot be read is a problem")
  func missingFile() {
    #expect(
      reader(["ONESHOT_ENV_FILE": "/none"]).problems == ["ONESHOT_ENV_FILE: cannot read '/none'"]
    )
  }

  @Test(
    "Lines of the file are read as shells do, without expansion",
    arguments: [
      ("A=1", "1"), ("export A = 1 # note", "1"), ("A=\"a b\\n\"", "a b\n"), ("A='$x'", "$x"),
      ("A=a=b#c", "a=b#c"), ("A=", ""),
    ]
  )
  func fileLines(_ line: String, _ value: String) {
    let parsed = EnvFile.parse("# comment\n\n\(line)\r\n", name: "f")
    #expect(parsed.values == ["A": value])
    #expect(parsed.problems.isEmpty)
  }

  @Test("Lines without a form and keys set twice are named by number")
  func fileProblems() {
    let parsed = EnvFile.parse("novalue\nA=1\nA=2\n1A=3\nB=\"open\n", name: "f")
    #expect(
      parsed.problems == [
        "f line 1: expected KEY=value", "f line 3: A is set twice",
        "f line 4: expected KEY=value", "f line 5: expected KEY=value",
      ]
    )
  }

  @Test("The common keys are required by what a service needs")
  func commonNeeds() {
    let environment = [
      "ADMIN_LISTEN": "127.0.0.1:0", "TLS_CA_FILE": "ca", "TLS_CERT_FILE": "c",
      "TLS_KEY_FILE": "k",
    ]
    var plain = ConfigurationReader(keys: ConfigKey.common, environment: environment)
    _ = CommonConfiguration(&plain, needs: [])
    #expect(plain.problems.isEmpty)
    var full = ConfigurationReader(keys: ConfigKey.common, environment: environment)
    _ = CommonConfiguration(&full, needs: [.postgres, .redis, .rpcServer])
    #expect(full.problems.count == 3)
  }

  @Test("Only a PostgreSQL URL is taken for the database")
  func databaseURL() {
    var reader = ConfigurationReader(
      keys: ConfigKey.common,
      environment: ["DATABASE_URL": "sqlite:///x"]
    )
    _ = CommonConfiguration(&reader, needs: .postgres)
    #expect(reader.problems.contains { $0.hasPrefix("DATABASE_URL: only PostgreSQL") })
  }
}
