internal import CFuzzer
internal import Protobuf
internal import TestProtos

@main
enum FuzzMessage {
  static func main() {
    cfuzzer_main(CommandLine.argc, CommandLine.unsafeArgv) { fuzz($0, $1) }
  }
}

/// The first byte chooses the type; the rest is the message.
private func fuzz(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard let bytes, count > 0 else { return 0 }
  let input = UnsafeRawBufferPointer(start: bytes + 1, count: count - 1)
  switch bytes[0] % 12 {
  case 0: check(Sample.Scalars.self, input)
  case 1: check(Sample.EachOptional.self, input)
  case 2: check(Sample.EachList.self, input)
  case 3: check(Sample.EachMapKey.self, input)
  case 4: check(Sample.EachMapValue.self, input)
  case 5: check(Sample.EachOneof.self, input)
  case 6: check(Sample.EachWellKnown.self, input)
  case 7: check(Sample.Tree.self, input)
  case 8: check(Sample.Nothing.self, input)
  case 9: check(GoogleProtobuf.Value.self, input)
  case 10: check(Sample.EachUnpacked.self, input)
  default: check(Sample.BenchJob.self, input)
  }
  return 0
}

/// What was accepted is stable from then on, but for the order of maps.
private func check<M: ProtobufMessage>(_ type: M.Type, _ input: UnsafeRawBufferPointer) {
  guard let message = try? M(decoding: input) else { return }
  let once = message.encoded()
  guard let again = try? M(decoding: once) else { fatalError("our own bytes are refused") }
  guard again.encoded().count == once.count else { fatalError("not stable") }
}
