internal import ArgumentParser
internal import InteropOptions

/// Flags of the soak cases, with the defaults of gRPC's own clients.
struct SoakOptions: ParsableArguments {
  @Option(name: .flags("soak_iterations"), help: "Calls to make.")
  var iterations = 10

  @Option(name: .flags("soak_max_failures"), help: "Iterations that may fail or be too slow.")
  var maxFailures = 0

  @Option(
    name: .flags("soak_per_iteration_max_acceptable_latency_ms"),
    help: "An iteration that takes longer is a failure."
  )
  var maxLatencyMilliseconds: Int64 = 1_000

  @Option(
    name: .flags("soak_overall_timeout_seconds"),
    help: "When to stop; by default as long as all iterations may take."
  )
  var overallTimeoutSeconds: Int64?

  @Option(name: .flags("soak_min_time_ms_between_rpcs"), help: "Least time between two starts.")
  var minTimeBetweenCallsMilliseconds: Int64 = 0

  @Option(name: .flags("soak_request_size"), help: "Payload of each request in bytes.")
  var requestBytes = CaseRunner.requestBytes

  @Option(name: .flags("soak_response_size"), help: "Payload of each response in bytes.")
  var responseBytes = CaseRunner.responseBytes

  var overallTimeout: Duration {
    .seconds(overallTimeoutSeconds ?? Int64(iterations) * maxLatencyMilliseconds / 1_000 + 1)
  }
}
