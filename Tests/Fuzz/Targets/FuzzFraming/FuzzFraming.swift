internal import CFuzzer
@testable internal import RPC

@main
enum FuzzFraming {
  static func main() {
    cfuzzer_main(CommandLine.argc, CommandLine.unsafeArgv) { fuzz($0, $1) }
  }
}

/// The first byte is the size of the pieces; the rest is the body of a call.
///
/// However the body is cut, the messages are the same; none is larger than its limit.
private func fuzz(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard let bytes, count > 1 else { return 0 }
  let input = UnsafeRawBufferPointer(start: bytes + 1, count: count - 1)
  let whole = messages(input, pieces: input.count)
  let cut = messages(input, pieces: Int(bytes[0]) + 1)
  guard whole.list == cut.list, whole.failure == cut.failure else { fatalError("cut differs") }
  for message in whole.list {
    guard let plain = try? message.plain(.gzip, limit: limit) else { continue }
    guard plain.count <= limit else { fatalError("over the limit") }
  }
  return 0
}

private let limit = 64 << 10

private func messages(
  _ input: UnsafeRawBufferPointer,
  pieces size: Int
) -> (list: [ReceivedMessage], failure: MessageDeframer.Failure?) {
  var deframer = MessageDeframer(maxMessageBytes: limit)
  var list: [ReceivedMessage] = []
  var start = 0
  while start < input.count {
    let end = min(start + size, input.count)
    do throws(MessageDeframer.Failure) {
      try deframer.receive(UnsafeRawBufferPointer(rebasing: input[start..<end])) { list.append($0) }
    } catch {
      return (list, error)
    }
    start = end
  }
  return (list, nil)
}
