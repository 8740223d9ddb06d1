internal import CCurl
internal import EventLoop
internal import HTTPCore

/// One request on its way: owns an easy handle, and what its callbacks read and write.
///
/// Confined to its ``CurlLoop``. The callbacks are thin: they copy bytes, count them, and judge
/// addresses; a refusal is kept in `failure` because the library only knows that it was aborted.
final class Transfer {
  /// What one hop of an execution needs.
  struct Hop {
    var request: HTTPRequest
    var policy: HTTPClientPolicy
    var limits: HTTPClientLimits
    var timeout: Duration
  }

  let id: UInt64
  let easy: UnsafeMutableRawPointer
  let hop: Hop
  /// Called once with the outcome.
  var completion: ((Result<HTTPResponse, HTTPClientError>) -> Void)?

  let url: FetchURL
  private var lists: [UnsafeMutablePointer<curl_slist>] = []
  private let errorText = UnsafeMutablePointer<CChar>.allocate(capacity: Int(CURL_ERROR_SIZE))

  var failure: HTTPClientError?
  var sentBytes = 0
  var headers = HTTPHeaders()
  var headBytes = 0
  var body: [UInt8] = []

  init(
    id: UInt64,
    hop: Hop,
    url: FetchURL,
    configuration: HTTPClientConfiguration
  ) throws(HTTPClientError) {
    guard CurlLibrary.isReady, let easy = curl_easy_init() else {
      errorText.deallocate()
      throw HTTPClientError(.unreachable, "out of memory")
    }
    self.id = id
    self.easy = easy
    self.hop = hop
    self.url = url
    errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    try prepare(configuration)
  }

  deinit {
    curl_easy_cleanup(easy)
    for list in lists {
      curl_slist_free_all(list)
    }
    errorText.deallocate()
  }

  func finish(_ result: Result<HTTPResponse, HTTPClientError>) {
    let completion = completion
    self.completion = nil
    completion?(result)
  }

  /// The outcome after the library is done with the handle.
  func result(_ code: CURLcode) -> Result<HTTPResponse, HTTPClientError> {
    if let failure { return .failure(failure) }
    guard code == CURLE_OK else { return .failure(error(code)) }
    var status = 0
    _ = ccurl_get_long(easy, CURLINFO_RESPONSE_CODE, &status)
    return .success(
      HTTPResponse(
        status: HTTPStatus(rawValue: status),
        headers: headers,
        body: body,
        url: url.text
      )
    )
  }

  private func error(_ code: CURLcode) -> HTTPClientError {
    let detail = String(cString: errorText)
    let text = detail.isEmpty ? String(cString: curl_easy_strerror(code)) : detail
    switch code {
    case CURLE_OPERATION_TIMEDOUT: return HTTPClientError(.timedOut, text)
    case CURLE_FILESIZE_EXCEEDED: return HTTPClientError(.tooLarge, text)
    case CURLE_URL_MALFORMAT: return HTTPClientError(.invalidURL, text)
    default: return HTTPClientError(.unreachable, text)
    }
  }

  // MARK: Options

  private func prepare(_ configuration: HTTPClientConfiguration) throws(HTTPClientError) {
    guard hop.timeout > .zero else { throw HTTPClientError(.timedOut, "deadline") }
    try check(ccurl_set_pointer(easy, CURLOPT_CURLU, UnsafeMutableRawPointer(url.handle)))
    try check(ccurl_set_pointer(easy, CURLOPT_ERRORBUFFER, errorText))
    try prepareConnection(configuration)
    try prepareMethod()
    try prepareFields(configuration)
    try installCallbacks()
  }

  private func prepareConnection(
    _ configuration: HTTPClientConfiguration
  ) throws(HTTPClientError) {
    // "" turns off the proxies that the environment may name.
    try set(CURLOPT_PROXY, "")
    try set(CURLOPT_NOSIGNAL, 1)
    try set(CURLOPT_PROTOCOLS_STR, "http,https")
    try set(CURLOPT_FOLLOWLOCATION, 0)
    try set(CURLOPT_PATH_AS_IS, 1)
    // One request a connection: what is aborted or paused concerns nobody else.
    try set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
    // Without it, giving up waits for a look-up that still runs and blocks the loop.
    try set(CURLOPT_QUICK_EXIT, 1)
    try set(CURLOPT_TIMEOUT_MS, milliseconds(hop.timeout))
    try set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(min(hop.limits.connect, hop.timeout)))
    try check(
      ccurl_set_offset(
        easy,
        CURLOPT_MAXFILESIZE_LARGE,
        curl_off_t(max(1, hop.limits.responseBytes))
      )
    )
    if let file = configuration.caFile { try set(CURLOPT_CAINFO, file) }
    if let addresses = configuration.hostOverrides[url.host] {
      let entry = "\(url.host):\(url.port):\(addresses.joined(separator: ","))"
      try set(CURLOPT_RESOLVE, list: [entry])
    }
  }

  private func prepareMethod() throws(HTTPClientError) {
    let request = hop.request
    switch request.method {
    case .head:
      try set(CURLOPT_NOBODY, 1)
    case .post, .put, .patch:
      try prepareBody(request.body?.count ?? 0)
    case .get, .delete, .options:
      if let body = request.body { try prepareBody(body.count) }
    }
    if request.method != .head {
      try set(CURLOPT_CUSTOMREQUEST, request.method.rawValue)
    }
  }

  private func prepareBody(_ count: Int) throws(HTTPClientError) {
    try set(CURLOPT_UPLOAD, 1)
    try check(ccurl_set_offset(easy, CURLOPT_INFILESIZE_LARGE, curl_off_t(count)))
  }

  private static let ownFields: Set<String> = [
    "host", "content-length", "transfer-encoding", "connection", "expect", "te", "upgrade",
  ]

  private func prepareFields(_ configuration: HTTPClientConfiguration) throws(HTTPClientError) {
    // A name without a value removes what the library would add by itself.
    var lines = ["Expect:"]
    for field in hop.request.headers {
      guard
        !field.name.isEmpty, field.name.utf8.allSatisfy(ASCII.isToken),
        !Self.ownFields.contains(field.name),
        field.value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == ASCII.tab })
      else { throw HTTPClientError(.invalidRequest, "field \(field.name.debugDescription)") }
      lines.append(field.value.isEmpty ? "\(field.name);" : "\(field.name): \(field.value)")
    }
    if !hop.request.headers.contains("user-agent") {
      try set(CURLOPT_USERAGENT, configuration.userAgent)
    }
    try set(CURLOPT_HTTPHEADER, list: lines)
  }

  private func set(_ option: CURLoption, _ value: Int) throws(HTTPClientError) {
    try check(ccurl_set_long(easy, option, value))
  }

  private func set(_ option: CURLoption, _ value: String) throws(HTTPClientError) {
    try check(ccurl_set_string(easy, option, value))
  }

  private func set(_ option: CURLoption, list lines: [String]) throws(HTTPClientError) {
    var list: UnsafeMutablePointer<curl_slist>?
    for line in lines {
      guard let longer = curl_slist_append(list, line) else {
        curl_slist_free_all(list)
        throw HTTPClientError(.unreachable, "out of memory")
      }
      list = longer
    }
    guard let list else { return }
    lists.append(list)
    try check(ccurl_set_pointer(easy, option, list))
  }

  func check(_ code: CURLcode) throws(HTTPClientError) {
    guard code == CURLE_OK else {
      throw HTTPClientError(.invalidRequest, String(cString: curl_easy_strerror(code)))
    }
  }

  private func milliseconds(_ duration: Duration) -> Int {
    Int(clamping: max(1, min(duration.wholeMilliseconds, UInt64(Int32.max))))
  }
}
