/// A value that can be an argument of a command.
package protocol RedisArgument: Sendable {
  /// Adds this argument.
  func write(to output: inout RedisOutput)
}

extension String: RedisArgument {
  package func write(to output: inout RedisOutput) { output.append(self) }
}

extension Int: RedisArgument {
  package func write(to output: inout RedisOutput) { output.append(self) }
}

extension [UInt8]: RedisArgument {
  package func write(to output: inout RedisOutput) {
    withUnsafeBytes { output.append($0) }
  }
}

/// A command that is written when there is a connection for it.
enum RedisCommand: Sendable {
  /// Numbers are what scripts mostly take, and cost least in an array of their own.
  enum ScriptArguments: Sendable {
    case numbers([Int])
    case values([any RedisArgument])
  }

  case named(String, [any RedisArgument])
  /// `evalsha` are the first two parts as ``RedisScript`` keeps them.
  case script(_ evalsha: [UInt8], _ keys: [String], ScriptArguments)

  func write(to output: inout RedisOutput) {
    switch self {
    case .named(let name, let arguments):
      output.begin(partCount: 1 + arguments.count)
      output.append(name)
      for argument in arguments { argument.write(to: &output) }
    case .script(let evalsha, let keys, .numbers(let numbers)):
      Self.begin(evalsha, keys, numbers.count, &output)
      for number in numbers { output.append(number) }
    case .script(let evalsha, let keys, .values(let values)):
      Self.begin(evalsha, keys, values.count, &output)
      for value in values { value.write(to: &output) }
    }
  }

  private static func begin(
    _ evalsha: [UInt8],
    _ keys: [String],
    _ argumentCount: Int,
    _ output: inout RedisOutput
  ) {
    output.begin(partCount: 3 + keys.count + argumentCount)
    output.append(encoded: evalsha)
    output.append(keys.count)
    for key in keys { output.append(key) }
  }
}
