internal import Protobuf

/// What reflection knows: every schema file of a server, by name, symbol and extension.
struct ReflectionIndex: Sendable {
  /// Full names of the services, sorted.
  let services: [String]
  private var files: [String: FileDescriptorBytes] = [:]
  private var fileOfSymbol: [String: String] = [:]
  private var extensions: [String: [Int32: String]] = [:]

  init(files: [FileDescriptorBytes], services: [String]) {
    self.services = services
    for file in files {
      self.files[file.name] = file
      for symbol in file.symbols { fileOfSymbol[symbol] = file.name }
      for (extendee, number) in file.extensions {
        extensions[extendee, default: [:]][number] = file.name
      }
    }
  }

  /// The file and everything that it imports, itself first; nil when unknown.
  func file(named name: String) -> [[UInt8]]? {
    guard files[name] != nil else { return nil }
    var seen: Set<String> = []
    var pending = [name]
    var result: [[UInt8]] = []
    while let next = pending.popLast() {
      guard seen.insert(next).inserted, let file = files[next] else { continue }
      result.append(file.bytes)
      pending.append(contentsOf: file.dependencies)
    }
    return result
  }

  /// The file that declares a message, enum, service or method.
  func file(declaring symbol: String) -> [[UInt8]]? {
    fileOfSymbol[symbol].flatMap(file(named:))
  }

  /// The file that declares an extension.
  func file(extending type: String, number: Int32) -> [[UInt8]]? {
    extensions[type]?[number].flatMap(file(named:))
  }

  /// Numbers of the known extensions of a message, sorted; nil when the message is unknown.
  func extensionNumbers(of type: String) -> [Int32]? {
    if let known = extensions[type] { return known.keys.sorted() }
    return fileOfSymbol[type] == nil ? nil : []
  }
}
