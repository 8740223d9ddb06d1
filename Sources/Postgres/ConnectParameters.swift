internal import CLibpq

/// What libpq is told to connect with.
///
/// Names are resolved before, because libpq would block the loop with its own look-up.
struct ConnectParameters: Sendable {
  /// Keyword and value, without those about hosts.
  private var settings: [(key: String, value: String)]
  private(set) var hosts: [Host]

  struct Host: Sendable, Equatable {
    /// As configured: name, address, or socket directory; kept for certificate checks.
    var name: String
    var port: String
    /// Numeric address once resolved.
    var address: String?

    /// Whether a look-up is needed.
    var needsResolving: Bool {
      address == nil && !name.isEmpty && !name.hasPrefix("/") && !name.hasPrefix("@")
        && !Self.isNumeric(name)
    }

    private static func isNumeric(_ name: String) -> Bool {
      name.contains(":") || name.utf8.allSatisfy { $0 == 46 || (48...57).contains($0) }
    }
  }

  /// Reads a URL or `key=value` text with libpq's own parser.
  init(_ configuration: PostgresConfiguration) throws(PostgresError) {
    var values = try Self.parse(configuration.url)
    hosts = try Self.hosts(&values)
    values["fallback_application_name"] = configuration.applicationName
    values["client_encoding"] = "UTF8"
    values["options"] = Self.options(values["options"], configuration)
    let defaults = [
      "gssencmode": "disable", "keepalives_idle": "15", "keepalives_interval": "5",
      "keepalives_count": "3", "tcp_user_timeout": "30000",
    ]
    values.merge(defaults) { configured, _ in configured }
    settings = values.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  /// The server ends statements of clients that died, and transactions that hang between two.
  private static func options(
    _ configured: String?,
    _ configuration: PostgresConfiguration
  ) -> String {
    var options =
      "-c client_connection_check_interval=1000 -c idle_in_transaction_session_timeout=30000"
    if let path = configuration.searchPath {
      options += " -c search_path=" + escaped(path)
    }
    if let configured { options += " " + configured }
    return options
  }

  /// Spaces and backslashes are escaped by a backslash in `options`.
  private static func escaped(_ text: String) -> String {
    text.reduce(into: "") { result, character in
      if character == " " || character == "\\" { result.append("\\") }
      result.append(character)
    }
  }

  private static func parse(_ url: String) throws(PostgresError) -> [String: String] {
    var message: UnsafeMutablePointer<CChar>?
    guard let options = PQconninfoParse(url, &message) else {
      defer { PQfreemem(message) }
      // libpq's message may quote the URL, which holds the password.
      throw PostgresError(.configuration, "the connection URL cannot be parsed")
    }
    defer { PQconninfoFree(options) }
    var values: [String: String] = [:]
    var entry = options
    while let keyword = entry.pointee.keyword {
      if let value = entry.pointee.val {
        values[String(cString: keyword)] = String(cString: value)
      }
      entry += 1
    }
    return values
  }

  private static func hosts(_ values: inout [String: String]) throws(PostgresError) -> [Host] {
    let addresses = list(values.removeValue(forKey: "hostaddr"))
    let names = list(values.removeValue(forKey: "host"))
    let ports = list(values.removeValue(forKey: "port"))
    let count = max(addresses.count, names.count, 1)
    guard ports.count <= 1 || ports.count == count else {
      throw PostgresError(.configuration, "\(ports.count) ports for \(count) hosts")
    }
    return (0..<count).map { index in
      let port = ports.isEmpty ? "5432" : ports[ports.count == 1 ? 0 : index]
      return Host(
        name: index < names.count ? names[index] : "",
        port: port.isEmpty ? "5432" : port,
        address: index < addresses.count && !addresses[index].isEmpty ? addresses[index] : nil
      )
    }
  }

  private static func list(_ value: String?) -> [String] {
    guard let value else { return [] }
    return value.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
  }

  /// The same with resolved addresses.
  func with(hosts: [Host]) -> ConnectParameters {
    var copy = self
    copy.hosts = hosts
    return copy
  }

  /// Starts connecting; nil only when out of memory.
  func start() -> OpaquePointer? {
    var all = settings
    all.append(("host", hosts.map(\.name).joined(separator: ",")))
    all.append(("port", hosts.map(\.port).joined(separator: ",")))
    if hosts.contains(where: { $0.address != nil }) {
      all.append(("hostaddr", hosts.map { $0.address ?? "" }.joined(separator: ",")))
    }
    return Self.withCStrings(all.map(\.key)) { keys in
      Self.withCStrings(all.map(\.value)) { values in PQconnectStartParams(keys, values, 0) }
    }
  }

  /// Calls `body` with a NULL-terminated array of C strings.
  private static func withCStrings<Result>(
    _ strings: [String],
    _ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Result
  ) -> Result {
    var storage: [CChar] = []
    var offsets: [Int] = []
    for string in strings {
      offsets.append(storage.count)
      storage += StatementCache.cString(string)
    }
    return storage.withUnsafeBufferPointer { buffer in
      var pointers = offsets.map { offset in buffer.baseAddress.map { $0 + offset } }
      pointers.append(nil)
      return pointers.withUnsafeBufferPointer { body($0.baseAddress) }
    }
  }
}
