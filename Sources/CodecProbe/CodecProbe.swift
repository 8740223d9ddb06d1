internal import JSON
internal import Protobuf
internal import ProtobufJSON
internal import TestProtos

/// Runs the codec on what standard input says, for the comparison with another implementation.
///
/// A request is a frame: 4 bytes of length (big-endian), 1 of ``Operation``, 1 of the type name's
/// length, the name, the payload. A reply is 4 bytes of length, 1 of status (0 done, 1 refused), and
/// the result or the reason. Ends with the input.
@main
enum CodecProbe {
  static func main() throws {
    var frames = Frames()
    let codec = try Codec()
    while let request = frames.next() {
      do {
        frames.reply(0, try codec.run(request))
      } catch {
        frames.reply(1, Array("\(error)".utf8))
      }
    }
  }
}

enum Operation: UInt8 {
  /// Every `.proto` file as a list of `FileDescriptorProto`, imports first: field 1 of a
  /// `FileDescriptorSet`.
  case describe = 0
  /// Bytes to a Swift message and back.
  case recode = 1
  /// Bytes to standard ProtoJSON.
  case print = 2
  /// JSON to bytes.
  case parse = 3
  /// Bytes to the JSON of the public API and back.
  case edge = 4
}

struct Request {
  var operation: Operation
  var type: String
  var payload: [UInt8]
}

/// Why a request makes no sense.
struct RequestError: Error, CustomStringConvertible {
  let description: String
}
