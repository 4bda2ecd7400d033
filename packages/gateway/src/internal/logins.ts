/** Logging in and out over HTTP, one request a step; what is known between the steps is in the registry. */
import * as Api from "@effect-mtproto/core/Api"
import { SecretChats } from "@effect-mtproto/secret-chats/SecretChats"
import * as Login from "@effect-mtproto/transport/Login"
import { MtprotoTransport } from "@effect-mtproto/transport/MtprotoTransport"
import { SessionStore } from "@effect-mtproto/transport/SessionStore"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Failure from "../Failure.ts"
import type { Session } from "../GatewayStore.ts"
import * as Params from "../Params.ts"
import * as Token from "../Token.ts"
import { type Answer, type Call, type Gateway, json, type Operation } from "./call.ts"

/** Logins that nobody goes on with are forgotten after this time, in milliseconds. */
export const LOGIN_LIFE = 3_600_000

const newId = ({ crypto }: Gateway): string => Buffer.from(crypto.randomBytes(16)).toString("hex")

/** Removes a session with everything that belongs to it. */
const remove = Effect.fnUntraced(function*(gateway: Gateway, id: string) {
  yield* gateway.sessions.use(id, SessionStore.use((store) => store.clear))
  yield* gateway.sessions.close(id)
  yield* gateway.store.removeSession(id)
  gateway.forgetToken(id)
})

/** Forgets logins that nobody goes on with. */
export const sweep = Effect.fnUntraced(function*(gateway: Gateway, now: number) {
  for (const { createdAt, id, record } of yield* gateway.store.sessions) {
    if (record.state !== "ready" && now - createdAt > LOGIN_LIFE) yield* Effect.ignore(remove(gateway, id))
  }
})

// ----- people

const needsPassword = (error: { readonly _tag: unknown; readonly type?: unknown }): boolean =>
  error.type === "SESSION_PASSWORD_NEEDED"

const twoFactor = (hint: string | undefined) =>
  Failure.make(
    401,
    "SESSION_PASSWORD_NEEDED",
    `2FA is enabled, call the complete2FALogin method with the password${hint === undefined ? "" : ` (hint: ${hint})`}`
  )

const signUpNeeded = Failure.make(401, "SIGN_UP_NEEDED", "Need to sign up, call the completesignup method")

/** Begins a login; the answer is the token for the next step. */
export const phone = Effect.fnUntraced(function*(gateway: Gateway, params: Params.Params) {
  const text = yield* Effect.fromResult(Params.text(params, "phone", { max: 32 }))
  const digits = text.replace(/[\s().+-]/g, "")
  if (!/^\d{5,15}$/.test(digits)) {
    return yield* Failure.badRequest("Parameter phone: expected a phone number in international form", "PHONE_INVALID")
  }
  const id = newId(gateway)
  const token = Token.temporary(gateway.crypto)
  const sent = yield* gateway.sessions.use(
    id,
    Effect.gen(function*() {
      const client = yield* MtprotoTransport
      const request = Api.auth.sendCode({
        phoneNumber: digits,
        apiId: client.apiId,
        apiHash: Redacted.value(client.apiHash),
        settings: { _tag: "codeSettings" }
      })
      const answer = yield* Effect.retry(client.invoke(request), {
        times: 3,
        while: (error) => error._tag === "AuthRestart"
      })
      if (answer._tag === "auth.sentCodePaymentRequired") return yield* new Login.LoginError({ reason: "payment" })
      if (answer._tag === "auth.sentCode" && answer.type._tag === "auth.sentCodeTypeSetUpEmailRequired") {
        return yield* new Login.LoginError({ reason: "email" })
      }
      return answer
    })
  ).pipe(Effect.onError(() => Effect.ignore(remove(gateway, id))))
  const session: Session = {
    id,
    kind: "user",
    record: {
      state: "code",
      phone: digits,
      ...sent._tag === "auth.sentCode" ? { phoneCodeHash: sent.phoneCodeHash } : {}
    }
  }
  yield* gateway.store.createSession(session, Token.hash(gateway.vault, "user", token))
  // an account that needs no code
  if (sent._tag === "auth.sentCodeSuccess") return yield* finish(gateway, session, sent.authorization)
  return json(Redacted.value(token))
})

/** The login is complete: the account gets a token that lasts. */
const finish = Effect.fnUntraced(function*(
  gateway: Gateway,
  session: Session,
  authorization: Api.auth.Authorization
): Effect.fn.Return<Answer, unknown> {
  if (authorization._tag === "auth.authorizationSignUpRequired") {
    yield* gateway.store.updateSession(session.id, (record) => ({ ...record, state: "signup" }))
    gateway.forgetToken(session.id)
    return yield* signUpNeeded
  }
  const { id: userId } = authorization.user
  yield* gateway.sessions.use(session.id, MtprotoTransport.use((client) => client.signedIn(userId)))
  return yield* issue(gateway, session, userId)
})

const issue = Effect.fnUntraced(function*(gateway: Gateway, session: Session, userId: bigint) {
  const token = Token.permanent(gateway.crypto, userId)
  yield* gateway.store.updateSession(session.id, ({ policy }) => ({
    state: "ready",
    userId,
    ...policy === undefined ? {} : { policy }
  }))
  yield* gateway.store.setToken(session.id, Token.hash(gateway.vault, "user", token))
  gateway.forgetToken(session.id)
  return json(Redacted.value(token))
})

const notNow = (session: Session): Failure.Failure =>
  session.record.state === "ready"
    ? Failure.badRequest("The login is complete already", "LOGIN_COMPLETE")
    : Failure.badRequest(`The login waits for another step: ${steps[session.record.state]}`, "LOGIN_STEP")

const steps = { code: "completephonelogin", signup: "completesignup", password: "complete2FALogin" }

/** What a session that is not logged in answers to everything else. */
export const incomplete = (session: Session): Failure.Failure =>
  session.record.state === "ready"
    ? Failure.internal
    : Failure.make(
      401,
      "LOGIN_INCOMPLETE",
      `The only method that can be called without authorization is ${steps[session.record.state]}`
    )

export const code: Operation = Effect.fnUntraced(function*(gateway, { params, session }) {
  const { phone, phoneCodeHash, state } = session.record
  if (state !== "code" || phone === undefined || phoneCodeHash === undefined) return yield* notNow(session)
  const given = yield* Effect.fromResult(Params.text(params, "code", { max: 64 }))
  const signIn = gateway.sessions.use(
    session.id,
    MtprotoTransport.use((client) =>
      client.invoke(Api.auth.signIn({ phoneNumber: phone, phoneCodeHash, phoneCode: given })).pipe(
        Effect.catchTag("RpcError", (error) =>
          needsPassword(error)
            ? Effect.map(
              Effect.orElseSucceed(client.invoke(Api.account.getPassword()), () => undefined),
              (found) => ({ hint: found?.hint })
            )
            : Effect.fail(error))
      )
    )
  )
  const answer = yield* signIn
  if ("_tag" in answer) return yield* finish(gateway, session, answer)
  const { hint } = answer
  yield* gateway.store.updateSession(session.id, (record) => ({
    ...record,
    state: "password",
    ...hint === undefined ? {} : { hint }
  }))
  gateway.forgetToken(session.id)
  return yield* twoFactor(hint)
})

export const password: Operation = Effect.fnUntraced(function*(gateway, { params, session }) {
  if (session.record.state !== "password") return yield* notNow(session)
  const given = Redacted.make(yield* Effect.fromResult(Params.text(params, "password", { max: 1024 })))
  const user = yield* gateway.sessions.use(
    session.id,
    Login.password({ password: () => Effect.succeed(given), attempts: 1 })
  )
  return yield* issue(gateway, session, user.id)
})

export const signUp: Operation = Effect.fnUntraced(function*(gateway, { params, session }) {
  const { phone, phoneCodeHash, state } = session.record
  if (state !== "signup" || phone === undefined || phoneCodeHash === undefined) return yield* notNow(session)
  const firstName = yield* Effect.fromResult(Params.text(params, "first_name", { max: 64 }))
  const lastName = yield* Effect.fromResult(Params.text(params, "last_name", { max: 64, fallback: "" }))
  const answer = yield* gateway.sessions.use(
    session.id,
    MtprotoTransport.use((client) =>
      client.invoke(Api.auth.signUp({ phoneNumber: phone, phoneCodeHash, firstName, lastName }))
    )
  )
  return yield* finish(gateway, session, answer)
})

// ----- bots

/** Logs in a bot that this gateway does not know yet. Nothing stays of a token that Telegram does not take. */
export const bot = Effect.fnUntraced(function*(gateway: Gateway, token: Redacted.Redacted<string>) {
  const id = newId(gateway)
  const user = yield* gateway.sessions.use(id, Login.bot({ token })).pipe(
    Effect.onError(() => Effect.ignore(remove(gateway, id)))
  )
  const session: Session = { id, kind: "bot", record: { state: "ready", userId: user.id } }
  yield* gateway.store.createSession(session, Token.hash(gateway.vault, "bot", token))
  return session
})

// ----- the end

/** Ends the login, and the secret chats with it; nothing of the session stays. */
export const logOut: Operation = Effect.fnUntraced(function*(gateway: Gateway, { session }: Call) {
  yield* gateway.webhooks.stop(session.id)
  yield* gateway.sessions.use(
    session.id,
    Effect.gen(function*() {
      const chats = yield* SecretChats
      for (const chat of yield* chats.list) {
        if (chat.state !== "closed") {
          yield* Effect.ignore(Effect.timeout(chats.discard(chat.chatId), "10 seconds"))
        }
        yield* Effect.ignore(chats.forget(chat.chatId))
      }
      yield* Login.logOut
    })
  )
  yield* remove(gateway, session.id)
  return json(true)
})
