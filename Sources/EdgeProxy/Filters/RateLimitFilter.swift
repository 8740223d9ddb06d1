internal import Crypto
internal import JSON
internal import RPC

/// Finds the buckets that limit a request.
enum RateLimitFilter {
  /// The buckets of `policies` for this client, principal and body.
  ///
  /// `account` reads a member of the body, for limits that count by account.
  static func buckets(
    _ policies: [RatePolicy],
    address: IPAddress?,
    token: VerifiedToken?,
    account: (String) -> String?
  ) -> [RateBucket] {
    var buckets: [RateBucket] = []
    for policy in policies {
      for subject in policy.subjects {
        guard let name = self.name(of: subject, address, token, account) else { continue }
        for limit in policy.limits {
          let key = limit.keyPrefix + name
          buckets.append(RateBucket(key: key, policy: limit.label, window: limit.window))
        }
      }
    }
    return buckets
  }

  private static func name(
    of subject: RatePolicy.Subject,
    _ address: IPAddress?,
    _ token: VerifiedToken?,
    _ account: (String) -> String?
  ) -> String? {
    let place = "a:" + (address?.limitKey ?? "local")
    switch subject {
    case .address: return place
    case .user:
      guard let token else { return place }
      return "u:" + token.principal.userID.uuidString
    case .account(let member):
      // Hashed, so that no e-mail address stands in Redis or in a log of it.
      return account(member).map { value in
        let digest = SHA256.hash(data: Array(value.lowercased().utf8))
        return "n:" + digest.prefix(16).map { String($0, radix: 16) }.joined(separator: ".")
      }
    }
  }

  /// Reads a text member of a JSON body, without regard to anything else in it.
  static func member(_ name: String, of body: [UInt8], _ parser: JSONParser) -> String? {
    var text = body
    let value = try? parser.parse(&text) { root -> String? in
      guard let member = root.member(name), member.kind == .string else { return nil }
      return member.string
    }
    return value ?? nil
  }
}
