internal import Foundation

/// Figures of the process under the names that Prometheus' own clients use.
enum ProcessMetrics {
  private static let ticksPerSecond = 100.0
  private static let pageBytes = 4096

  /// Reads `/proc/self`; blocks for microseconds, and belongs on the thread pool all the same.
  static func text() -> String {
    var out = ""
    if let stat = stat() {
      gauge(&out, "process_cpu_seconds_total", "counter", "\(stat.cpuSeconds)")
      gauge(&out, "process_resident_memory_bytes", "gauge", "\(stat.residentBytes)")
      gauge(&out, "process_threads", "gauge", "\(stat.threads)")
    }
    let descriptors = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
    if let descriptors { gauge(&out, "process_open_fds", "gauge", "\(descriptors.count)") }
    return out
  }

  private static func gauge(_ out: inout String, _ name: String, _ kind: String, _ value: String) {
    out += "# TYPE \(name) \(kind)\n\(name) \(value)\n"
  }

  /// Fields 14, 15, 20 and 24 of proc(5); the name in field 2 may hold blanks.
  private static func stat() -> (cpuSeconds: Double, residentBytes: Int, threads: Int)? {
    guard let text = try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8),
      let end = text.lastIndex(of: ")")
    else { return nil }
    let fields = text[text.index(after: end)...].split(separator: " ")
    guard fields.count > 21, let user = Double(fields[11]), let system = Double(fields[12]),
      let threads = Int(fields[17]), let pages = Int(fields[21])
    else { return nil }
    return ((user + system) / ticksPerSecond, pages * pageBytes, threads)
  }
}
