internal import SwiftProtobufPluginLibrary

/// Lines of generated code with their indentation.
struct TextBuilder {
  private(set) var text = ""
  private var level = 0

  /// Adds a line, or an empty one.
  mutating func line(_ line: String = "") {
    text += line.isEmpty ? "\n" : String(repeating: "  ", count: level) + line + "\n"
  }

  /// Adds lines that keep their own further indentation.
  mutating func lines(_ lines: String) {
    for line in lines.split(separator: "\n", omittingEmptySubsequences: false) {
      self.line(String(line))
    }
  }

  /// Adds `opening {`, what the closure adds, and `}`.
  mutating func block(_ opening: String, _ body: (inout TextBuilder) throws -> Void) rethrows {
    line(opening + " {")
    level += 1
    try body(&self)
    level -= 1
    line("}")
  }

  /// What the closure adds, one level deeper.
  mutating func indented(_ body: (inout TextBuilder) throws -> Void) rethrows {
    level += 1
    try body(&self)
    level -= 1
  }

  /// The comment of a declaration in the schema, or the text given instead.
  mutating func comment(_ source: some ProvidesSourceCodeLocation, or fallback: String) {
    let comment = source.plainComment
    for line in (comment.isEmpty ? [fallback] : comment) {
      self.line(line.isEmpty ? "///" : "/// \(line)")
    }
  }
}

extension ProvidesSourceCodeLocation {
  /// The leading comment's lines without marks; empty when there is none.
  var plainComment: [String] {
    // Google's files keep their comments to themselves.
    let file = (self as? any ProvidesLocationPath)?.file
    guard let location = sourceCodeInfoLocation, file?.package.hasPrefix("google.") == false
    else { return [] }
    let source = location.hasLeadingComments ? location.leadingComments : location.trailingComments
    var lines = source.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      var line = Substring(line)
      if line.first == " " { line = line.dropFirst() }
      while line.last?.isWhitespace == true { line = line.dropLast() }
      return String(line)
    }
    while lines.last == "" { lines.removeLast() }
    while lines.first == "" { lines.removeFirst() }
    return lines
  }
}
