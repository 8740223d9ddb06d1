internal import SwiftProtobufPluginLibrary

/// The files of one generation and what they reach.
struct Schema {
  let set: GenerationSet
  /// Files whose messages and services are written, ordered by name.
  let files: [FileDescriptor]
  /// Files without messages of ours that reflection must still serve.
  let optionFiles: [FileDescriptor]
  /// The files and everything that they import, each after its imports.
  let reachable: [FileDescriptor]

  init(set: GenerationSet, files: [FileDescriptor]) throws {
    self.set = set
    self.files =
      files
      .filter { GenerationSet.owning($0)?.name == set.name }
      .sorted { $0.name < $1.name }
    var ordered: [FileDescriptor] = []
    var seen: Set<String> = []
    for file in files.sorted(by: { $0.name < $1.name }) {
      Self.visit(file, &seen, &ordered)
    }
    reachable = ordered
    optionFiles = ordered.filter { GenerationSet.isOptionsOnly($0) }
    for file in self.files where file.edition != .proto3 {
      throw GenerationError("\(file.name): only proto3 is supported")
    }
  }

  private static func visit(
    _ file: FileDescriptor,
    _ seen: inout Set<String>,
    _ ordered: inout [FileDescriptor]
  ) {
    guard seen.insert(file.name).inserted else { return }
    for dependency in file.dependencies { visit(dependency, &seen, &ordered) }
    ordered.append(file)
  }

  /// The packages of the set, in order of name.
  var packages: [String] {
    Set(files.map(\.package)).sorted()
  }

  func files(inPackage package: String) -> [FileDescriptor] {
    files.filter { $0.package == package }
  }
}

extension Descriptor {
  /// The message and all messages inside it, entries of maps included.
  var withNested: [Descriptor] {
    [self] + messages.flatMap(\.withNested)
  }
}

extension FileDescriptor {
  /// All messages of the file, entries of maps included.
  var allMessages: [Descriptor] { messages.flatMap(\.withNested) }

  /// All enums of the file.
  var allEnums: [EnumDescriptor] { enums + allMessages.flatMap(\.enums) }

  /// All extensions that the file declares, those inside messages included.
  var allExtensions: [FieldDescriptor] { extensions + allMessages.flatMap(\.extensions) }
}
