internal import CCurl
internal import EventLoop

/// Drives one `CURLM` on one loop.
///
/// Confined to its loop as an actor. libcurl's two callbacks only change what is watched and
/// timed; finished transfers are taken up after the library has returned.
actor CurlLoop {
  nonisolated let loop: EventLoop
  private let configuration: HTTPClientConfiguration
  private var multi: MultiHandle?
  private var watchers: [curl_socket_t: FDWatcher] = [:]
  private var timer: LoopTimer?
  private var transfers: [UnsafeMutableRawPointer: Transfer] = [:]
  private var lastID: UInt64 = 0
  private var isShutDown = false

  nonisolated var unownedExecutor: UnownedSerialExecutor { loop.asUnownedSerialExecutor() }

  init(loop: EventLoop, configuration: HTTPClientConfiguration) {
    self.loop = loop
    self.configuration = configuration
  }

  // MARK: Requests

  /// Sends a request, follows its redirects, and returns the last response.
  func execute(
    _ request: HTTPRequest,
    policy: HTTPClientPolicy,
    limits: HTTPClientLimits
  ) async -> Result<HTTPResponse, HTTPClientError> {
    do throws(HTTPClientError) {
      let end = loop.now + limits.deadline
      let rule = RedirectRule(policy: policy, limits: limits)
      var (request, url) = (request, try FetchURL(request.url))
      var followed = 0
      while true {
        guard policy.permits(port: url.port) else {
          throw HTTPClientError(.invalidURL, "port \(url.port)")
        }
        let hop = Transfer.Hop(
          request: request,
          policy: policy,
          limits: limits,
          timeout: end - loop.now
        )
        let response = try await transfer(hop, to: url).get()
        let next = try rule.next(after: response, to: request, at: url, followed: followed)
        guard let next else { return .success(response) }
        (request, url) = next
        followed += 1
      }
    } catch {
      return .failure(error)
    }
  }

  private func transfer(
    _ hop: Transfer.Hop,
    to url: FetchURL
  ) async -> Result<HTTPResponse, HTTPClientError> {
    lastID += 1
    let id = lastID
    let transfer: Transfer
    do throws(HTTPClientError) {
      guard !isShutDown else { throw HTTPClientError(.cancelled, "shut down") }
      transfer = try Transfer(id: id, hop: hop, url: url, configuration: configuration)
    } catch {
      return .failure(error)
    }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        transfer.completion = { continuation.resume(returning: $0) }
        add(transfer)
      }
    } onCancel: {
      // Runs on whoever cancels; the loop is busy with this function until it waits.
      loop.submit { [weak self] in
        self?.assumeIsolated { $0.end(id, HTTPClientError(.cancelled, "task cancelled")) }
      }
    }
  }

  private func add(_ transfer: Transfer) {
    transfers[transfer.easy] = transfer
    guard let multi = startedMulti(),
      curl_multi_add_handle(multi.pointer, transfer.easy) == CURLM_OK
    else {
      transfers[transfer.easy] = nil
      return transfer.finish(.failure(HTTPClientError(.unreachable, "out of memory")))
    }
  }

  private func end(_ id: UInt64, _ error: HTTPClientError) {
    guard let transfer = transfers.values.first(where: { $0.id == id }) else { return }
    remove(transfer)
    transfer.finish(.failure(error))
  }

  private func remove(_ transfer: Transfer) {
    transfers[transfer.easy] = nil
    if let multi { curl_multi_remove_handle(multi.pointer, transfer.easy) }
  }

  /// Ends everything; see ``HTTPClient/shutdown()``.
  func shutdown() {
    isShutDown = true
    for transfer in Array(transfers.values) {
      end(transfer.id, HTTPClientError(.cancelled, "shut down"))
    }
    close()
  }

  // MARK: The library

  private func startedMulti() -> MultiHandle? {
    if let multi { return multi }
    guard CurlLibrary.isReady, let multi = MultiHandle() else { return nil }
    let idle = configuration.idleConnections
    guard
      ccurl_multi_set_long(multi.pointer, CURLMOPT_MAXCONNECTS, idle) == CURLM_OK,
      ccurl_multi_set_callbacks(
        multi.pointer,
        Self.onSocket,
        Self.onTimer,
        Unmanaged.passUnretained(self).toOpaque()
      ) == CURLM_OK
    else { return nil }
    self.multi = multi
    return multi
  }

  private func close() {
    for watcher in watchers.values {
      watcher.close()
    }
    watchers = [:]
    timer?.cancel()
    timer = nil
    multi = nil
  }

  private static let onSocket: ccurl_socket_callback = { _, socket, what, user, _ in
    guard let user else { return -1 }
    let worker = Unmanaged<CurlLoop>.fromOpaque(user).takeUnretainedValue()
    return worker.assumeIsolated { $0.watch(socket, what) }
  }

  private static let onTimer: ccurl_timer_callback = { _, milliseconds, user in
    guard let user else { return -1 }
    let worker = Unmanaged<CurlLoop>.fromOpaque(user).takeUnretainedValue()
    worker.assumeIsolated { $0.setTimer(milliseconds) }
    return 0
  }

  private func watch(_ socket: curl_socket_t, _ what: Int32) -> Int32 {
    guard what != CURL_POLL_REMOVE else {
      watchers.removeValue(forKey: socket)?.close()
      return 0
    }
    var events: FDEvents = []
    if what & CURL_POLL_IN != 0 { events.insert(.readable) }
    if what & CURL_POLL_OUT != 0 { events.insert(.writable) }
    if let watcher = watchers[socket] {
      watcher.update(events)
      return 0
    }
    let watcher = try? loop.watch(socket, for: events) { [weak self] events in
      self?.assumeIsolated { $0.ready(socket, events) }
    }
    guard let watcher else { return -1 }
    watchers[socket] = watcher
    return 0
  }

  /// Sets the one timer; also for 0 ms, as the library may not be re-entered from its callback.
  private func setTimer(_ milliseconds: Int) {
    timer?.cancel()
    timer = nil
    guard milliseconds >= 0 else { return }
    timer = loop.schedule(after: .milliseconds(milliseconds)) { [weak self] in
      self?.assumeIsolated { $0.timerFired() }
    }
  }

  private func timerFired() {
    timer = nil
    act(on: ccurl_socket_timeout(), 0)
  }

  private func ready(_ socket: curl_socket_t, _ events: FDEvents) {
    var mask: Int32 = 0
    if events.contains(.readable) { mask |= CURL_CSELECT_IN }
    if events.contains(.writable) { mask |= CURL_CSELECT_OUT }
    act(on: socket, mask)
  }

  private func act(on socket: curl_socket_t, _ mask: Int32) {
    guard let multi else { return }
    var running: Int32 = 0
    _ = curl_multi_socket_action(multi.pointer, socket, mask, &running)
    var code = CURLE_OK
    while let easy = ccurl_multi_next_done(multi.pointer, &code) {
      guard let transfer = transfers[easy] else { continue }
      let result = transfer.result(code)
      remove(transfer)
      transfer.finish(result)
    }
  }
}

/// Owns one `CURLM` with its kept connections.
///
/// Used by one ``CurlLoop``. May die on any thread, as then no transfer and no callback is left: a
/// transfer under way keeps its loop's actor alive. An `isolated deinit` of the actor would never
/// run when the loop has stopped before.
final class MultiHandle {
  let pointer: UnsafeMutableRawPointer

  init?() {
    guard let pointer = curl_multi_init() else { return nil }
    self.pointer = pointer
  }

  deinit {
    // The library may not call into an actor that is going away.
    _ = ccurl_multi_set_callbacks(pointer, nil, nil, nil)
    curl_multi_cleanup(pointer)
  }
}

/// The library's state of the whole process.
enum CurlLibrary {
  /// True once the library is initialised.
  static let isReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK
}
