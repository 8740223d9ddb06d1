internal import SwiftProtobufPluginLibrary

/// How names of the schema become names of Swift and C.
enum Names {
  /// `input_url` → `inputUrl`, the JSON name's spelling.
  static func lowerCamel(_ snake: String) -> String {
    var result = ""
    var upperNext = false
    for character in snake {
      if character == "_" {
        upperNext = !result.isEmpty
      } else {
        result.append(upperNext ? Character(character.uppercased()) : character)
        upperNext = false
      }
    }
    return result
  }

  /// `service_kind` → `ServiceKind`.
  static func upperCamel(_ snake: String) -> String {
    let camel = lowerCamel(snake)
    return camel.prefix(1).uppercased() + camel.dropFirst()
  }

  /// `RunJob` → `runJob`.
  static func method(_ name: String) -> String {
    escaped(name.prefix(1).lowercased() + name.dropFirst())
  }

  /// `oneshot.jobs.v1` → `Jobs`, `google.rpc` → `GoogleRpc`.
  static func namespace(_ package: String) -> String {
    var parts = package.split(separator: ".").map(String.init)
    if parts.first == "oneshot" { parts.removeFirst() }
    if parts.last == "v1" { parts.removeLast() }
    return parts.map(upperCamel).joined()
  }

  /// A property's name; those of `ProtobufMessage` and of Swift itself get an underscore.
  static func property(_ field: String) -> String {
    let name = lowerCamel(field)
    let taken = [
      "unknownFields", "hashValue", "self", "init", "encoded", "encode", "write", "Type",
    ]
    return taken.contains(name) ? name + "_" : escaped(name)
  }

  /// A case's name; what every enum has already gets an underscore.
  static func enumCase(_ name: String) -> String {
    let taken = [
      "info", "rawValue", "hashValue", "shortName", "unrecognized", "init", "self", "none", "some",
    ]
    return taken.contains(name) ? name + "_" : escaped(name)
  }

  /// A keyword in backticks.
  static func escaped(_ name: some StringProtocol) -> String {
    swiftKeywords.contains(String(name)) ? "`\(name)`" : String(name)
  }

  /// A type's own name.
  static func type(_ name: String) -> String {
    ["Any", "Type", "Protocol", "Self"].contains(name) ? name + "Message" : name
  }

  /// A type's name from anywhere, `Jobs.Job.Artifact`.
  static func fullType(_ message: Descriptor) -> String {
    outer(message.containingType, file: message.file) + "." + type(message.name)
  }

  static func fullType(_ enumeration: EnumDescriptor) -> String {
    outer(enumeration.containingType, file: enumeration.file) + "." + type(enumeration.name)
  }

  private static func outer(_ containing: Descriptor?, file: FileDescriptor) -> String {
    if let containing { fullType(containing) } else { namespace(file.package) }
  }

  /// `JOB_STATE_PENDING` of `JobState` → `PENDING`; the name itself when the prefix is missing.
  static func withoutPrefix(_ value: String, of enumeration: String) -> String {
    let prefix = screaming(enumeration) + "_"
    guard value.hasPrefix(prefix) else { return value }
    let rest = value.dropFirst(prefix.count)
    return rest.first.map { $0.isNumber } == true ? value : String(rest)
  }

  /// `JobState` → `JOB_STATE`.
  static func screaming(_ camel: String) -> String {
    var result = ""
    var previousIsLower = false
    for character in camel {
      if character.isUppercase, previousIsLower { result.append("_") }
      result += character.uppercased()
      previousIsLower = character.isLowercase || character.isNumber
    }
    return result
  }

  private static let swiftKeywords: Set<String> = [
    "as", "associatedtype", "break", "case", "catch", "class", "continue", "default", "defer",
    "deinit", "do", "else", "enum", "extension", "fallthrough", "false", "fileprivate", "for",
    "func", "guard", "if", "import", "in", "inout", "internal", "is", "let", "nil", "operator",
    "precedencegroup", "private", "protocol", "public", "repeat", "rethrows", "return", "static",
    "struct", "subscript", "super", "switch", "throw", "throws", "true", "try", "typealias", "var",
    "where", "while", "init", "self", "Self",
  ]
}

/// The names that protoc-gen-c 1.4.1 makes, and those that we lower to avoid its renaming.
enum CNames {
  /// `oneshot.jobs.v1.Job` → `Oneshot__Jobs__V1__Job`.
  static func structure(_ fullName: String) -> String {
    fullName.split(separator: ".").map { part in
      part.split(separator: "_").map { $0.prefix(1).uppercased() + $0.dropFirst() }.joined()
    }.joined(separator: "__")
  }

  /// `oneshot.jobs.v1.JobState` → `oneshot__jobs__v1__job_state`.
  static func lower(_ fullName: String) -> String {
    fullName.split(separator: ".").map { part in
      var result = ""
      var wasUpper = true
      for character in part {
        if character.isUppercase {
          if !wasUpper { result.append("_") }
          result += character.lowercased()
        } else {
          result.append(character)
        }
        wasUpper = character.isUppercase
      }
      return result
    }.joined(separator: "__")
  }

  /// A field's name in the lowered schema and in the C struct.
  static func field(_ name: String) -> String {
    let lower = name.lowercased()
    let isTaken = reserved.contains(lower) || lower.hasPrefix("n_") || lower.hasSuffix("_case")
    return isTaken ? "field_" + lower : lower
  }

  /// The function that returns a message's descriptor.
  static func descriptorFunction(_ fullName: String) -> String {
    fullName.split(separator: ".").joined(separator: "_") + "_descriptor"
  }

  /// The function that returns a file's encoded descriptor.
  static func fileFunction(_ path: String) -> String {
    String(path.map { $0.isLetter || $0.isNumber ? $0 : "_" })
  }

  /// Keywords of C, C++ and Swift, and members that every struct has.
  private static let reserved: Set<String> = [
    "and", "and_eq", "asm", "auto", "base", "bitand", "bitor", "bool", "break", "case", "catch",
    "char", "class", "compl", "const", "const_cast", "continue", "default", "delete", "do",
    "double", "dynamic_cast", "else", "enum", "explicit", "export", "extern", "false", "float",
    "for", "friend", "goto", "if", "inline", "int", "long", "mutable", "namespace", "new", "not",
    "not_eq", "operator", "or", "or_eq", "private", "protected", "public", "register",
    "reinterpret_cast", "return", "short", "signed", "sizeof", "static", "static_cast", "struct",
    "switch", "template", "this", "throw", "true", "try", "typedef", "typeid", "typename", "union",
    "unsigned", "using", "virtual", "void", "volatile", "wchar_t", "while", "xor", "xor_eq",
    "init", "self", "linux", "unix",
  ]
}
