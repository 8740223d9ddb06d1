import Testing

@testable import AuthSvc

@Suite("Password rule") struct PasswordRuleTests {
  private let address = EmailAddress("maria.lopez@example.com")

  @Test(
    "Passwords that are refused, and why",
    arguments: [
      ("short7!", PasswordRule.Weakness.tooShort),
      (String(repeating: "x7", count: 37), .tooLong),
      ("fine until\u{0}here", .unusable),
      ("line\nbreak", .unusable),
      ("password123", .common),
      ("PassWord123", .common),
      ("aaaaaaaaaa", .common),
      ("abcabcabc", .common),
      ("123456789", .common),
      ("hgfedcba", .common),
      ("maria.lopez", .isAddress),
      ("Maria.Lopez@example.com", .isAddress),
    ]
  )
  func refuses(password: String, weakness: PasswordRule.Weakness) {
    #expect(PasswordRule.weakness(of: password, for: address) == weakness)
  }

  @Test(
    "Length decides, not composition",
    arguments: ["correct horse", "ninebytes", "пароль-на-завтра", "🙂🙃🙂🙃🙂🙃🙂🙄", "  spaced out  "]
  )
  func accepts(password: String) {
    #expect(PasswordRule.weakness(of: password, for: address) == nil)
    #expect(PasswordRule.hashed(password) != nil)
  }

  @Test("The same keys on another system give the same password")
  func normalises() {
    #expect(PasswordRule.hashed("cafe\u{301} au lait") == PasswordRule.hashed("café au lait"))
    #expect(PasswordRule.hashed("ｆｕｌｌｗｉｄｔｈ") == Array("fullwidth".utf8))
  }

  @Test("No user has a password that bcrypt would cut")
  func impossible() {
    #expect(PasswordRule.hashed("") == nil)
    #expect(PasswordRule.hashed("with\u{0}nul") == nil)
    #expect(PasswordRule.hashed(String(repeating: "a", count: 73)) == nil)
  }
}
