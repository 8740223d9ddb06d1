/// Sees every call that a channel makes: measures, logs, adds metadata.
package protocol ClientInterceptor: Sendable {
  /// Called before the call is sent.
  func callWillStart(_ method: MethodDescriptor, _ options: inout CallOptions)
  /// Called once when the call has ended.
  func callDidEnd(_ method: MethodDescriptor, error: ServiceError?, duration: Duration)
}

extension ClientInterceptor {
  package func callWillStart(_ method: MethodDescriptor, _ options: inout CallOptions) {}
  package func callDidEnd(_ method: MethodDescriptor, error: ServiceError?, duration: Duration) {}
}
