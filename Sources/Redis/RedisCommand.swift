/// A value that can be an argument of a command.
package protocol RedisArgument: Sendable {
  /// Adds this argument.
  func write(to command: inout RedisCommand)
}

extension String: RedisArgument {
  package func write(to command: inout RedisCommand) {
    var copy = self
    copy.withUTF8 { command.append(UnsafeRawBufferPointer($0)) }
  }
}

extension Int: RedisArgument {
  package func write(to command: inout RedisCommand) { String(self).write(to: &command) }
}

extension [UInt8]: RedisArgument {
  package func write(to command: inout RedisCommand) {
    withUnsafeBytes { command.append($0) }
  }
}

/// A command in Redis's wire format: a count of arguments, then each with its length.
package struct RedisCommand: Sendable {
  private(set) var bytes: [UInt8]
  private(set) var isFinished = false

  init(_ name: StaticString, argumentCount: Int) {
    bytes = []
    bytes.reserveCapacity(64 + argumentCount * 24)
    appendLine("*", argumentCount + 1)
    append(UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
  }

  init(name: String, argumentCount: Int) {
    bytes = []
    bytes.reserveCapacity(64 + argumentCount * 24)
    appendLine("*", argumentCount + 1)
    name.write(to: &self)
  }

  /// Adds one argument: `$<length>`, the bytes, each ended by CR LF.
  mutating func append(_ argument: UnsafeRawBufferPointer) {
    appendLine("$", argument.count)
    bytes.append(contentsOf: argument)
    appendLineEnd()
  }

  mutating func append(_ arguments: [any RedisArgument]) {
    for argument in arguments { argument.write(to: &self) }
  }

  /// Adds the NUL that hiredis needs behind a command.
  mutating func finish() {
    isFinished = true
    bytes.append(0)
  }

  private mutating func appendLine(_ kind: Unicode.Scalar, _ number: Int) {
    bytes.append(UInt8(ascii: kind))
    if number < 10 {
      bytes.append(UInt8(ascii: "0") + UInt8(number))
    } else {
      bytes.append(contentsOf: String(number).utf8)
    }
    appendLineEnd()
  }

  private mutating func appendLineEnd() {
    bytes.append(13)
    bytes.append(10)
  }
}
