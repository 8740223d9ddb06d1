internal import OneShotAPI

/// The documentation for people: every operation and every error, from the same tables that route
/// and answer.
enum DocumentationPage {
  private static let style = """
    body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
    table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;
    border-bottom:1px solid #ddd;vertical-align:top}code{font-size:.9em}
    :target{background:#ffc}
    """

  /// The page as HTML.
  static func html(routes: [RouteDescriptor], reasons: [ErrorReasonInfo]) -> [UInt8] {
    var page = """
      <!doctype html><html lang="en"><head><meta charset="utf-8"><title>OneShot API</title>
      <meta name="viewport" content="width=device-width"><style>\(style)</style></head><body>
      <h1>OneShot API</h1>
      <p>The machine-readable description is <a href="/openapi.json">openapi.json</a>. Requests and
      answers are JSON. Errors have the members <code>detail</code>, <code>error_code</code>,
      <code>status</code>, <code>title</code>, <code>type</code> and <code>request_id</code>.</p>
      <h2>Operations</h2>
      <table><tr><th>Operation</th><th>Meaning</th><th>Token</th><th>Limits</th></tr>

      """
    for route in routes { page += row(of: route) }
    page += "</table>\n<h2>Errors</h2>\n"
    page += "<table><tr><th>error_code</th><th>Status</th><th>Meaning</th><th>Remedy</th></tr>\n"
    for reason in reasons where reason.httpStatus > 0 {
      page += """
        <tr id="\(escaped(reason.name))"><td><code>\(escaped(reason.name))</code></td>\
        <td>\(reason.httpStatus)</td><td>\(escaped(reason.title))</td>\
        <td>\(escaped(reason.remedy))</td></tr>

        """
    }
    return Array((page + "</table></body></html>\n").utf8)
  }

  private static func row(of route: RouteDescriptor) -> String {
    let limits = route.policy.rateLimits.joined(separator: ", ")
    return """
      <tr><td><code>\(route.httpMethod) \(escaped(route.path))</code></td>\
      <td>\(escaped(route.policy.summary))</td><td>\(route.policy.auth == .none ? "" : "yes")</td>\
      <td>\(escaped(limits))</td></tr>

      """
  }

  private static func escaped(_ text: String) -> String {
    text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
      .replacing("\"", with: "&quot;")
  }
}
