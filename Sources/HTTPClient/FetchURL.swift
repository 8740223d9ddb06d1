internal import CCurl
internal import HTTPCore

/// An address, parsed by the parser that connects, so that both read it alike.
final class FetchURL {
  /// The handle; lent to a transfer that this object outlives.
  let handle: OpaquePointer
  /// True for https.
  let isTLS: Bool
  /// Host as the library normalised it.
  let host: String
  /// Explicit or usual port.
  let port: UInt16

  /// Longest address; presigned ones run to some hundred bytes.
  static let maximumBytes = 8 * 1024

  private static let flags = UInt32(CURLU_PATH_AS_IS | CURLU_DISALLOW_USER)

  /// Parses an absolute address.
  convenience init(_ text: String) throws(HTTPClientError) {
    // The library forgives one or three slashes; other parsers take those for something else.
    let start = text.utf8.prefix { $0 != UInt8(ascii: ":") }.count
    let rest = text.utf8.dropFirst(start)
    guard rest.starts(with: "://".utf8), rest.dropFirst(3).first != UInt8(ascii: "/") else {
      throw HTTPClientError(.invalidURL, "not absolute")
    }
    guard let handle = curl_url() else { throw HTTPClientError(.invalidURL, "out of memory") }
    try self.init(adopting: handle, text)
  }

  /// Resolves a redirect's target against this address.
  func resolving(_ location: String) throws(HTTPClientError) -> FetchURL {
    guard let copy = curl_url_dup(handle) else {
      throw HTTPClientError(.invalidURL, "out of memory")
    }
    return try FetchURL(adopting: copy, location)
  }

  private init(adopting handle: OpaquePointer, _ text: String) throws(HTTPClientError) {
    do throws(HTTPClientError) {
      try Self.checkText(text)
      let code = curl_url_set(handle, CURLUPART_URL, text, Self.flags)
      guard code == CURLUE_OK else {
        throw HTTPClientError(.invalidURL, String(cString: curl_url_strerror(code)))
      }
      let scheme = Self.part(handle, CURLUPART_SCHEME) ?? ""
      guard scheme == "http" || scheme == "https" else {
        throw HTTPClientError(.invalidURL, "scheme \(scheme)")
      }
      guard let host = Self.part(handle, CURLUPART_HOST), !host.isEmpty, !host.contains("%"),
        Self.part(handle, CURLUPART_USER) == nil, Self.part(handle, CURLUPART_PASSWORD) == nil
      else { throw HTTPClientError(.invalidURL, "host or user information") }
      let number = Self.part(handle, CURLUPART_PORT, UInt32(CURLU_DEFAULT_PORT))
      guard let port = number.flatMap(UInt16.init), port > 0 else {
        throw HTTPClientError(.invalidURL, "port")
      }
      // A fragment is the client's own and never sent.
      _ = curl_url_set(handle, CURLUPART_FRAGMENT, nil, 0)
      isTLS = scheme == "https"
      self.host = host
      self.port = port
      self.handle = handle
    } catch {
      curl_url_cleanup(handle)
      throw error
    }
  }

  deinit {
    curl_url_cleanup(handle)
  }

  /// The whole address.
  var text: String { Self.part(handle, CURLUPART_URL) ?? "" }

  /// True if credentials meant for this address may also be sent to `other`.
  func hasSameOrigin(as other: FetchURL) -> Bool {
    isTLS == other.isTLS && host == other.host && port == other.port
  }

  /// Only visible ASCII: international names come as punycode, so that no other script's digits
  /// or dots are ever mapped to an address behind our back.
  private static func checkText(_ text: String) throws(HTTPClientError) {
    let bytes = text.utf8
    guard
      bytes.count <= maximumBytes,
      bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "\\") })
    else { throw HTTPClientError(.invalidURL, "too long or not visible ASCII") }
  }

  private static func part(
    _ handle: OpaquePointer,
    _ what: CURLUPart,
    _ flags: UInt32 = 0
  ) -> String? {
    var text: UnsafeMutablePointer<CChar>?
    guard curl_url_get(handle, what, &text, flags) == CURLUE_OK, let text else { return nil }
    defer { curl_free(text) }
    return String(cString: text)
  }
}
