import Testing

@testable import AuthSvc

@Suite("E-mail address") struct EmailAddressTests {
  @Test(
    "Addresses that mail can be sent to",
    arguments: [
      ("user@example.com", "user@example.com", "user@example.com"),
      (" User@Example.COM ", "User@example.com", "user@example.com"),
      ("a.b+tag@sub.example.co", "a.b+tag@sub.example.co", "a.b+tag@sub.example.co"),
      ("jürgen@example.de", "jürgen@example.de", "jürgen@example.de"),
      ("J\u{75}\u{308}rgen@example.de", "J\u{75}\u{308}rgen@example.de", "jürgen@example.de"),
      ("x@xn--bcher-kva.example", "x@xn--bcher-kva.example", "x@xn--bcher-kva.example"),
    ]
  )
  func accepts(typed: String, text: String, canonical: String) throws {
    let address = try #require(EmailAddress(typed))
    #expect(address.text == text)
    #expect(address.canonical == canonical)
  }

  @Test(
    "What is no address",
    arguments: [
      "", "user", "@example.com", "user@", "user@example", "user@.com", "user@example..com",
      "user@-example.com", "us er@example.com", "user@exa mple.com", "user\r\n@example.com",
      "user@example.com\r\nBcc: other@example.com", ".user@example.com", "us..er@example.com",
      "user.@example.com", "<user@example.com>", "user@[127.0.0.1]", "user@127.0.0.1",
      "a@b@example.com", "user@bücher.example", "us\u{0}er@example.com",
      String(repeating: "a", count: 65) + "@example.com",
      "a@" + String(repeating: "b.", count: 130) + "com",
    ]
  )
  func refuses(typed: String) {
    #expect(EmailAddress(typed) == nil)
  }
}
