/// `google.protobuf.FieldMask` paths between their schema and JSON spelling.
enum MaskText {
  /// `fooBar.baz` → `foo_bar.baz`; nil if the text is no JSON spelling.
  static func schemaPath(_ json: some Sequence<UInt8>) -> [UInt8]? {
    var path: [UInt8] = []
    for byte in json {
      switch byte {
      case UInt8(ascii: "_"): return nil
      case UInt8(ascii: "A")...UInt8(ascii: "Z"):
        path += [UInt8(ascii: "_"), byte | 0x20]
      default: path.append(byte)
      }
    }
    return path
  }

  /// `foo_bar.baz` → `fooBar.baz`; nil if the path would not survive the way back.
  static func jsonPath(_ schema: some Sequence<UInt8>) -> [UInt8]? {
    var path: [UInt8] = []
    var raises = false
    for byte in schema {
      if raises {
        guard byte &- UInt8(ascii: "a") < 26 else { return nil }
        path.append(byte & ~0x20)
        raises = false
      } else if byte == UInt8(ascii: "_") {
        raises = true
      } else {
        // A comma separates paths.
        guard byte &- UInt8(ascii: "A") >= 26, byte != UInt8(ascii: ",") else { return nil }
        path.append(byte)
      }
    }
    return raises || path.isEmpty ? nil : path
  }
}
