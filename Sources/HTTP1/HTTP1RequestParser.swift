package import HTTPCore

/// What ``HTTP1RequestParser/next(_:)`` found.
package enum HTTP1RequestEvent {
  /// The input is used up; come again with more.
  case needMoreBytes
  /// A request begins.
  case head(HTTPRequestHead, HTTP1Exchange)
  /// Bytes of its body, inside the input that was given.
  case body(UnsafeRawBufferPointer)
  /// The request is complete. What is left of the input belongs to the next one.
  case end
  /// The request is refused: answer, then close. Comes again on every further call.
  case failure(HTTP1Failure)
}

/// Parses the requests of one HTTP/1.1 connection, strictly, with llhttp.
///
/// States: head → (body)* → end → head …; a failure is final. No sockets and no clock inside:
/// the driver feeds bytes, answers, and closes. Confined to its connection's loop.
package final class HTTP1RequestParser {
  private enum Stage {
    case head
    case body(BodyCheck)
    case failed(HTTP1Failure)
  }

  private let limits: HTTP1Limits
  private let driver = LlhttpDriver()
  private var scanner: HeadScanner
  private var pending: [UInt8] = []
  private var stage = Stage.head

  /// Makes a parser that expects the first request.
  package init(limits: HTTP1Limits = HTTP1Limits()) {
    self.limits = limits
    scanner = HeadScanner(limits: limits)
  }

  /// True between two requests, when closing the connection cuts nothing off.
  package var isIdle: Bool {
    if case .head = stage { return scanner.isAtStart }
    return false
  }

  /// Lowers the current request's body limit, as its route says; call it at the head.
  package func limitBody(to count: Int) {
    guard case .body(var check) = stage else { return }
    check.limit = min(check.limit, count)
    stage = .body(check)
  }

  /// Takes bytes from the front of `input` up to and including one event.
  ///
  /// Call it until ``HTTP1RequestEvent/needMoreBytes``. After ``HTTP1RequestEvent/end`` keep the
  /// rest of the input until the answer is written, then go on with it: that is pipelining.
  package func next(_ input: inout UnsafeRawBufferPointer) -> HTTP1RequestEvent {
    switch stage {
    case .head:
      return nextHead(&input)
    case .body(var check):
      let event = nextBody(&input, &check)
      if case .body = stage { stage = .body(check) }
      return event
    case .failed(let failure):
      return .failure(failure)
    }
  }

  private func fail(_ failure: HTTP1Failure) -> HTTP1RequestEvent {
    stage = .failed(failure)
    pending = []
    return .failure(failure)
  }

  // MARK: Head

  private func nextHead(_ input: inout UnsafeRawBufferPointer) -> HTTP1RequestEvent {
    let scanned = scanner.scan(input)
    switch scanned {
    case .failure(let failure):
      return fail(failure)
    case .needMoreBytes:
      pending.append(contentsOf: input)
      input = UnsafeRawBufferPointer(rebasing: input[input.endIndex...])
      return .needMoreBytes
    case .complete(let end):
      let block = UnsafeRawBufferPointer(rebasing: input[..<end])
      input = UnsafeRawBufferPointer(rebasing: input[end...])
      let leading = scanner.leadingBytes
      scanner = HeadScanner(limits: limits)
      guard !pending.isEmpty else {
        return parseHead(UnsafeRawBufferPointer(rebasing: block[leading...]))
      }
      pending.append(contentsOf: block)
      let whole = pending
      pending.removeAll(keepingCapacity: false)
      return whole.withUnsafeBytes {
        parseHead(UnsafeRawBufferPointer(rebasing: $0[leading...]))
      }
    }
  }

  private func parseHead(_ block: UnsafeRawBufferPointer) -> HTTP1RequestEvent {
    driver.start()
    let line = RequestLineCheck(block)
    if let failure = line.failure { return fail(failure) }
    let outcome = driver.execute(block)
    guard !outcome.refused, driver.seen.headComplete else { return fail(refusal(of: block)) }
    do throws(HTTP1Failure) {
      let (head, exchange) = try HeadBuilder(block, driver, limits).build()
      stage = .body(BodyCheck(framing: exchange.body, limits: limits))
      return .head(head, exchange)
    } catch {
      return fail(error)
    }
  }

  /// llhttp says little about framing fields, so the reason is looked for in the spans it saw.
  private func refusal(of block: UnsafeRawBufferPointer) -> HTTP1Failure {
    do throws(HTTP1Failure) {
      _ = try HeadBuilder(block, driver, limits).build()
    } catch {
      switch error.reason {
      case .contentLengthWithTransferEncoding, .repeatedContentLength, .malformedContentLength,
        .malformedTransferEncoding, .unknownTransferCoding, .transferEncodingInHTTP10,
        .malformedTarget, .targetTooLong:
        return error
      default:
        break
      }
    }
    return HTTP1Failure(400, .malformedField)
  }

  // MARK: Body

  private func nextBody(
    _ input: inout UnsafeRawBufferPointer,
    _ check: inout BodyCheck
  ) -> HTTP1RequestEvent {
    if let failure = check.declaredFailure { return fail(failure) }
    if driver.seen.messageComplete { return end() }
    let outcome = driver.execute(input)
    guard !outcome.refused else { return fail(HTTP1Failure(400, .malformedChunk)) }
    let body = driver.seen.body
    if let failure = check.take(input, consumed: outcome.consumed, body: body) {
      return fail(failure)
    }
    let bytes = UnsafeRawBufferPointer(rebasing: input[body])
    input = UnsafeRawBufferPointer(rebasing: input[outcome.consumed...])
    if !bytes.isEmpty { return .body(bytes) }
    return driver.seen.messageComplete ? end() : .needMoreBytes
  }

  private func end() -> HTTP1RequestEvent {
    stage = .head
    return .end
  }
}
