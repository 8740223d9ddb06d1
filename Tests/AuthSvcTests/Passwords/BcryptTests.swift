import Testing

@testable import AuthSvc

@Suite("bcrypt") struct BcryptTests {
  @Test("A hash matches its password and no other")
  func matches() throws {
    let hash = try #require(Bcrypt.hash(Array("correct horse".utf8), cost: 4))
    #expect(hash.hasPrefix("$2b$04$"))
    #expect(Bcrypt.matches(Array("correct horse".utf8), hash))
    #expect(!Bcrypt.matches(Array("correct hors".utf8), hash))
    #expect(!Bcrypt.matches([0x20], hash))
  }

  @Test("Two hashes of one password differ")
  func salted() throws {
    let password = Array("correct horse".utf8)
    #expect(Bcrypt.hash(password, cost: 4) != Bcrypt.hash(password, cost: 4))
  }

  @Test(
    "Known answers of other implementations hold",
    arguments: [
      ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
      ("U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"),
    ]
  )
  func knownAnswers(password: String, hash: String) {
    #expect(Bcrypt.matches(Array(password.utf8), hash))
  }

  @Test(
    "Other settings never reach the library, which would take them for something else",
    arguments: [
      "", "*0", "zz", "zzJc0ZZ8gEZRw", "$1$abc$def", "$6$salt$hash", "$2b$12$tooshort",
      "$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
    ]
  )
  func onlyBcrypt(stored: String) {
    #expect(!Bcrypt.matches(Array("anything".utf8), stored))
  }
}
