import Media
import MediaProtocol
import Testing

extension MediaSuite {
  @Suite("Decoding and encoding")
  struct PictureCoderTests {
    init() throws { _ = try MediaEngine() }

    @Test("PNG out and in again is the same picture")
    func roundTrip() throws {
      let picture = try Laboratory.picture(try Laboratory.astronaut())
      #expect((picture.width, picture.height) == (512, 512))
      #expect(try Laboratory.picture(try PictureCoder.encodePNG(picture)) == picture)
    }

    @Test("A picture that EXIF calls rotated comes out upright and without EXIF")
    func orientation() throws {
      let plain = try Laboratory.admiral()
      let turned = Array(plain.prefix(2)) + Self.exif(orientation: 6) + plain.dropFirst(2)
      let picture = try Laboratory.picture(turned)
      #expect((picture.width, picture.height) == (600, 512))
      let png = try PictureCoder.encodePNG(picture)
      for tag in ["eXIf", "Exif", "iCCP", "tEXt", "GPS"] { #expect(!png.contains(tag.utf8)) }
    }

    @Test("A picture is reduced to the side that is asked for, never enlarged")
    func fitting() throws {
      let bytes = try Laboratory.admiral()
      let small = try PictureCoder.decode(bytes, limits: ImageLimits(), fitting: 300)
      #expect((small.width, small.height) == (256, 300))
      let same = try PictureCoder.decode(bytes, limits: ImageLimits(), fitting: 4000)
      #expect((same.width, same.height) == (512, 600))
    }

    @Test("The compressed data must be whole, whatever the header says")
    func damaged() throws {
      let png = try Laboratory.astronaut()
      var flipped = png
      for position in 200_000..<200_050 { flipped[position] ^= 0xFF }
      for bytes in [Array(png.dropLast(300_000)), flipped] {
        let error = #expect(throws: MediaError.self) { try Laboratory.picture(bytes) }
        #expect(error?.code == .imageInvalid)
      }
    }

    @Test("SHA-256 is that of the standard's example")
    func digest() {
      let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
      #expect(PictureCoder.sha256(Array("abc".utf8)) == expected)
    }

    /// An APP1 segment that holds nothing but an orientation.
    private static func exif(orientation: UInt8) -> [UInt8] {
      let tiff: [UInt8] =
        [0x4D, 0x4D, 0, 0x2A, 0, 0, 0, 8, 0, 1]
        + [0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0] + [0, 0, 0, 0]
      let body = Array("Exif\0\0".utf8) + tiff
      return [0xFF, 0xE1, 0, UInt8(body.count + 2)] + body
    }
  }

  @Suite("A whole job")
  struct JobTests {
    private static func stages(of job: MediaJob, _ inputs: [[UInt8]]) throws -> [MediaProgress] {
      var steps: [MediaProgress] = []
      _ = try MediaEngine().run(MediaRequest(job: job, inputs: inputs)) { steps.append($0) }
      return steps
    }

    @Test("Progress has at least three stages, never falls and ends at one")
    func progress() throws {
      let astronaut = try Laboratory.astronaut(), admiral = try Laboratory.admiral()
      let swap = FaceSwap(restoration: Restoration(), scale: 2)
      let runs = [
        try Self.stages(of: MediaJob(.upscale(Enlargement(tile: 128))), [astronaut]),
        try Self.stages(of: MediaJob(.restore(Restoration(scale: 2))), [admiral]),
        try Self.stages(of: MediaJob(.swapFaces(swap)), [admiral, astronaut]),
      ]
      for steps in runs {
        #expect(Set(steps.map(\.stage)).count >= 4)
        #expect(zip(steps, steps.dropFirst()).allSatisfy { $0.fraction <= $1.fraction })
        #expect(steps.last?.fraction == 1)
      }
    }

    @Test("The watermark is seen in its corner only", arguments: Watermark.Position.allCases)
    func watermark(position: Watermark.Position) throws {
      let input = try Laboratory.astronaut()
      let plain = MediaJob(.normalize, maximumSide: 512)
      var marked = plain
      marked.watermark = Watermark(text: "OneShot free", position: position)
      let engine = try MediaEngine()
      func picture(_ job: MediaJob) throws -> Picture {
        try Laboratory.picture(try engine.run(MediaRequest(job: job, inputs: [input])) { _ in }.png)
      }
      let (one, other) = (try picture(plain), try picture(marked))
      let changed = (0..<(512 * 512)).filter { pixel in
        let bytes = (pixel * 3)..<(pixel * 3 + 3)
        return one.pixels[bytes] != other.pixels[bytes]
      }
      #expect(changed.count > 500)
      let rows = changed.map { $0 / 512 }, columns = changed.map { $0 % 512 }
      switch position {
      case .topLeft, .topRight: #expect(rows.allSatisfy { $0 < 100 })
      case .bottomLeft, .bottomRight: #expect(rows.allSatisfy { $0 > 412 })
      case .center: #expect(rows.allSatisfy { (200..<312).contains($0) })
      }
      switch position {
      case .topLeft, .bottomLeft: #expect(columns.allSatisfy { $0 < 256 })
      case .topRight, .bottomRight: #expect(columns.allSatisfy { $0 > 256 })
      case .center: #expect(columns.allSatisfy { (100..<412).contains($0) })
      }
    }

    @Test("The same request gives the same bytes")
    func determinism() throws {
      let job = MediaJob(.swapFaces(FaceSwap(restoration: Restoration())))
      let inputs = [try Laboratory.astronaut(), try Laboratory.admiral()]
      let request = MediaRequest(job: job, inputs: inputs)
      let first = try MediaEngine().run(request) { _ in }
      let second = try MediaEngine().run(request) { _ in }
      #expect(first.result.sha256 == second.result.sha256)
      #expect(first.result.sha256 == PictureCoder.sha256(first.png))
      #expect(first.result.byteCount == first.png.count)
    }
  }
}
