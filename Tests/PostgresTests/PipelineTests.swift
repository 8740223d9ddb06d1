import Testing

@testable import Postgres

/// The machine alone, without a server.
@Suite("Pipeline")
struct PipelineTests {
  private let failure = PostgresError(.server, "no")

  private func sent(_ tickets: Int...) -> Pipeline<Int, String> {
    var pipeline = Pipeline<Int, String>()
    for ticket in tickets {
      pipeline.sentExecute(isKept: true)
      pipeline.sentSync(ticket)
    }
    return pipeline
  }

  @Test("A unit is finished by its sync, not by its rows")
  func sync() {
    var pipeline = sent(1)
    #expect(pipeline.received(.rows("a")).text == "none")
    #expect(pipeline.received(.end).text == "none")
    #expect(pipeline.unitCount == 1)
    #expect(pipeline.received(.synced).text == "1: a")
    #expect(pipeline.isEmpty)
  }

  @Test("A failure stays inside its unit")
  func neighbours() {
    var pipeline = sent(1, 2)
    _ = pipeline.received(.failed(failure))
    _ = pipeline.received(.end)
    #expect(pipeline.received(.synced).text == "1: failed")
    _ = pipeline.received(.rows("b"))
    _ = pipeline.received(.end)
    #expect(pipeline.received(.synced).text == "2: b")
  }

  @Test("The first failure of a unit is its reason, what was skipped is not")
  func firstFailure() {
    var pipeline = Pipeline<Int, String>()
    for _ in 0..<3 { pipeline.sentExecute(isKept: true) }
    pipeline.sentSync(1)
    for input: Pipeline<Int, String>.Input in [
      .rows("a"), .end, .failed(failure), .end, .aborted, .end,
    ] {
      #expect(pipeline.received(input).text == "none")
    }
    #expect(pipeline.received(.synced).text == "1: failed")
  }

  @Test("A commit that fails at the sync fails its unit", arguments: [false, true])
  func failedCommit(endsTheError: Bool) {
    var pipeline = sent(1, 2)
    _ = pipeline.received(.rows("a"))
    _ = pipeline.received(.end)
    #expect(pipeline.received(.failed(failure)).text == "none")
    if endsTheError { #expect(pipeline.received(.end).text == "none") }
    #expect(pipeline.received(.synced).text == "1: failed")
    _ = pipeline.received(.rows("b"))
    _ = pipeline.received(.end)
    #expect(pipeline.received(.synced).text == "2: b")
  }

  @Test("A statement that was not prepared is forgotten")
  func prepare() {
    let key = StatementKey("SELECT 1")
    var pipeline = Pipeline<Int, String>()
    pipeline.sentPrepare(key)
    pipeline.sentExecute(isKept: true)
    pipeline.sentSync(1)
    #expect(pipeline.received(.failed(failure)).text == "forget")
    _ = pipeline.received(.end)
    #expect(pipeline.received(.aborted).text == "none")
    _ = pipeline.received(.end)
    #expect(pipeline.received(.synced).text == "1: failed")
  }

  @Test(
    "What fits no step is a violation",
    arguments: [[0], [1], [2, 2], [2, 0], [2, 1, 1]]
  )
  func violations(_ inputs: [Int]) {
    let all: [Pipeline<Int, String>.Input] = [.synced, .end, .rows("x")]
    var pipeline = sent(1)
    var last = ""
    for input in inputs { last = pipeline.received(all[input]).text }
    #expect(last == "violation")
  }
}

extension Pipeline.Action where Ticket == Int, Rows == String {
  fileprivate var text: String {
    switch self {
    case .none: "none"
    case .forget: "forget"
    case .finish(let ticket, .success(let rows)): "\(ticket): \(rows.joined(separator: "+"))"
    case .finish(let ticket, .failure): "\(ticket): failed"
    case .finishOne(let ticket, let rows): "\(ticket): \(rows)"
    case .violation: "violation"
    }
  }
}
