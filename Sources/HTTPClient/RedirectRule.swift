internal import HTTPCore

/// Decides what follows a response: nothing, or another request (RFC 9110 §15.4).
struct RedirectRule {
  let policy: HTTPClientPolicy
  let limits: HTTPClientLimits

  /// The next request and its address; nil if `response` is final.
  func next(
    after response: HTTPResponse,
    to request: HTTPRequest,
    at url: FetchURL,
    followed: Int
  ) throws(HTTPClientError) -> (HTTPRequest, FetchURL)? {
    guard limits.redirects > 0, let location = location(of: response) else { return nil }
    guard followed < limits.redirects else {
      throw HTTPClientError(.tooManyRedirects, "more than \(limits.redirects)")
    }
    let target = try url.resolving(location)
    guard !(policy.keepsTLS && url.isTLS && !target.isTLS) else {
      throw HTTPClientError(.tooManyRedirects, "from https to http")
    }
    var next = request
    if changesToGet(response.status, request.method) {
      next.method = .get
      next.body = nil
      next.headers.remove("content-type")
    }
    if !target.hasSameOrigin(as: url) {
      for name in ["authorization", "cookie", "proxy-authorization"] {
        next.headers.remove(name)
      }
    }
    return (next, target)
  }

  private func location(of response: HTTPResponse) -> String? {
    switch response.status.rawValue {
    case 301, 302, 303, 307, 308: response.headers["location"]
    default: nil
    }
  }

  private func changesToGet(_ status: HTTPStatus, _ method: HTTPMethod) -> Bool {
    switch status.rawValue {
    case 303: method != .head && method != .get
    case 301, 302: method == .post
    default: false
    }
  }
}
