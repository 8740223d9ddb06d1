internal import CFuzzer
internal import JSON
internal import Protobuf
internal import ProtobufJSON
internal import TestProtos

@main
enum FuzzJSON {
  static func main() {
    cfuzzer_main(CommandLine.argc, CommandLine.unsafeArgv) { fuzz($0, $1) }
  }
}

private nonisolated(unsafe) let state: Transcoder = {
  guard let state = try? Transcoder() else { fatalError("no parser") }
  return state
}()

/// The first byte chooses type and form; the rest is the document, or the message to print.
private func fuzz(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard let bytes, count > 0 else { return 0 }
  let input = [UInt8](UnsafeBufferPointer(start: bytes + 1, count: count - 1))
  let plan = state.plans[Int(bytes[0] & 0x3F) % state.plans.count]
  let style: JSONStyle = bytes[0] & 0x40 == 0 ? .proto : .edge
  if bytes[0] & 0x80 == 0 {
    state.checkDocument(input, plan, style)
  } else {
    state.checkMessage(input, plan, style)
  }
  return 0
}

private final class Transcoder {
  let schema: JSONSchema
  let plans: [MessagePlan]
  private let parser: JSONParser

  init() throws {
    let roots = [
      Sample.EachScalar.info, Sample.EachOptional.info, Sample.EachList.info,
      Sample.EachMapKey.info, Sample.EachMapValue.info, Sample.EachOneof.info,
      Sample.EachWellKnown.info, Sample.Tree.info, Sample.Options.info,
      GoogleProtobuf.AnyMessage.info, GoogleProtobuf.Value.info, GoogleProtobuf.FieldMask.info,
    ]
    schema = JSONSchema(roots: roots)
    plans = roots.compactMap { [schema] in schema.plan(named: $0.fullName) }
    parser = try JSONParser()
  }

  /// What was read can be printed, and read again.
  func checkDocument(_ input: [UInt8], _ plan: MessagePlan, _ style: JSONStyle) {
    guard let message = read(input, plan), let text = printed(message, plan, style) else { return }
    guard let again = read(text, plan) else { fatalError("our own text is refused") }
    // Edge input may drop nothing that edge output has; maps come in any order.
    guard style == .edge || again.count == message.count else { fatalError("not stable") }
  }

  /// What can be printed can be read.
  func checkMessage(_ input: [UInt8], _ plan: MessagePlan, _ style: JSONStyle) {
    guard let text = printed(input, plan, style) else { return }
    guard read(text, plan) != nil else { fatalError("our own text is refused") }
  }

  private func read(_ text: [UInt8], _ plan: MessagePlan) -> [UInt8]? {
    var text = text
    var message = RequestMessage(plan, in: schema)
    guard (try? message.readBody(&text, with: parser)) != nil else { return nil }
    return message.packed(reserving: 0)
  }

  private func printed(_ message: [UInt8], _ plan: MessagePlan, _ style: JSONStyle) -> [UInt8]? {
    var output: [UInt8] = []
    let result: Void? = message.withUnsafeBytes { bytes in
      try? schema.print(bytes, as: plan, style: style, to: &output)
    }
    return result == nil ? nil : output
  }
}
