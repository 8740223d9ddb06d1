internal import RPC

/// The errors that clients of the login surface know.
enum AuthFailure {
  /// Wrong address or wrong password: never which of the two.
  static let invalidCredentials = ServiceError(
    code: .unauthenticated,
    reason: "INVALID_CREDENTIALS",
    message: "Wrong e-mail address or password."
  )

  static let emailTaken = ServiceError(
    code: .alreadyExists,
    reason: "EMAIL_TAKEN",
    message: "An account with this e-mail address exists already.",
    violations: [FieldViolation(field: "email", description: "is taken")]
  )

  static let invalidEmail = ServiceError(
    code: .invalidArgument,
    reason: "INVALID_EMAIL",
    message: "The e-mail address is not valid.",
    violations: [FieldViolation(field: "email", description: "must be an e-mail address")]
  )

  static let invalidToken = ServiceError(
    code: .unauthenticated,
    reason: "INVALID_TOKEN",
    message: "The token is not valid. Please sign in again."
  )

  static let tokenExpired = ServiceError(
    code: .unauthenticated,
    reason: "TOKEN_EXPIRED",
    message: "The token has expired. Please sign in again."
  )

  static let tokenReused = ServiceError(
    code: .unauthenticated,
    reason: "REFRESH_TOKEN_REUSED",
    message: "The refresh token was used before. The session has been ended for safety."
  )

  static let notSignedIn = ServiceError(
    code: .unauthenticated,
    reason: "UNAUTHENTICATED",
    message: "Please sign in."
  )

  static let unknownUser = ServiceError(
    code: .notFound,
    reason: "NOT_FOUND",
    message: "There is no such user."
  )

  static func weakPassword(_ weakness: PasswordRule.Weakness) -> ServiceError {
    ServiceError(
      code: .invalidArgument,
      reason: "WEAK_PASSWORD",
      message: weakness.message,
      violations: [FieldViolation(field: "password", description: weakness.message)]
    )
  }

  static func missing(_ field: String) -> ServiceError {
    ServiceError(
      code: .invalidArgument,
      reason: "MISSING_FIELD",
      message: "The field '\(field)' is required.",
      violations: [FieldViolation(field: field, description: "is required")]
    )
  }

  static func invalid(_ field: String, _ description: String) -> ServiceError {
    ServiceError(
      code: .invalidArgument,
      reason: "INVALID_VALUE",
      message: "The field '\(field)' \(description).",
      violations: [FieldViolation(field: field, description: description)]
    )
  }
}
