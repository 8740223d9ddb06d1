internal import CFuzzer
internal import HTTP1
internal import HTTPCore

@main
enum FuzzHTTP1 {
  static func main() {
    cfuzzer_main(CommandLine.argc, CommandLine.unsafeArgv) { fuzz($0, $1) }
  }
}

/// The first byte is the size of the pieces; the rest is what a connection receives.
///
/// However the bytes are cut, the requests are the same.
private func fuzz(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  guard let bytes, count > 1 else { return 0 }
  let input = UnsafeRawBufferPointer(start: bytes + 1, count: count - 1)
  let whole = requests(input, pieces: input.count)
  let cut = requests(input, pieces: Int(bytes[0] & 0x3F) + 1)
  guard whole == cut else { fatalError("cut: \(cut)\nwhole: \(whole)") }
  return 0
}

/// What the parser says about the bytes, as text; bodies are joined.
private func requests(_ input: UnsafeRawBufferPointer, pieces size: Int) -> [String] {
  let parser = HTTP1RequestParser()
  var result: [String] = []
  var body: [UInt8] = []
  var start = 0
  while start < input.count {
    let end = min(start + size, input.count)
    var piece = UnsafeRawBufferPointer(rebasing: input[start..<end])
    start = end
    events: while true {
      switch parser.next(&piece) {
      case .needMoreBytes: break events
      case .head(let head, let exchange): result.append("\(head) \(exchange)")
      case .body(let bytes): body.append(contentsOf: bytes)
      case .end:
        result.append("end \(body)")
        body = []
      case .failure(let failure):
        return result + ["\(failure)"]
      }
    }
  }
  return result
}
