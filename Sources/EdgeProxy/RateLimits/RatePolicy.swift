/// A named limit on how often something may be asked for.
struct RatePolicy: Sendable, Equatable {
  /// So many requests in each sliding window of so many seconds.
  struct Window: Sendable, Equatable {
    let limit: Int
    let seconds: Int
  }

  /// Whose requests are counted together.
  enum Subject: Sendable, Equatable {
    /// The client's address (IPv6: its /64).
    case address
    /// The signed-in user; the address of an anonymous client.
    case user
    /// The account that the body names in this member, whoever asks.
    case account(member: String)
  }

  /// What holds while Redis does not answer.
  enum Fallback: Sendable, Equatable {
    /// This process counts alone, at the same numbers.
    case local
    /// The request is refused.
    case refuse
  }

  /// One window with the names that belong to it.
  struct Limit: Sendable, Equatable {
    let window: Window
    /// Name in the `RateLimit` headers: the policy's, with the window where there are several.
    let label: String
    /// Beginning of the bucket's key; the subject's name follows.
    let keyPrefix: String
  }

  /// `jobs.create`.
  let name: String
  let subjects: [Subject]
  let fallback: Fallback
  /// All of them hold at once; none: unlimited.
  let limits: [Limit]

  init(name: String, windows: [Window], subjects: [Subject], fallback: Fallback = .local) {
    self.name = name
    self.subjects = subjects
    self.fallback = fallback
    limits = windows.map { window in
      Limit(
        window: window,
        label: windows.count == 1 ? name : "\(name).\(window.seconds)s",
        keyPrefix: "rate:\(name):\(window.seconds):"
      )
    }
  }

  /// The windows alone.
  var windows: [Window] { limits.map(\.window) }
}

/// The policies of the API by name: the defaults, and what the configuration changes.
struct RatePolicies: Sendable {
  private let policies: [String: RatePolicy]

  /// Why an override cannot be used.
  struct Failure: Error, CustomStringConvertible {
    let description: String
  }

  /// The numbers of the public contract.
  static let defaults: [RatePolicy] = [
    RatePolicy(name: "ip.global", windows: [.init(limit: 30, seconds: 60)], subjects: [.address]),
    RatePolicy(
      name: "user.default",
      windows: [.init(limit: 10, seconds: 1), .init(limit: 60, seconds: 60)],
      subjects: [.user]
    ),
    RatePolicy(
      name: "auth.register",
      windows: [.init(limit: 5, seconds: 60)],
      subjects: [.address],
      fallback: .refuse
    ),
    RatePolicy(
      name: "auth.login",
      windows: [.init(limit: 10, seconds: 60)],
      subjects: [.address, .account(member: "email")],
      fallback: .refuse
    ),
    RatePolicy(
      name: "auth.reset",
      windows: [.init(limit: 3, seconds: 3600)],
      subjects: [.address, .account(member: "email")]
    ),
    RatePolicy(name: "upload", windows: [.init(limit: 20, seconds: 60)], subjects: [.user]),
    RatePolicy(name: "jobs.create", windows: [.init(limit: 30, seconds: 60)], subjects: [.user]),
    RatePolicy(name: "tryon.generate", windows: [.init(limit: 5, seconds: 60)], subjects: [.user]),
    RatePolicy(
      name: "video.generate",
      windows: [.init(limit: 10, seconds: 3600)],
      subjects: [.user]
    ),
    RatePolicy(
      name: "subscription.create",
      windows: [.init(limit: 3, seconds: 3600)],
      subjects: [.user]
    ),
    RatePolicy(
      name: "shop.default",
      windows: [.init(limit: 10, seconds: 1), .init(limit: 60, seconds: 60)],
      subjects: [.user]
    ),
  ]

  /// The defaults with `overrides` applied.
  ///
  /// - Parameter overrides: `name=limit/seconds[+limit/seconds]` or `name=off`, separated by commas:
  ///   `user.default=100/1+600/60,ip.global=off`.
  /// - Throws: ``Failure`` naming the part that is wrong.
  init(overrides: String = "") throws(Failure) {
    var policies = Dictionary(uniqueKeysWithValues: Self.defaults.map { ($0.name, $0) })
    for part in overrides.split(separator: ",") {
      let sides = part.split(separator: "=", omittingEmptySubsequences: false).map {
        String($0.trimmingSpaces)
      }
      guard sides.count == 2, let policy = policies[sides[0]] else {
        throw Failure(description: "'\(part)' names no rate policy")
      }
      policies[sides[0]] = RatePolicy(
        name: policy.name,
        windows: try Self.windows(sides[1]),
        subjects: policy.subjects,
        fallback: policy.fallback
      )
    }
    self.policies = policies
  }

  /// The policy of a name.
  subscript(_ name: String) -> RatePolicy? { policies[name] }

  private static func windows(_ text: String) throws(Failure) -> [RatePolicy.Window] {
    if text == "off" { return [] }
    var windows: [RatePolicy.Window] = []
    for part in text.split(separator: "+", omittingEmptySubsequences: false) {
      let numbers = part.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
      guard
        numbers.count == 2, let limit = numbers[0], let seconds = numbers[1],
        (1...1_000_000_000).contains(limit), (1...86_400).contains(seconds)
      else { throw Failure(description: "'\(text)' is not limit/seconds[+limit/seconds] or off") }
      windows.append(RatePolicy.Window(limit: limit, seconds: seconds))
    }
    return windows
  }
}

extension Substring {
  var trimmingSpaces: Substring {
    var rest = self[...]
    while rest.first == " " { rest.removeFirst() }
    while rest.last == " " { rest.removeLast() }
    return rest
  }
}
