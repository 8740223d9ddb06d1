import OneShotAPI
import RPC
import Testing

@testable import AuthSvc

@Suite("Auth failures") struct AuthFailureTests {
  @Test(
    "Every reason is on the public list, with the status that its meaning asks for",
    arguments: [
      (AuthFailure.invalidCredentials, 401), (AuthFailure.emailTaken, 409),
      (AuthFailure.invalidEmail, 422), (AuthFailure.invalidToken, 401),
      (AuthFailure.tokenExpired, 401), (AuthFailure.tokenReused, 401),
      (AuthFailure.notSignedIn, 401), (AuthFailure.weakPassword(.common), 422),
      (AuthFailure.missing("email"), 422), (AuthFailure.invalid("name", "is too long"), 422),
    ]
  )
  func listed(error: ServiceError, status: Int) {
    let entry = ErrorReasons.all.first { $0.name == error.reason }
    #expect(entry.map { Int($0.httpStatus) } == status)
  }
}
