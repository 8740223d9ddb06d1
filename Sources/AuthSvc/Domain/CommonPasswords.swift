/// Passwords of eight and more characters that guessing programs try first.
///
/// Shorter ones need no entry, since the length rule refuses them. Beside the list, every password
/// that is one short piece repeated, or a run of neighbouring characters, counts as common.
enum CommonPasswords {
  /// Whether a lower-cased password is one of them.
  static func contains(_ folded: String) -> Bool {
    known.contains(folded) || isRepetition(folded) || isRun(folded)
  }

  /// `abcabcabc`, `aaaaaaaa`, `12121212`.
  private static func isRepetition(_ text: String) -> Bool {
    let characters = Array(text)
    return (1...3).contains { length in
      characters.count > length
        && characters.indices.allSatisfy { characters[$0] == characters[$0 % length] }
    }
  }

  /// `12345678`, `87654321`, `abcdefgh`.
  private static func isRun(_ text: String) -> Bool {
    let values = text.unicodeScalars.map { Int($0.value) }
    let steps = zip(values, values.dropFirst()).map { $1 - $0 }
    return steps.allSatisfy { $0 == 1 } || steps.allSatisfy { $0 == -1 }
  }

  private static let known: Set<String> = [
    "password", "password1", "password12", "password123", "password1234", "password!",
    "passw0rd", "p@ssword", "p@ssw0rd", "passwort", "passwords", "mypassword", "newpassword",
    "yourpassword", "thepassword", "password2", "password0", "password01", "password99",
    "1234567890", "0123456789", "123456789a", "12345678a", "a12345678", "123456789q",
    "1234567891", "1q2w3e4r", "1q2w3e4r5t", "q1w2e3r4", "q1w2e3r4t5", "1qaz2wsx", "1qaz2wsx3edc",
    "zaq12wsx", "qazwsxedc", "qwertyui", "qwertyuiop", "qwerty12", "qwerty123", "qwerty1234",
    "qwer1234", "asdf1234", "asdfghjk", "asdfghjkl", "zxcvbnm1", "zxcvbnm123", "abcd1234",
    "abc12345", "abc123456", "aa123456", "aa12345678", "a1234567", "a123456789", "q1234567",
    "iloveyou", "iloveyou1", "iloveyou2", "loveyou1", "lovelove", "princess", "princess1",
    "sunshine", "sunshine1", "football", "football1", "baseball", "baseball1", "basketball",
    "superman", "superman1", "batman123", "spiderman", "starwars", "pokemon1", "pokemon123",
    "trustno1", "whatever", "whatever1", "welcome1", "welcome12", "welcome123", "letmein1",
    "letmein123", "changeme", "changeme1", "changeme123", "default1", "computer", "computer1",
    "internet", "michelle", "jennifer", "jonathan", "elizabeth", "alexander", "charlie1",
    "jordan23", "michael1", "samantha", "victoria", "veronica", "chocolate", "butterfly",
    "liverpool", "liverpool1", "chelsea1", "arsenal1", "barcelona", "manchester", "midnight",
    "mercedes", "corvette", "mustang1", "maverick", "dragon123", "monkey123", "shadow123",
    "master123", "killer123", "hello123", "hello1234", "test1234", "testtest", "testing1",
    "testing123", "admin123", "admin1234", "administrator", "root1234", "toor1234", "guest123",
    "user1234", "login123", "access14", "access123", "secret123", "security", "security1",
    "qwertyuiop123", "asdfasdf", "asdasdasd", "zxcvzxcv", "poiuytrewq", "lkjhgfdsa", "mnbvcxz1",
    "1a2b3c4d", "a1b2c3d4", "q2w3e4r5", "11223344", "1122334455", "112233445566", "12344321",
    "123454321", "1234554321", "123321123", "147258369", "741852963", "159357159", "987654321a",
    "789456123", "456789123", "123654789", "321654987", "12341234", "20202020", "19921992",
    "google123", "facebook", "facebook1", "instagram", "samsung1", "samsung123", "iphone123",
    "oneshot1", "oneshot12", "oneshot123", "oneshot1234",
  ]
}
