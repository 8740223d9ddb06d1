package import Protobuf
package import RPC

/// One HTTP binding of an RPC, as the proto file declares it.
package struct RouteDescriptor: Sendable {
  /// `POST`, or the kind of a custom pattern.
  package let httpMethod: String
  /// The template, `/api/v1/jobs/{id}`.
  package let path: String
  /// Where the JSON body goes: empty for none, `*` for the whole request, or a field's name.
  package let body: String
  /// The field of the reply that is printed; empty for all of it.
  package let responseBody: String
  package let method: MethodDescriptor
  package let request: MessageInfo
  package let response: MessageInfo
  package let policy: EdgePolicy

  package init(
    httpMethod: String,
    path: String,
    body: String,
    responseBody: String,
    method: MethodDescriptor,
    request: MessageInfo,
    response: MessageInfo,
    policy: EdgePolicy
  ) {
    self.httpMethod = httpMethod
    self.path = path
    self.body = body
    self.responseBody = responseBody
    self.method = method
    self.request = request
    self.response = response
    self.policy = policy
  }
}

/// What the edge does around a public operation (`oneshot.options.v1.edge`).
package struct EdgePolicy: Sendable {
  package let auth: EdgeAuth
  /// Names of the rate policies; all are evaluated.
  package let rateLimits: [String]
  package let idempotency: EdgeIdempotency
  /// 0: the edge's default.
  package let maxBodyBytes: Int
  /// The untouched body and headers go to the service.
  package let rawBody: Bool
  package let stream: EdgeStream
  /// 0: 200.
  package let successStatus: Int
  /// The facade whose conventions apply; empty: canonical.
  package let dialect: String
  /// Exists only in development.
  package let developmentOnly: Bool
  /// One line for people.
  package let summary: String

  package init(
    auth: EdgeAuth,
    rateLimits: [String] = [],
    idempotency: EdgeIdempotency = .none,
    maxBodyBytes: Int = 0,
    rawBody: Bool = false,
    stream: EdgeStream = .none,
    successStatus: Int = 0,
    dialect: String = "",
    developmentOnly: Bool = false,
    summary: String = ""
  ) {
    self.auth = auth
    self.rateLimits = rateLimits
    self.idempotency = idempotency
    self.maxBodyBytes = maxBodyBytes
    self.rawBody = rawBody
    self.stream = stream
    self.successStatus = successStatus
    self.dialect = dialect
    self.developmentOnly = developmentOnly
    self.summary = summary
  }
}

/// The credential that an operation needs.
package enum EdgeAuth: Sendable, Hashable {
  case none, user, shop, service, admin
}

/// Whether an operation takes an `Idempotency-Key`.
package enum EdgeIdempotency: Sendable, Hashable {
  case none, optional, required
}

/// How a server stream is written to an HTTP client.
package enum EdgeStream: Sendable, Hashable {
  case none, sse, ndjson, bytes
}

/// One `error_code` of the public API.
package struct ErrorReasonInfo: Sendable {
  /// `DAILY_LIMIT_EXCEEDED`.
  package let name: String
  package let httpStatus: Int
  /// The constant `title` of the problem.
  package let title: String
  /// What the caller can do about it.
  package let remedy: String

  package init(name: String, httpStatus: Int, title: String, remedy: String) {
    self.name = name
    self.httpStatus = httpStatus
    self.title = title
    self.remedy = remedy
  }
}
