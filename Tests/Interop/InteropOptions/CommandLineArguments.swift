/// The arguments of this process, `--flag=value` taken apart.
///
/// The argument parser does not look behind the `=` of a flag whose value may be left out: `--tls=false`
/// would turn TLS on (swift-argument-parser 1.8.2).
package func commandLineArguments() -> [String] {
  CommandLine.arguments.dropFirst().flatMap { argument -> [String] in
    guard argument.hasPrefix("--"), let equals = argument.firstIndex(of: "=") else {
      return [argument]
    }
    let value = argument[argument.index(after: equals)...]
    guard !value.isEmpty, !value.hasPrefix("-") else { return [argument] }
    return [String(argument[..<equals]), String(value)]
  }
}
