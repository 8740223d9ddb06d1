import Testing

@testable import AuthSvc

@Suite("Refresh token") struct RefreshTokenTests {
  @Test("A token is read back as it was written, and its hash is SHA-256")
  func roundTrip() throws {
    let token = RefreshToken()
    #expect(token.text.hasPrefix("osr_"))
    #expect(RefreshToken(token.text) == token)
    #expect(token.hash.count == 32)
    #expect(RefreshToken() != token)
  }

  @Test(
    "What cannot be a token costs no look-up",
    arguments: ["", "osr_", "osr_short", "xyz_" + String(repeating: "a", count: 43)]
  )
  func refuses(text: String) {
    #expect(RefreshToken(text) == nil)
  }
}
