package import Logging
internal import Metrics
package import Net

extension TLSContext {
  /// A context that says in log and metrics what became of replaced files.
  ///
  /// A replacement that cannot be used is one error line and one in `tls_reload_failures_total`; the old
  /// certificate stays in use, so look before it expires.
  package static func observed(
    _ configuration: Configuration,
    logger: Logger
  ) throws(NetError) -> TLSContext {
    let file = configuration.certificateFile ?? ""
    return try TLSContext(configuration) { error in
      guard let error else {
        return logger.info("certificate replaced", metadata: ["file": "\(file)"])
      }
      Counter(label: "tls_reload_failures_total").increment()
      logger.error(
        "replaced certificate cannot be used, the old one stays",
        metadata: ["error": "\(error)"]
      )
    }
  }
}
