internal import OneShotAPI
internal import RPC
internal import ServiceKit

extension JobService {
  /// The plan's limits, what is used of them today, and what remains; billing counts.
  func getLimits(
    _ request: Jobs.GetLimitsRequest,
    context: ServerContext
  ) async throws -> Jobs.GetLimitsResponse {
    try await answering {
      let user = try context.requireUser()
      let usage = try await billing.getUsage(
        .with { $0.userId = user.description },
        options: context.callOptions
      )
      let limits = usage.limits ?? Billing.PlanLimits()
      return .with {
        $0.planCode = usage.planCode
        $0.limits = .with {
          $0.dailyJobs = limits.dailyJobs
          $0.concurrentJobs = limits.concurrentJobs
          $0.maxSide = limits.maxSide
        }
        $0.usage = .with {
          $0.jobsToday = usage.jobsToday
          $0.concurrentJobs = usage.concurrentJobs
        }
        $0.remaining = .with {
          $0.dailyJobs = max(0, limits.dailyJobs - usage.jobsToday)
          $0.concurrentJobs = max(0, limits.concurrentJobs - usage.concurrentJobs)
        }
      }
    }
  }
}
