internal import ServiceKit

/// A picture that a request names.
enum InputReference: Sendable, Hashable {
  /// An object of the store, checked to be the user's.
  case object(key: String)
  /// A public address.
  case remote(url: String)
}

/// Reads the addresses of pictures.
struct InputAddressRule: Sendable {
  /// Where our own files are served; addresses below it are objects of the store.
  let publicBaseURL: String

  private static let maxURLBytes = 2_048

  /// Reads `text`, given as the parameter `field` by `user`.
  func reference(_ text: String, field: String, user: UserID) throws(RequestProblem)
    -> InputReference
  {
    guard text.utf8.count <= Self.maxURLBytes, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
    else { throw .invalid(field, "an http or https URL of at most \(Self.maxURLBytes) bytes") }
    let ownPrefix = publicBaseURL + "/files/"
    if text.hasPrefix(ownPrefix) {
      // The signature of a download address says nothing about who may use it as an input.
      let key = String(text.dropFirst(ownPrefix.count).prefix { $0 != "?" && $0 != "#" })
      // Another user's file is as absent as one that never was.
      guard ObjectKey.belongs(key, to: user) else {
        throw .noSuchUpload(field)
      }
      return .object(key: key)
    }
    let lower = text.lowercased()
    guard lower.hasPrefix("http://") || lower.hasPrefix("https://"),
      let host = Self.host(of: text), !host.isEmpty
    else { throw .invalid(field, "an http or https URL") }
    return .remote(url: text)
  }

  /// Host and port; nil with user information, which only serves to deceive.
  private static func host(of url: String) -> Substring? {
    guard let slashes = url.range(of: "://") else { return nil }
    let authority = url[slashes.upperBound...].prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    return authority.contains("@") ? nil : authority
  }
}
