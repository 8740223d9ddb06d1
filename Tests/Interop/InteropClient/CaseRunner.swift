internal import EventLoop
internal import InteropAPI
internal import RPC

/// Runs cases against one server; a case throws what is wrong.
struct CaseRunner {
  let configuration: Channel.Configuration
  let group: EventLoopGroup
  let soak: SoakOptions
  let channel: Channel
  let service: GrpcTesting.TestServiceClient

  /// Sizes that the description uses in most cases.
  static let requestBytes = 271_828
  static let responseBytes: Int32 = 314_159
  static let streamedRequestBytes = [27_182, 8, 1_828, 45_904]
  static let streamedResponseBytes: [Int32] = [31_415, 9, 2_653, 58_979]

  init(configuration: Channel.Configuration, group: EventLoopGroup, soak: SoakOptions) {
    self.configuration = configuration
    self.group = group
    self.soak = soak
    channel = Channel(configuration, group: group)
    service = GrpcTesting.TestServiceClient(channel)
  }

  func run(_ testCase: TestCase) async throws {
    switch testCase {
    case .emptyUnary: try await emptyUnary()
    case .cacheableUnary: try await cacheableUnary()
    case .largeUnary: try await largeUnary()
    case .clientCompressedUnary: try await clientCompressedUnary()
    case .serverCompressedUnary: try await serverCompressedUnary()
    case .clientStreaming: try await clientStreaming()
    case .clientCompressedStreaming: try await clientCompressedStreaming()
    case .serverStreaming: try await serverStreaming()
    case .serverCompressedStreaming: try await serverCompressedStreaming()
    case .pingPong: try await pingPong()
    case .emptyStream: try await emptyStream()
    case .customMetadata: try await customMetadata()
    case .statusCodeAndMessage: try await statusCodeAndMessage()
    case .specialStatusMessage: try await specialStatusMessage()
    case .unimplementedMethod: try await unimplementedMethod()
    case .unimplementedService: try await unimplementedService()
    case .cancelAfterBegin: try await cancelAfterBegin()
    case .cancelAfterFirstResponse: try await cancelAfterFirstResponse()
    case .timeoutOnSleepingServer: try await timeoutOnSleepingServer()
    case .rpcSoak: try await rpcSoak()
    case .channelSoak: try await channelSoak()
    }
  }
}
