import MediaProtocol
import Testing

@Suite("Image header")
struct ImageHeaderTests {
  static let goodPictures: [(bytes: [UInt8], format: ImageFormat, width: Int, height: Int)] = [
    (SamplePictures.png(width: 640, height: 480), .png, 640, 480),
    (SamplePictures.jpeg(width: 300, height: 200), .jpeg, 300, 200),
    (SamplePictures.jpeg(width: 300, height: 200, marker: 0xC2), .jpeg, 300, 200),
    (SamplePictures.gif(width: 80, height: 70), .gif, 80, 70),
    (SamplePictures.webp, .webp, 72, 64),
    (SamplePictures.simpleWebP, .webp, 72, 64),
    (SamplePictures.lossyWebP, .webp, 100, 80),
  ]

  static let badPictures: [([UInt8], MediaErrorCode)] = [
    ([], .imageInvalid),
    (Array("hello, I am a text".utf8), .imageInvalid),
    (Array("<html><script>alert(1)</script>".utf8), .imageInvalid),
    (Array("<?xml version='1.0'?><svg/>".utf8), .imageTypeUnsupported),
    (Array("  <!-- --> <SVG xmlns=''>".utf8), .imageTypeUnsupported),
    ([0x49, 0x49, 0x2A, 0, 8, 0, 0, 0], .imageTypeUnsupported),
    (Array("%PDF-1.7".utf8), .imageTypeUnsupported),
    (Array("\0\0\0\u{18}ftypheic".utf8), .imageTypeUnsupported),
    (SamplePictures.png(width: 50_000, height: 50_000), .imageTooLarge),
    (SamplePictures.png(width: 8000, height: 5001), .imageTooLarge),
    (SamplePictures.png(width: 8193, height: 64), .imageTooLarge),
    (SamplePictures.png(width: 63, height: 500), .imageTooSmall),
    (SamplePictures.png(width: 0, height: 500), .imageInvalid),
    (SamplePictures.png(width: 640, height: 480, depth: 3), .imageInvalid),
    (SamplePictures.jpeg(width: 300, height: 200, marker: 0xC9), .imageInvalid),
    (SamplePictures.pngWithArchive, .imageInvalid),
    (SamplePictures.webpWithTrailer, .imageInvalid),
    (Array("GIF89a=1;alert(document.cookie)//".utf8), .imageTooLarge),
  ]

  @Test(
    "The four formats are known by their bytes and measured without decoding",
    arguments: goodPictures
  )
  func formats(bytes: [UInt8], format: ImageFormat, width: Int, height: Int) throws {
    let header = try ImageHeader.inspect(bytes, limits: ImageLimits())
    #expect(header.format == format)
    #expect(header.width == width)
    #expect(header.height == height)
  }

  @Test(
    "What is no accepted picture is refused with the code of its kind",
    arguments: badPictures
  )
  func refusals(bytes: [UInt8], code: MediaErrorCode) {
    let error = #expect(throws: MediaError.self) {
      try ImageHeader.inspect(bytes, limits: ImageLimits(), position: 1)
    }
    #expect(error?.code == code)
    #expect(error?.image == 1)
  }

  @Test("A limit itself is allowed, one more is not")
  func limits() throws {
    let limits = ImageLimits(minimumSide: 64, maximumSide: 1000, maximumPixels: 90_000)
    for (width, height) in [(64, 64), (1000, 90), (300, 300)] {
      _ = try ImageHeader.inspect(SamplePictures.png(width: width, height: height), limits: limits)
    }
    for (width, height) in [(63, 64), (1001, 64), (300, 301)] {
      #expect(throws: MediaError.self) {
        try ImageHeader.inspect(SamplePictures.png(width: width, height: height), limits: limits)
      }
    }
    let tooLong = ImageLimits(maximumBytes: 20)
    let error = #expect(throws: MediaError.self) {
      try ImageHeader.inspect(SamplePictures.png(width: 64, height: 64), limits: tooLong)
    }
    #expect(error?.code == .imageTooLarge)
  }

  @Test("A file cut short anywhere is refused, never trapped on")
  func truncation() {
    let wholes = [
      SamplePictures.png(width: 640, height: 480), SamplePictures.jpeg(width: 300, height: 200),
      SamplePictures.webp, SamplePictures.simpleWebP, SamplePictures.lossyWebP,
    ]
    for whole in wholes {
      for length in 0..<whole.count {
        #expect(throws: MediaError.self) {
          try ImageHeader.inspect(Array(whole.prefix(length)), limits: ImageLimits())
        }
      }
    }
    let animation = SamplePictures.gif(width: 64, height: 64)
    for length in stride(from: 0, to: animation.count - 2, by: 7) {
      #expect(throws: MediaError.self) {
        try ImageHeader.inspect(Array(animation.prefix(length)), limits: ImageLimits())
      }
    }
  }

  @Test("Damaged bytes are refused or accepted, never trapped on")
  func mutation() {
    let wholes = [
      SamplePictures.png(width: 640, height: 480), SamplePictures.jpeg(width: 300, height: 200),
      SamplePictures.webp, SamplePictures.lossyWebP,
      SamplePictures.gif(width: 64, height: 64, frames: 2),
    ]
    for whole in wholes {
      for position in 0..<min(whole.count, 600) {
        for value: UInt8 in [0, 1, 0x7F, 0x80, 0xFF] {
          var bytes = whole
          bytes[position] = value
          _ = try? ImageHeader.inspect(bytes, limits: ImageLimits())
        }
      }
    }
  }
}
