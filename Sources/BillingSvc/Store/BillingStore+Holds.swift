internal import Foundation
internal import Postgres
internal import ServiceKit

extension BillingStore {
  /// Passes a job through all gates and sets its credits aside, in one round trip.
  ///
  /// Idempotent by job: a repeat returns the hold that is there, whatever it asks for.
  func hold(_ request: AdmissionRequest) async throws -> AdmissionOutcome {
    let lifetime = Double(settings.holdLifetime.components.seconds)
    let rows = try await query(
      """
      SELECT outcome, hold_state, repeated, amount, balance, expires_at, jobs_today,
             concurrent_now, resets_at, extract(epoch FROM resets_at - decided_at)::bigint,
             plan_code, daily_jobs, concurrent_jobs, max_side, queue_class, watermark, nsfw_mode,
             face_swap_consents, consumes_credits, features, plan_expires_at
      FROM hold_credits(\(request.job.uuid), \(request.user.uuid), \(request.jobType),
                        \(request.maxSide), \(request.features), \(request.consents),
                        \(settings.startingCredits), make_interval(secs => \(lifetime)), \(now))
      """
    )
    guard let row = rows.first else { throw UnexpectedRow(description: "hold_credits: no row") }
    return try HoldRow(row).outcome(of: request)
  }

  /// Spends a hold, once.
  ///
  /// The answer is how the hold stands now, nil when the user has no hold for this job.
  func capture(_ job: JobID, of user: UserID) async throws -> Settlement? {
    let rows = try await query(
      """
      SELECT hold_state, amount, changed
      FROM capture_hold(\(job.uuid), \(user.uuid), \(settings.startingCredits), \(now))
      """
    )
    return try Self.settlement(rows)
  }

  /// Gives a hold back, once; without a hold, leaves a mark that refuses it when it comes.
  ///
  /// `uncounted` takes the job out of the day's count. The answer is how the hold stands now, nil
  /// when the job's hold belongs to another user.
  func release(
    _ job: JobID,
    of user: UserID,
    uncounted: Bool
  ) async throws -> Settlement? {
    let rows = try await query(
      """
      SELECT hold_state, amount, changed
      FROM release_hold(\(job.uuid), \(user.uuid), \(uncounted), \(settings.startingCredits),
                        \(now))
      """
    )
    return try Self.settlement(rows)
  }

  /// Gives back up to `limit` holds whose time is over; returns how many.
  func expireHolds(limit: Int32) async throws -> Int {
    let rows = try await query("SELECT expire_holds(\(limit), \(now))")
    return try rows.first?.decode(at: 0, as: Int.self) ?? 0
  }

  private static func settlement(_ rows: PostgresRows) throws -> Settlement? {
    guard let row = rows.first, !row.isNull(at: 0) else { return nil }
    let (name, amount, changed) = try row.decode(String.self, Int64.self, Bool.self)
    return Settlement(state: try HoldState(column: name), amount: amount, isChanged: changed)
  }
}

extension HoldState {
  /// Reads the database's word.
  init(column name: String) throws(UnexpectedRow) {
    guard let state = HoldState(rawValue: name) else {
      throw UnexpectedRow(description: "unknown state of a hold: \(name)")
    }
    self = state
  }
}

/// One answer of `hold_credits`, in the order of its columns.
private struct HoldRow {
  let outcome: String
  let state: String?
  let isRepeated: Bool
  let amount: Int64?
  let balance: Int64
  let expiresAt: Date?
  let jobsToday: Int32?
  let concurrentNow: Int32?
  let resetsAt: Date
  let secondsToReset: Int64
  let entitlements: Entitlements

  init(_ row: PostgresRow) throws {
    var columns = ColumnReader(row)
    outcome = try columns.next()
    state = try columns.next()
    isRepeated = try columns.next()
    amount = try columns.next()
    balance = try columns.next()
    expiresAt = try columns.next()
    jobsToday = try columns.next()
    concurrentNow = try columns.next()
    resetsAt = try columns.next()
    secondsToReset = try columns.next()
    entitlements = try Entitlements(&columns)
  }

  func outcome(of request: AdmissionRequest) throws -> AdmissionOutcome {
    if outcome == "held", let state, let amount, let expiresAt {
      return .admitted(
        Admission(
          state: try HoldState(column: state),
          amount: amount,
          balance: balance,
          expiresAt: expiresAt,
          entitlements: entitlements,
          isRepeated: isRepeated
        )
      )
    }
    return .refused(try refusal(of: request))
  }

  private func refusal(of request: AdmissionRequest) throws -> Refusal {
    let limits = entitlements.limits
    switch outcome {
    case "consent":
      let given = Set(request.consents)
      let required = entitlements.faceSwapConsents
      return .consent(required: required, missing: required.filter { !given.contains($0) })
    case "feature":
      return .feature
    case "max_side":
      return .maxSide(requested: request.maxSide ?? 0, limit: limits.maxSide)
    case "daily":
      return .daily(
        used: jobsToday ?? 0,
        limit: limits.dailyJobs,
        resetsAt: resetsAt,
        secondsLeft: secondsToReset
      )
    case "concurrent":
      return .concurrent(running: concurrentNow ?? 0, limit: limits.concurrentJobs)
    case "credits":
      return .credits(cost: amount ?? 0, balance: balance)
    case "ended":
      return .ended(try HoldState(column: state ?? ""))
    case "other_owner":
      return .otherOwner
    default:
      throw UnexpectedRow(description: "unknown outcome of hold_credits: \(outcome)")
    }
  }
}

extension Entitlements {
  /// Reads the plan's columns, `plan_code` to `plan_expires_at`.
  init(_ columns: inout ColumnReader) throws(PostgresError) {
    self.init(
      planCode: try columns.next(),
      limits: PlanLimits(
        dailyJobs: try columns.next(),
        concurrentJobs: try columns.next(),
        maxSide: try columns.next()
      ),
      queueClass: try columns.next(),
      watermark: try columns.next(),
      nsfwMode: try columns.next(),
      faceSwapConsents: try columns.next(),
      consumesCredits: try columns.next(),
      features: try columns.next(),
      expiresAt: try columns.next()
    )
  }
}
