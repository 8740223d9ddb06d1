internal import HTTPCore
internal import RPC

/// What a call to a service carries beside its message: nothing but what is listed here.
enum CallMetadata {
  /// Fields of a signed webhook are passed on by name; everything else of a client stays outside.
  private static let signatureFields = [
    "stripe-signature", "x-signature", "x-webhook-signature", "x-hub-signature-256",
    "x-shopify-hmac-sha256", "x-shopify-topic", "x-shopify-shop-domain",
  ]

  /// The metadata of one call.
  static func make(
    _ request: AdmittedRequest,
    _ route: Route,
    _ token: VerifiedToken?,
    idempotencyKey: String?,
    lastEventID: String?
  ) -> [(name: String, value: String)] {
    let context = request.context
    var metadata = token?.metadata ?? []
    metadata.reserveCapacity(metadata.count + 6)
    metadata.append(("x-request-id", context.identity.requestID))
    metadata.append(("traceparent", context.identity.traceParent))
    if let state = context.identity.traceState { metadata.append(("tracestate", state)) }
    if let address = context.address {
      metadata.append(("x-oneshot-client-address", address.text))
    }
    if let idempotencyKey { metadata.append(("idempotency-key", idempotencyKey)) }
    if let lastEventID { metadata.append(("last-event-id", lastEventID)) }
    if route.policy.rawBody { appendSignatures(request.head.headers, to: &metadata) }
    return metadata
  }

  private static func appendSignatures(
    _ headers: HTTPHeaders,
    to metadata: inout [(name: String, value: String)]
  ) {
    for name in signatureFields {
      guard let value = headers[name], value.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7F }) else {
        continue
      }
      metadata.append((name, value))
    }
  }
}
