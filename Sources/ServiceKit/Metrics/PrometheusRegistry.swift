package import CoreMetrics
internal import Synchronization

/// Keeps every metric of the process and prints them in Prometheus' text form, version 0.0.4.
///
/// Labels come from code, never from requests; still each metric keeps at most `maxSeries` label
/// sets, and further ones are counted together under the value `other`.
package final class PrometheusRegistry: MetricsFactory {
  private let families = Mutex<[String: Family]>([:])

  /// Label sets of one metric.
  private static let maxSeries = 512

  private enum Kind: String {
    case counter, gauge, histogram
  }

  private struct Family {
    let kind: Kind
    var series: [String: any Sendable & AnyObject] = [:]
  }

  /// Starts empty.
  package init() {}

  // MARK: MetricsFactory

  package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
    series(.counter, label, dimensions) { CounterSeries() }
  }

  package func makeFloatingPointCounter(
    label: String,
    dimensions: [(String, String)]
  ) -> any FloatingPointCounterHandler {
    series(.counter, label, dimensions) { CounterSeries() }
  }

  package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
    series(.gauge, label, dimensions) { GaugeSeries() }
  }

  package func makeRecorder(
    label: String,
    dimensions: [(String, String)],
    aggregate: Bool
  ) -> any RecorderHandler {
    guard aggregate else { return series(.gauge, label, dimensions) { GaugeSeries() } }
    return series(.histogram, label, dimensions) {
      HistogramSeries(bounds: HistogramSeries.sizeBounds)
    }
  }

  package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
    series(.histogram, label, dimensions) {
      HistogramSeries(bounds: HistogramSeries.secondsBounds)
    }
  }

  // A series lives as long as the process, as scrapers expect.
  package func destroyCounter(_ handler: any CounterHandler) {}
  package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) {}
  package func destroyMeter(_ handler: any MeterHandler) {}
  package func destroyRecorder(_ handler: any RecorderHandler) {}
  package func destroyTimer(_ handler: any TimerHandler) {}

  /// Finds or makes the series; one of another kind under the same name is not exported.
  private func series<Series: Sendable & AnyObject>(
    _ kind: Kind,
    _ label: String,
    _ dimensions: [(String, String)],
    _ make: () -> Series
  ) -> Series {
    let name = Self.metricName(label)
    return families.withLock { families in
      var family = families[name] ?? Family(kind: kind)
      guard family.kind == kind else { return make() }
      var labels = Self.labels(dimensions)
      if family.series[labels] == nil, family.series.count >= Self.maxSeries {
        labels = Self.labels(dimensions.map { ($0.0, "other") })
      }
      if let known = family.series[labels] as? Series { return known }
      let new = make()
      family.series[labels] = new
      families[name] = family
      return new
    }
  }

  // MARK: Text

  /// Everything, sorted by name, then by labels.
  package func text() -> String {
    let families = families.withLock { $0 }
    var out = ""
    for (name, family) in families.sorted(by: { $0.key < $1.key }) {
      out += "# TYPE \(name) \(family.kind.rawValue)\n"
      for (labels, series) in family.series.sorted(by: { $0.key < $1.key }) {
        Self.append(&out, name, labels, series)
      }
    }
    return out
  }

  private static func append(
    _ out: inout String,
    _ name: String,
    _ labels: String,
    _ series: any Sendable & AnyObject
  ) {
    let braces = labels.isEmpty ? "" : "{\(labels)}"
    switch series {
    case let counter as CounterSeries: out += "\(name)\(braces) \(number(counter.value))\n"
    case let gauge as GaugeSeries: out += "\(name)\(braces) \(number(gauge.value))\n"
    case let histogram as HistogramSeries: append(&out, name, labels, histogram)
    default: break
    }
  }

  private static func append(
    _ out: inout String,
    _ name: String,
    _ labels: String,
    _ histogram: HistogramSeries
  ) {
    let value = histogram.value
    let lead = labels.isEmpty ? "" : labels + ","
    var total = 0
    for (index, count) in value.counts.enumerated() {
      total += count
      let bound = index < histogram.bounds.count ? number(histogram.bounds[index]) : "+Inf"
      out += "\(name)_bucket{\(lead)le=\"\(bound)\"} \(total)\n"
    }
    let braces = labels.isEmpty ? "" : "{\(labels)}"
    out += "\(name)_sum\(braces) \(number(value.sum))\n\(name)_count\(braces) \(total)\n"
  }

  private static func number(_ value: Double) -> String {
    guard value.rounded() == value, abs(value) < 9_007_199_254_740_992 else { return "\(value)" }
    return String(Int64(value))
  }

  /// `[a-zA-Z_:][a-zA-Z0-9_:]*`; every other byte becomes an underscore.
  private static func metricName(_ label: String) -> String {
    var name = ""
    for (index, byte) in label.utf8.enumerated() {
      switch byte {
      case 0x41...0x5A, 0x61...0x7A, 0x5F, 0x3A: name.unicodeScalars.append(Unicode.Scalar(byte))
      case 0x30...0x39 where index > 0: name.unicodeScalars.append(Unicode.Scalar(byte))
      default: name += "_"
      }
    }
    return name
  }

  private static func labels(_ dimensions: [(String, String)]) -> String {
    dimensions.map { "\(metricName($0.0))=\"\(escaped($0.1))\"" }.joined(separator: ",")
  }

  private static func escaped(_ value: String) -> String {
    var text = ""
    for character in value.prefix(128) {
      switch character {
      case "\\": text += "\\\\"
      case "\"": text += "\\\""
      case "\n": text += "\\n"
      default: text.append(character)
      }
    }
    return text
  }
}
