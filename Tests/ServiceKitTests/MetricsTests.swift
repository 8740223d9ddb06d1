import CoreMetrics
import RPC
import Testing

@testable import ServiceKit

@Suite("Metrics") struct MetricsTests {
  @Test("Counters, gauges and histograms are printed in Prometheus' text form")
  func exposition() {
    let registry = PrometheusRegistry()
    registry.makeCounter(label: "jobs_total", dimensions: [("status", "ok\"\\\n")]).increment(by: 2)
    registry.makeMeter(label: "queue.depth", dimensions: []).set(3.5)
    let timer = registry.makeTimer(label: "wait_seconds", dimensions: [("queue", "a")])
    timer.recordNanoseconds(2_000_000)
    timer.recordNanoseconds(600_000_000_000)
    let lines = Set(registry.text().split(separator: "\n").map(String.init))
    let expected = [
      "# TYPE jobs_total counter", "jobs_total{status=\"ok\\\"\\\\\\n\"} 2",
      "# TYPE queue_depth gauge", "queue_depth 3.5", "# TYPE wait_seconds histogram",
      "wait_seconds_bucket{queue=\"a\",le=\"0.001\"} 0",
      "wait_seconds_bucket{queue=\"a\",le=\"0.0025\"} 1",
      "wait_seconds_bucket{queue=\"a\",le=\"120\"} 1",
      "wait_seconds_bucket{queue=\"a\",le=\"+Inf\"} 2", "wait_seconds_sum{queue=\"a\"} 600.002",
      "wait_seconds_count{queue=\"a\"} 2",
    ]
    for line in expected { #expect(lines.contains(line), "missing: \(line)") }
  }

  @Test("The same name and labels are one series")
  func sharing() {
    let registry = PrometheusRegistry()
    for _ in 0..<3 { registry.makeCounter(label: "n", dimensions: [("a", "b")]).increment(by: 1) }
    #expect(registry.text().contains("n{a=\"b\"} 3\n"))
  }

  @Test("Beyond the limit label sets are counted together")
  func boundedLabels() {
    let registry = PrometheusRegistry()
    for index in 0..<600 {
      registry.makeCounter(label: "n", dimensions: [("id", "\(index)")]).increment(by: 1)
    }
    #expect(registry.text().contains("n{id=\"other\"} 88\n"))
  }

  @Test("A name already used for another kind is not exported twice")
  func kindClash() {
    let registry = PrometheusRegistry()
    registry.makeCounter(label: "n", dimensions: []).increment(by: 1)
    registry.makeMeter(label: "n", dimensions: []).set(7.0)
    #expect(registry.text() == "# TYPE n counter\nn 1\n")
  }

  @Test("The process reports its processor time, memory and descriptors")
  func process() {
    let text = ProcessMetrics.text()
    for name in ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"] {
      #expect(text.contains("\n\(name) "), "missing: \(name)")
    }
  }
}

@Suite("Attempt metrics of a service") struct ClientAttemptMetricsTests {
  @Test("Attempts are printed by target, method and kind, withheld ones by reason")
  func exposition() {
    let registry = PrometheusRegistry()
    let method = MethodDescriptor(
      service: "oneshot.jobs.v1.JobService",
      method: "GetJob",
      kind: .unary,
      allowedCallers: [],
      noSideEffects: true,
      defaultTimeoutMilliseconds: 0,
      requestType: "bytes",
      responseType: "bytes"
    )
    let metrics = ClientAttemptMetrics(target: "jobs", factory: registry)
    // Each loop asks for its own: they count together.
    for _ in 0..<2 {
      let counters = metrics.counters(of: method)
      counters.attemptStarted(.first)
      counters.attemptStarted(.retry)
      counters.attemptWithheld(.throttled)
    }
    metrics.counters(of: method).attemptStarted(.transparentRetry)
    let labels = "target=\"jobs\",service=\"oneshot.jobs.v1.JobService\",method=\"GetJob\""
    let lines = registry.text().split(separator: "\n").map(String.init)
    #expect(
      lines == [
        "# TYPE rpc_client_attempts_total counter",
        "rpc_client_attempts_total{\(labels),kind=\"first\"} 2",
        "rpc_client_attempts_total{\(labels),kind=\"retry\"} 2",
        "rpc_client_attempts_total{\(labels),kind=\"transparent_retry\"} 1",
        "# TYPE rpc_client_attempts_withheld_total counter",
        "rpc_client_attempts_withheld_total{\(labels),reason=\"throttled\"} 2",
      ]
    )
  }
}
