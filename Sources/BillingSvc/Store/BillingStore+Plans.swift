internal import Foundation
internal import Postgres
internal import ServiceKit

/// What a user has used of the plan today.
struct Usage: Sendable, Hashable {
  var planCode: String
  var limits: PlanLimits
  var jobsToday: Int32
  var concurrentJobs: Int32
  /// When the day's count starts again.
  var resetsAt: Date
}

extension BillingStore {
  /// The plans with the configuration's changes, cheapest first.
  func plans() async throws -> [Plan] {
    let rows = try await query(
      """
      SELECT code, name, daily_jobs, concurrent_jobs, max_side, priority, watermark, nsfw_mode,
             face_swap_consents, commercial_use, consumes_credits, credits_included, features
      FROM effective_plan ORDER BY position
      """
    )
    return try rows.map { row in
      var columns = ColumnReader(row)
      return Plan(
        code: try columns.next(),
        name: try columns.next(),
        limits: PlanLimits(
          dailyJobs: try columns.next(),
          concurrentJobs: try columns.next(),
          maxSide: try columns.next()
        ),
        priority: try columns.next(),
        watermark: try columns.next(),
        nsfwMode: try columns.next(),
        faceSwapConsents: try columns.next(),
        commercialUse: try columns.next(),
        consumesCredits: try columns.next(),
        creditsIncluded: try columns.next(),
        features: try columns.next()
      )
    }
  }

  /// The price list.
  func jobCosts() async throws -> [JobCost] {
    let rows = try await query("SELECT job_type, credits FROM job_cost ORDER BY job_type")
    return try rows.map { row in
      let (jobType, credits) = try row.decode(String.self, Int64.self)
      return JobCost(jobType: jobType, credits: credits)
    }
  }

  /// The plan in force and the spendable credits; opens the account of a user who has none.
  func entitlements(of user: UserID) async throws -> (Entitlements, balance: Int64) {
    let rows = try await query(
      """
      SELECT coalesce(
               (SELECT balance FROM ledger_account
                WHERE owner_id = \(user.uuid) AND kind = 'available'),
               balance_of(\(user.uuid), \(settings.startingCredits), \(now))),
             p.code, p.daily_jobs, p.concurrent_jobs, p.max_side, p.queue_class, p.watermark,
             p.nsfw_mode, p.face_swap_consents, p.consumes_credits, p.features, e.expires_at
      FROM entitlement_at(\(user.uuid), coalesce(\(now), clock_timestamp())) e
      JOIN effective_plan p ON p.code = e.plan_code
      """
    )
    guard let row = rows.first else { throw UnexpectedRow(description: "entitlements: no row") }
    var columns = ColumnReader(row)
    let balance: Int64 = try columns.next()
    return (try Entitlements(&columns), balance)
  }

  /// Today's jobs and the unfinished ones.
  func usage(of user: UserID) async throws -> Usage {
    let rows = try await query(
      """
      WITH moment AS (
        SELECT coalesce(\(now), clock_timestamp()) AS at
      ), today AS (
        SELECT at, (at AT TIME ZONE 'UTC')::date AS day FROM moment
      )
      SELECT p.code, p.daily_jobs, p.concurrent_jobs, p.max_side,
             coalesce((SELECT u.jobs_created FROM usage_aggregate u
                       WHERE u.user_id = \(user.uuid) AND u.day = today.day), 0),
             (SELECT count(*) FROM credit_hold h
              WHERE h.user_id = \(user.uuid) AND h.state = 'held' AND h.expires_at > today.at),
             (today.day + 1)::timestamp AT TIME ZONE 'UTC'
      FROM today, entitlement_at(\(user.uuid), today.at) e
      JOIN effective_plan p ON p.code = e.plan_code
      """
    )
    guard let row = rows.first else { throw UnexpectedRow(description: "usage: no row") }
    var columns = ColumnReader(row)
    return Usage(
      planCode: try columns.next(),
      limits: PlanLimits(
        dailyJobs: try columns.next(),
        concurrentJobs: try columns.next(),
        maxSide: try columns.next()
      ),
      jobsToday: try columns.next(),
      concurrentJobs: try columns.next(),
      resetsAt: try columns.next()
    )
  }

  /// Replaces the configuration's changes to plans by these.
  ///
  /// - Throws: ``PostgresError`` with a foreign key violation for a plan that does not exist.
  func apply(_ overrides: PlanOverrides) async throws {
    var statements: [PostgresQuery] = ["DELETE FROM plan_override"]
    for (plan, values) in overrides.values.sorted(by: { $0.key < $1.key }) {
      statements.append(
        """
        INSERT INTO plan_override (plan_code, daily_jobs, concurrent_jobs, max_side,
                                   credits_included, consumes_credits)
        VALUES (\(plan), \(values.dailyJobs), \(values.concurrentJobs), \(values.maxSide),
                \(values.creditsIncluded), \(values.consumesCredits))
        """
      )
    }
    _ = try await batch(statements)
  }
}
