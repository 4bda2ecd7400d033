/**
 * Logging in and out (core.telegram.org/api/auth).
 *
 * What has to come from a person comes from effects that are passed in, so a
 * login works the same from a terminal, a web form or a test. Phone numbers,
 * codes and passwords are `Redacted` and appear in no error.
 *
 * @since 1.0.0
 */
import * as Api from "@effect-mtproto/core/Api"
import type { FloodWait, RpcError } from "@effect-mtproto/core/RpcError"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import type { CryptoError } from "@effect-mtproto/crypto/CryptoError"
import type { DiffieHellmanError } from "@effect-mtproto/crypto/DiffieHellman"
import * as Srp from "@effect-mtproto/crypto/Srp"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Latch from "effect/Latch"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { MtprotoTransport } from "./MtprotoTransport.ts"
import type { TransportError } from "./Transport.ts"

/**
 * The server wants something that a login here does not do.
 *
 * - `sign-up`: nobody has this phone number yet; accounts are made with an
 *   official app.
 * - `email`: an e-mail address has to be set up first, with an official app.
 * - `payment`: codes to this number are paid for, in an official app.
 * - `password`: the account has a password, and no `password` prompt was given.
 * - `nobody`: there is no login to go on with.
 * - `password-algorithm`: the password is checked in a way that is not known here.
 *
 * @since 1.0.0
 * @category errors
 */
export class LoginError extends Schema.TaggedError<LoginError>()("LoginError", {
  reason: Schema.Literals(["sign-up", "email", "payment", "password", "password-algorithm", "nobody"])
}) {
  override get message(): string {
    return explanations[this.reason]
  }
}

const explanations = {
  "sign-up": "There is no account with this phone number; make one with an official Telegram app",
  email: "Telegram wants an e-mail address for logins; set it up with an official Telegram app",
  payment: "Telegram wants a payment for codes to this number; log in with an official Telegram app",
  password: "The account is protected by a password, and there is nobody to ask for it",
  nobody: "The server does not say whose login this is: log in again",
  "password-algorithm": "The account's password is checked in a way that this software does not know"
}

/**
 * How a code was sent, for the person who is asked for it.
 *
 * @since 1.0.0
 * @category models
 */
export interface CodeRequest {
  /** The way it went, such as `auth.sentCodeTypeApp` or `auth.sentCodeTypeSms`. */
  readonly type: Api.auth.SentCodeType
  /** 1, and more after a wrong code. */
  readonly attempt: number
}

/**
 * @since 1.0.0
 * @category models
 */
export interface PasswordRequest {
  /** What the person has left as a hint. */
  readonly hint: string | undefined
  /** 1, and more after a wrong password. */
  readonly attempt: number
}

/**
 * @since 1.0.0
 * @category models
 */
export interface PasswordOptions<E, R> {
  /** For accounts with two-step verification. */
  readonly password?:
    | ((request: PasswordRequest) => Effect.Effect<Redacted.Redacted<string>, E, R>)
    | undefined
  /** How often code and password may be wrong before the error of the server is the result. Default: 3. */
  readonly attempts?: number | undefined
}

/**
 * @since 1.0.0
 * @category models
 */
export interface PhoneOptions<E, R> extends PasswordOptions<E, R> {
  /** In international form. */
  readonly phone: Redacted.Redacted<string>
  readonly code: (request: CodeRequest) => Effect.Effect<Redacted.Redacted<string>, E, R>
}

/**
 * @since 1.0.0
 * @category models
 */
export interface QrOptions<E, R> extends PasswordOptions<E, R> {
  /** Accounts that are logged in already, which may not accept. */
  readonly exceptIds?: ReadonlyArray<bigint> | undefined
}

/**
 * What happens while a login waits for a device to accept it.
 *
 * - `Token`: show this URL as a QR code, in place of the one before. It is a
 *   secret: whoever accepts it logs this program in. `expiresAt` is unix time of
 *   the server, in seconds.
 * - `LoggedIn`: the last event.
 *
 * @since 1.0.0
 * @category models
 */
export type QrEvent =
  | { readonly _tag: "Token"; readonly url: Redacted.Redacted<string>; readonly expiresAt: number }
  | { readonly _tag: "LoggedIn"; readonly user: Api.user }

/**
 * The errors of a password, which every login of a person may have.
 *
 * @since 1.0.0
 * @category errors
 */
export type PasswordError =
  | LoginError
  | Api.ErrorOf<typeof Api.account.getPassword>
  | Api.ErrorOf<typeof Api.auth.checkPassword>
  | RpcError
  | FloodWait
  | TransportError
  | CryptoError
  | DiffieHellmanError

/**
 * The errors of a login: what the server documents for it, and what else can go
 * wrong on the way.
 *
 * @since 1.0.0
 * @category errors
 */
export type PhoneError =
  | PasswordError
  | Api.ErrorOf<typeof Api.auth.sendCode>
  | Api.ErrorOf<typeof Api.auth.signIn>

/**
 * @since 1.0.0
 * @category errors
 */
export type QrError =
  | PasswordError
  | Api.ErrorOf<typeof Api.auth.exportLoginToken>
  | Api.ErrorOf<typeof Api.auth.importLoginToken>

/**
 * @since 1.0.0
 * @category errors
 */
export type BotError =
  | LoginError
  | Api.ErrorOf<typeof Api.auth.importBotAuthorization>
  | RpcError
  | FloodWait
  | TransportError

/** The server asks to begin again when it was restarted; not for ever. */
const MAX_RESTARTS = 3

/**
 * Logs in with a phone number and the code that Telegram sends to it, and with
 * the password if the account has one. Answers with the user.
 *
 * A wrong code or password is asked for again. The data centre of the account is
 * found by itself, if its address is configured.
 *
 * @since 1.0.0
 * @category login
 */
export const phone: <E = never, R = never>(
  options: PhoneOptions<E, R>
) => Effect.Effect<Api.user, PhoneError | E, MtprotoTransport | Crypto | R> = Effect.fn("Login.phone")(
  function*<E, R>(options: PhoneOptions<E, R>) {
    const client = yield* MtprotoTransport
    const sent = yield* sendCode(options.phone)
    switch (sent._tag) {
      case "auth.sentCodeSuccess":
        return yield* finish(sent.authorization)
      case "auth.sentCodePaymentRequired":
        return yield* new LoginError({ reason: "payment" })
      case "auth.sentCode":
        break
    }
    if (sent.type._tag === "auth.sentCodeTypeSetUpEmailRequired") return yield* new LoginError({ reason: "email" })
    const { phoneCodeHash, type } = sent

    const signIn = (attempt: number): Effect.Effect<Api.auth.Authorization | undefined, PhoneError | E, R> =>
      Effect.flatMap(options.code({ type, attempt }), (code) =>
        client.invoke(Api.auth.signIn({
          phoneNumber: Redacted.value(options.phone),
          phoneCodeHash,
          ...writeCode(type, Redacted.value(code))
        })).pipe(
          Effect.catchTag("RpcError", (error) => needsPassword(error) ? Effect.succeed(undefined) : Effect.fail(error)),
          Effect.catchTag(["PhoneCodeInvalid", "PhoneCodeEmpty"], (error) =>
            attempt < attemptsOf(options) ? signIn(attempt + 1) : Effect.fail(error))
        ))

    return yield* finish((yield* signIn(1)) ?? (yield* checkPassword(options)))
  }
)

/**
 * Logs in by a QR code that another device of the account, which is logged in
 * already, scans and accepts (core.telegram.org/api/qr-login).
 *
 * The stream shows one URL after the other, each replaced before it expires, and
 * ends with the user. The password, if the account has one, is asked for once
 * the code was accepted. Ending the stream early leaves nobody logged in.
 *
 * ```ts
 * Login.qr().pipe(
 *   Stream.runForEach((event) =>
 *     event._tag === "Token" ? show(Redacted.value(event.url)) : Console.log(`Hello, ${event.user.firstName}`)
 *   )
 * )
 * ```
 *
 * @since 1.0.0
 * @category login
 */
export const qr = <E = never, R = never>(
  options: QrOptions<E, R> = {}
): Stream.Stream<QrEvent, QrError | E, MtprotoTransport | Crypto | R> =>
  Stream.unwrap(Effect.gen(function*() {
    const client = yield* MtprotoTransport
    const accepted = Latch.makeUnsafe(false)
    yield* Effect.acquireRelease(
      Effect.sync(() => client.onLoginToken(() => accepted.openUnsafe())),
      (stop) => Effect.sync(stop)
    )
    const request = Api.auth.exportLoginToken({
      apiId: client.apiId,
      apiHash: Redacted.value(client.apiHash),
      exceptIds: options.exceptIds ?? []
    })

    const ask = (restarts: number): Effect.Effect<QrEvent, QrError | E, MtprotoTransport | Crypto | R> =>
      Effect.suspend(() => {
        accepted.closeUnsafe()
        return Effect.flatMap(client.invoke(request), (token) => follow(token, restarts))
      }).pipe(
        Effect.catchTag("RpcError", (error) =>
          needsPassword(error)
            ? Effect.flatMap(checkPassword(options), loggedIn)
            : Effect.fail(error))
      )

    const follow = (
      token: Api.auth.LoginToken,
      restarts: number
    ): Effect.Effect<QrEvent, QrError | E, MtprotoTransport | Crypto | R> => {
      switch (token._tag) {
        case "auth.loginToken":
          return Effect.succeed({ _tag: "Token", url: urlOf(token.token), expiresAt: token.expires })
        case "auth.loginTokenSuccess":
          return loggedIn(token.authorization)
        case "auth.loginTokenMigrateTo":
          return client.moveTo(token.dcId).pipe(
            Effect.andThen(client.invoke(Api.auth.importLoginToken({ token: token.token }))),
            Effect.flatMap((next) => follow(next, restarts)),
            Effect.catchTag(
              "AuthTokenExpired",
              (error) => restarts < MAX_RESTARTS ? ask(restarts + 1) : Effect.fail(error)
            )
          )
      }
    }

    return Stream.unfold<QrEvent | undefined, QrEvent, QrError | E, MtprotoTransport | Crypto | R>(
      undefined,
      Effect.fnUntraced(function*(last) {
        if (last?._tag === "LoggedIn") return undefined
        if (last !== undefined) {
          const left = last.expiresAt * 1_000 - (yield* client.serverTime) - RENEW_TOKEN
          // the code has been accepted, or is about to expire
          yield* Effect.raceFirst(accepted.await, Effect.sleep(Math.min(Math.max(left, 1_000), LONGEST_TOKEN)))
        }
        const event = yield* ask(0)
        return [event, event] as const
      })
    )
  }))

/**
 * Logs in a bot with the token that BotFather gave to it. Bots have no secret
 * chats.
 *
 * @since 1.0.0
 * @category login
 */
export const bot: (options: {
  readonly token: Redacted.Redacted<string>
}) => Effect.Effect<Api.user, BotError, MtprotoTransport> = Effect.fn("Login.bot")(function*({ token }) {
  const client = yield* MtprotoTransport
  return yield* finish(
    yield* client.invoke(Api.auth.importBotAuthorization({
      flags: 0,
      apiId: client.apiId,
      apiHash: Redacted.value(client.apiHash),
      botAuthToken: Redacted.value(token)
    }))
  )
})

/**
 * The second step alone: proves the password (SRP, nothing of it is sent) where a
 * login has been answered with `SESSION_PASSWORD_NEEDED`.
 *
 * @since 1.0.0
 * @category login
 */
export const password: <E = never, R = never>(
  options: PasswordOptions<E, R>
) => Effect.Effect<Api.user, PasswordError | E, MtprotoTransport | Crypto | R> = Effect.fn("Login.password")(
  function*<E, R>(options: PasswordOptions<E, R>) {
    return yield* finish(yield* checkPassword(options))
  }
)

/**
 * Goes on with a login that is in the store already, as after `SessionString.load`:
 * asks the server whose it is, and remembers that. Fails with the server's
 * `AUTH_KEY_UNREGISTERED` if nobody is logged in.
 *
 * @since 1.0.0
 * @category login
 */
export const resume: Effect.Effect<
  Api.user,
  LoginError | Api.ErrorOf<typeof Api.users.getUsers> | RpcError | FloodWait | TransportError,
  MtprotoTransport
> = Effect.gen(function*() {
  const client = yield* MtprotoTransport
  const [user] = yield* client.invoke(Api.users.getUsers({ id: [{ _tag: "inputUserSelf" }] }))
  if (user?._tag !== "user") return yield* new LoginError({ reason: "nobody" })
  const { userId } = yield* client.account
  if (userId !== user.id) yield* client.signedIn(user.id)
  return user
}).pipe(Effect.withSpan("Login.resume"))

/**
 * Ends the login: the server forgets it, and so does the store. All secret chats
 * of this device end with it.
 *
 * @since 1.0.0
 * @category logout
 */
export const logOut: Effect.Effect<void, RpcError | FloodWait | TransportError, MtprotoTransport> = Effect.gen(
  function*() {
    const client = yield* MtprotoTransport
    yield* client.invoke(Api.auth.logOut()).pipe(
      // where there is no login any more, none has to be ended
      Effect.catchTag(
        "RpcError",
        (error) => error.code === 401 ? Effect.void : Effect.fail(error)
      ),
      Effect.catchTag(
        "TransportError",
        (error) => error.reason === "unauthorized" || error.reason === "duplicated" ? Effect.void : Effect.fail(error)
      )
    )
    yield* client.signedOut
  }
).pipe(Effect.withSpan("Login.logOut"))

// ----- parts

const needsPassword = (error: { readonly _tag: unknown; readonly type?: unknown }): boolean =>
  error.type === "SESSION_PASSWORD_NEEDED"

/** A code is replaced so long before it expires, in milliseconds. */
const RENEW_TOKEN = 3_000
const LONGEST_TOKEN = 10 * 60_000

const urlOf = (token: Uint8Array): Redacted.Redacted<string> =>
  Redacted.make(`tg://login?token=${Base64Url.encode(token)}`, { label: "loginToken" })

const loggedIn = (authorization: Api.auth.Authorization) =>
  Effect.map(finish(authorization), (user): QrEvent => ({ _tag: "LoggedIn", user }))

const attemptsOf = (options: { readonly attempts?: number | undefined }): number => options.attempts ?? 3

const sendCode = Effect.fnUntraced(function*(phoneNumber: Redacted.Redacted<string>) {
  const client = yield* MtprotoTransport
  const request = Api.auth.sendCode({
    phoneNumber: Redacted.value(phoneNumber),
    apiId: client.apiId,
    apiHash: Redacted.value(client.apiHash),
    settings: { _tag: "codeSettings" }
  })
  return yield* Effect.retry(client.invoke(request), {
    times: MAX_RESTARTS,
    while: (error) => error._tag === "AuthRestart"
  })
})

/** A code that came by mail goes into another field. */
const writeCode = (type: Api.auth.SentCodeType, code: string) =>
  type._tag === "auth.sentCodeTypeEmailCode"
    ? { emailVerification: { _tag: "emailVerificationCode", code } as const }
    : { phoneCode: code }

const checkPassword = <E, R>(
  options: PasswordOptions<E, R>,
  attempt = 1
): Effect.Effect<Api.auth.Authorization, PasswordError | E, MtprotoTransport | Crypto | R> =>
  Effect.gen(function*() {
    const client = yield* MtprotoTransport
    const crypto = yield* Crypto
    if (options.password === undefined) return yield* new LoginError({ reason: "password" })
    const { currentAlgo, hint } = yield* client.invoke(Api.account.getPassword())
    const password = yield* options.password({ hint, attempt })
    // asked for again, since they are good for one attempt and a person needs time
    const { srpB, srpId } = yield* client.invoke(Api.account.getPassword())
    if (
      currentAlgo?._tag !== "passwordKdfAlgoSHA256SHA256PBKDF2HMACSHA512iter100000SHA256ModPow" ||
      srpB === undefined || srpId === undefined
    ) {
      return yield* new LoginError({ reason: "password-algorithm" })
    }
    const { a, m1 } = yield* Srp.prove(crypto, { algorithm: currentAlgo, srpB, password })
    return yield* Effect.catchTag(
      client.invoke(Api.auth.checkPassword({ password: { _tag: "inputCheckPasswordSRP", srpId, A: a, M1: m1 } })),
      ["PasswordHashInvalid", "SrpIdInvalid"],
      (error) => attempt < attemptsOf(options) ? checkPassword(options, attempt + 1) : Effect.fail(error)
    )
  })

const finish = Effect.fnUntraced(function*(authorization: Api.auth.Authorization) {
  if (authorization._tag === "auth.authorizationSignUpRequired") return yield* new LoginError({ reason: "sign-up" })
  const { user } = authorization
  const client = yield* MtprotoTransport
  yield* client.signedIn(user.id)
  // an account that has just logged in is not an empty one
  return user._tag === "user" ? user : yield* new LoginError({ reason: "sign-up" })
})
