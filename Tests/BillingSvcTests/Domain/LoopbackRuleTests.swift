import Testing

@testable import BillingSvc

@Suite("Loopback") struct LoopbackRuleTests {
  @Test(
    "Addresses of this machine",
    arguments: [
      "127.0.0.1", "127.0.0.1:5000", "127.1.2.3", "::1", "[::1]", "[::1]:5000",
      "::ffff:127.0.0.1", "[::ffff:127.0.0.1]:80",
    ]
  )
  func own(address: String) {
    #expect(LoopbackRule.isLoopback(address))
  }

  @Test(
    "Addresses of others, and what is no address",
    arguments: [
      "10.0.0.1", "128.0.0.1", "127.0.0.1.example.com", "127.0.0", "::2", "::ffff:10.0.0.1",
      "localhost", "", "127.0.0.256", "fe80::1",
    ]
  )
  func others(address: String) {
    #expect(!LoopbackRule.isLoopback(address))
  }

  @Test("No address is nobody's")
  func none() {
    #expect(!LoopbackRule.isLoopback(nil))
  }
}
