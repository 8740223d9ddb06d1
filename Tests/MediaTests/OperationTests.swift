import Media
import MediaProtocol
import Testing

/// All tests of this module, one at a time.
@Suite("Media", .serialized)
enum MediaSuite {}

extension MediaSuite {
  @Suite("Restoration")
  struct RestorationTests {
    @Test(
      "A noisy and blurred portrait comes back closer to the original",
      arguments: [("astronaut.png", 10.0), ("grace_hopper.jpg", 10.0), ("astronaut.png", 18.0)]
    )
    func fidelity(name: String, noise: Double) throws {
      let original = try Laboratory.picture(try Laboratory.portrait(name))
      let degraded = Laboratory.degrade(original, noise: noise, seed: 7)
      let input = try PictureCoder.encodePNG(degraded)
      let job = MediaJob(.restore(Restoration(denoise: 0.5, enhance: false)), maximumSide: 1024)
      let outcome = try MediaEngine().makePicture(MediaRequest(job: job, inputs: [input]))
      let before = Laboratory.psnr(original, degraded)
      let after = Laboratory.psnr(original, outcome.picture)
      #expect(after > before + 2.5, "before \(before) dB, after \(after) dB")
      #expect(outcome.faces.count >= 1)
      #expect(abs((outcome.noise ?? 0) - noise) < noise * 0.25)
    }

    @Test("No denoising leaves a sharp picture almost as it is")
    func restraint() throws {
      let input = try Laboratory.astronaut()
      let original = try Laboratory.picture(input)
      let job = MediaJob(.restore(Restoration(denoise: 0, enhance: false)), maximumSide: 1024)
      let outcome = try MediaEngine().makePicture(MediaRequest(job: job, inputs: [input]))
      #expect(Laboratory.psnr(original, outcome.picture) > 30)
    }

    @Test("Enhancing widens the tonal range of a dull picture")
    func contrast() throws {
      let original = try Laboratory.picture(try Laboratory.astronaut())
      let dull = Picture(
        width: original.width,
        height: original.height,
        pixels: original.pixels.map { UInt8(60 + Int($0) / 2) }
      )
      let job = MediaJob(.restore(Restoration(denoise: 0.5, enhance: true)), maximumSide: 1024)
      let request = MediaRequest(job: job, inputs: [try PictureCoder.encodePNG(dull)])
      let result = try MediaEngine().makePicture(request).picture
      func range(_ picture: Picture) -> Int {
        let sorted = picture.pixels.sorted()
        return Int(sorted[sorted.count * 98 / 100]) - Int(sorted[sorted.count * 2 / 100])
      }
      #expect(range(result) > range(dull) + 20)
    }
  }

  @Suite("Enlargement")
  struct EnlargementTests {
    @Test(
      "A reduced portrait is enlarged closer to the original than bicubically",
      arguments: [("astronaut.png", 2), ("grace_hopper.jpg", 2), ("astronaut.png", 4)]
    )
    func fidelity(name: String, factor: Int) throws {
      let original = try Laboratory.picture(try Laboratory.portrait(name))
      let small = Laboratory.shrink(original, by: factor)
      let large = try Enlarger(factor: factor).enlarge(small)
      let bicubic = try Enlarger.bicubic(small, factor: factor)
      let (ours, theirs) = (Laboratory.psnr(original, large), Laboratory.psnr(original, bicubic))
      #expect(ours > theirs + 0.6, "ours \(ours) dB, bicubic \(theirs) dB")
    }

    @Test("Tiles leave no seam")
    func tiles() throws {
      let small = Laboratory.shrink(try Laboratory.picture(try Laboratory.admiral()), by: 2)
      let whole = try Enlarger(factor: 2, tile: 1024).enlarge(small)
      let tiled = try Enlarger(factor: 2, tile: 64).enlarge(small)
      #expect(Laboratory.distance(whole, tiled) <= 2)
    }

    @Test("The result keeps within the longest side and never loses the shape")
    func sizes() {
      let cases = [
        (512, 600, 2, 1024, 874, 1024, 2), (512, 512, 4, 2048, 2048, 2048, 4),
        (512, 512, 4, 512, 512, 512, 1), (1000, 500, 4, 2500, 2500, 1250, 4),
        (2048, 1024, 1, 1024, 1024, 512, 1), (8000, 4000, 4, 8192, 8000, 4000, 1),
      ]
      for (width, height, scale, side, wide, high, factor) in cases {
        let plan = SizePlan(width: width, height: height, scale: scale, maximumSide: side)
        #expect((plan.width, plan.height) == (wide, high))
        #expect(plan.factor == factor)
      }
    }
  }

  @Suite("Face swap")
  struct FaceSwapTests {
    @Test("Only the face changes, in both directions", arguments: [true, false])
    func maskHolds(forward: Bool) throws {
      let pair = [try Laboratory.admiral(), try Laboratory.astronaut()]
      let inputs = forward ? pair : pair.reversed()
      let target = try Laboratory.picture(inputs[1])
      let job = MediaJob(.swapFaces(FaceSwap()), maximumSide: 1024)
      let outcome = try MediaEngine().makePicture(MediaRequest(job: job, inputs: inputs))
      let mask = try #require(outcome.swapMask)
      let (inside, outside) = Self.changes(from: target, to: outcome.picture, under: mask)
      #expect(outside == 0)
      #expect(inside > 0.6)
      let face = try #require(outcome.faces.first)
      let center = forward ? (x: 224.0, y: 130.0) : (x: 264.0, y: 242.0)
      #expect(abs(face.centerX - center.x) < 15 && abs(face.centerY - center.y) < 20)
    }

    @Test("A strength of zero leaves the picture as it is")
    func zeroStrength() throws {
      let inputs = [try Laboratory.admiral(), try Laboratory.astronaut()]
      let job = MediaJob(.swapFaces(FaceSwap(strength: 0)), maximumSide: 1024)
      let outcome = try MediaEngine().makePicture(MediaRequest(job: job, inputs: inputs))
      #expect(outcome.picture == (try Laboratory.picture(inputs[1])))
    }

    @Test("A picture without a face is named in the refusal", arguments: [0, 1])
    func noFace(position: Int) throws {
      let portrait = try Laboratory.admiral()
      let gray = Picture(
        width: 200,
        height: 200,
        pixels: [UInt8](repeating: 128, count: 120_000)
      )
      var inputs = [portrait, portrait]
      inputs[position] = try PictureCoder.encodePNG(gray)
      let request = MediaRequest(job: MediaJob(.swapFaces(FaceSwap())), inputs: inputs)
      let engine = try MediaEngine()
      let error = #expect(throws: MediaError.self) { try engine.makePicture(request) }
      #expect(error?.code == .noFaceFound)
      #expect(error?.image == position)
    }

    /// Share of changed pixels inside the mask, and number of changed ones outside.
    private static func changes(
      from one: Picture,
      to other: Picture,
      under mask: [UInt8]
    ) -> (inside: Double, outside: Int) {
      var inside = 0, outside = 0, area = 0
      for (pixel, covered) in mask.enumerated() {
        let bytes = (pixel * 3)..<(pixel * 3 + 3)
        let differs = one.pixels[bytes] != other.pixels[bytes]
        if covered != 0 { area += 1 }
        if differs, covered != 0 { inside += 1 }
        if differs, covered == 0 { outside += 1 }
      }
      return (Double(inside) / Double(max(area, 1)), outside)
    }
  }
}
