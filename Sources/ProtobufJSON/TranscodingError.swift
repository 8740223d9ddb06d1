/// Why a JSON document or parameter does not fit a message, or a message has no JSON form.
package struct TranscodingError: Error, Equatable, Sendable {
  /// The kind of fault; each has an error code of the public API.
  package enum Reason: Sendable {
    /// Not JSON, or nested too deep.
    case malformedJSON
    /// The message has no such field.
    case unknownField
    /// One field, or two members of one choice, were given.
    case duplicateField
    /// The value has the wrong type, form or range.
    case invalidValue
    /// A query parameter names no field, or one that parameters cannot carry.
    case unknownParameter
    /// A message of ours that cannot be printed, such as a time out of range.
    case unprintable
  }

  package let reason: Reason
  /// Where: a JSON pointer (RFC 6901) into the body, empty for the whole of it.
  package private(set) var pointer: String
  /// What is wrong, for the caller to read.
  package let detail: String

  /// Makes an error about the value at `pointer`.
  package init(_ reason: Reason, at pointer: String = "", _ detail: String) {
    self.reason = reason
    self.pointer = pointer
    self.detail = detail
  }

  /// The same error as seen from the object that holds the value under `key`.
  package func under(_ key: String) -> TranscodingError {
    var copy = self
    copy.pointer = "/" + Self.escaped(key) + pointer
    return copy
  }

  /// The same error as seen from the array that holds the value at `index`.
  package func under(_ index: Int) -> TranscodingError {
    var copy = self
    copy.pointer = "/\(index)" + pointer
    return copy
  }

  /// Escapes one reference token; long keys are cut, since they go into an answer.
  private static func escaped(_ key: String) -> String {
    var result = ""
    for character in key.unicodeScalars.prefix(64) {
      switch character {
      case "~": result += "~0"
      case "/": result += "~1"
      default: result.unicodeScalars.append(character)
      }
    }
    return result
  }
}
