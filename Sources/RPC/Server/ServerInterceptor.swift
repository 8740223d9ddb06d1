/// Sees every call of a server: authorises, measures, logs.
///
/// Hooks are synchronous and run on the call's loop, so that they cost the hot path next to nothing.
package protocol ServerInterceptor: Sendable {
  /// Called before the handler; an error refuses the call.
  func callWillStart(_ context: ServerContext) throws(ServiceError)
  /// Called once for each call that reached `callWillStart`, whatever became of it.
  func callDidEnd(_ context: ServerContext, error: ServiceError?, duration: Duration)
}

extension ServerInterceptor {
  package func callWillStart(_ context: ServerContext) throws(ServiceError) {}
  package func callDidEnd(_ context: ServerContext, error: ServiceError?, duration: Duration) {}
}
