import Foundation
import Media
import MediaProtocol

/// What the tests of pictures share: the portraits, one engine, and how to spoil and compare pictures.
///
/// The suites that use it are serialized under ``MediaSuite``: an engine serves one thread.
enum Laboratory {
  static func portrait(_ name: String) throws -> [UInt8] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    return [UInt8](try Data(contentsOf: folder.appending(path: "Fixtures/photos/\(name)")))
  }

  static func astronaut() throws -> [UInt8] { try portrait("astronaut.png") }
  static func admiral() throws -> [UInt8] { try portrait("grace_hopper.jpg") }

  /// A portrait as pixels.
  static func picture(_ bytes: [UInt8]) throws -> Picture {
    try PictureCoder.decode(bytes, limits: ImageLimits(), fitting: 8192)
  }

  /// Peak signal-to-noise ratio in dB; higher is closer.
  static func psnr(_ one: Picture, _ other: Picture) -> Double {
    precondition(one.width == other.width && one.height == other.height)
    var sum = 0
    for position in one.pixels.indices {
      let difference = Int(one.pixels[position]) - Int(other.pixels[position])
      sum += difference * difference
    }
    guard sum > 0 else { return .infinity }
    return 10 * log10(255 * 255 * Double(one.pixels.count) / Double(sum))
  }

  /// Greatest difference of any byte.
  static func distance(_ one: Picture, _ other: Picture) -> Int {
    zip(one.pixels, other.pixels).reduce(0) { max($0, abs(Int($1.0) - Int($1.1))) }
  }

  /// A picture blurred by [1 4 6 4 1]/16 in both directions (a Gaussian of radius 1) and noised.
  static func degrade(_ picture: Picture, noise: Double, seed: UInt64) -> Picture {
    var random = Noise(seed: seed)
    let soft = blur(blur(picture.pixels, step: 3, picture), step: picture.width * 3, picture)
    let pixels = soft.map { UInt8(min(255, max(0, Double($0) + noise * random.next()))) }
    return Picture(width: picture.width, height: picture.height, pixels: pixels)
  }

  private static func blur(_ pixels: [UInt8], step: Int, _ picture: Picture) -> [UInt8] {
    let weights = [1, 4, 6, 4, 1]
    let count = pixels.count
    return pixels.indices.map { position in
      var sum = 8
      for (tap, weight) in weights.enumerated() {
        let other = position + (tap - 2) * step
        sum += weight * Int(pixels[other >= 0 && other < count ? other : position])
      }
      return UInt8(sum / 16)
    }
  }

  /// The mean of each block of `factor` × `factor` pixels.
  static func shrink(_ picture: Picture, by factor: Int) -> Picture {
    let width = picture.width / factor, height = picture.height / factor
    var pixels = [UInt8](repeating: 0, count: width * height * 3)
    for y in 0..<height {
      for x in 0..<width {
        for channel in 0..<3 {
          var sum = factor * factor / 2
          for row in 0..<factor {
            for column in 0..<factor {
              let pixel = (y * factor + row) * picture.width + x * factor + column
              sum += Int(picture.pixels[pixel * 3 + channel])
            }
          }
          pixels[(y * width + x) * 3 + channel] = UInt8(sum / (factor * factor))
        }
      }
    }
    return Picture(width: width, height: height, pixels: pixels)
  }
}

/// Gaussian noise of deviation 1 from a seed (SplitMix64, sum of uniforms).
private struct Noise {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> Double {
    var sum = -3.0
    for _ in 0..<12 { sum += uniform() / 2 }
    return sum * 2
  }

  private mutating func uniform() -> Double {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return Double((mixed ^ (mixed >> 31)) >> 11) / Double(1 << 53)
  }
}
