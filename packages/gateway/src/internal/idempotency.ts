/**
 * Requests with an `Idempotency-Key`: the second of two that are equal gets the answer of the first, also from another run of
 * the gateway.
 *
 * What a send is called (its random id) is written down before it is sent, so that after a crash between sending and
 * remembering the answer the message can be found again: in the history, or in what becomes of it.
 *
 * A flood is no answer: nothing was sent, and the same request is made again, under another name, when it comes again.
 */
import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import { type HistoryMessage, SecretChats } from "@effect-mtproto/secret-chats/SecretChats"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Failure from "../Failure.ts"
import type { Session } from "../GatewayStore.ts"
import * as Json from "../Json.ts"
import * as LoosePeer from "../LoosePeer.ts"
import type { Params } from "../Params.ts"
import { recordOutcome, Runtime } from "../Sessions.ts"
import { type Answer, type Gateway, json } from "./call.ts"

/** Answers are remembered this long, in milliseconds. */
export const LIFE = 86_400_000

const keyPattern = /^[\x21-\x7e](?:[\x20-\x7e]{0,253}[\x21-\x7e])?$/

const wrongKey = Failure.badRequest(
  "The Idempotency-Key has to be 1 to 255 printable characters",
  "IDEMPOTENCY_KEY_INVALID"
)
const otherRequest = Failure.make(
  422,
  "IDEMPOTENCY_KEY_REUSED",
  "This Idempotency-Key was used for another request"
)
const inDoubt = Failure.make(
  409,
  "REQUEST_IN_DOUBT",
  "What became of the first request with this Idempotency-Key is not known: look at getSecretMessages, and use another key"
)
const underWay = new Failure.Failure({
  code: 409,
  type: "REQUEST_UNDER_WAY",
  description: "The message of the first request with this Idempotency-Key is stored and on its way; ask again",
  retryAfter: 5,
  transient: true
})

const utf8 = new TextEncoder()

const canonical = (method: string, params: Params, file: string | undefined): string =>
  Json.stringify([method, file ?? null, Object.entries(params).toSorted(([a], [b]) => a < b ? -1 : 1)])

/** What is stored of an answer. */
const write = (answer: { readonly value: unknown } | { readonly failure: Failure.Failure }) => {
  if ("value" in answer) return { status: 200, body: Json.stringify({ result: answer.value ?? null }) }
  const { code, description, sent, type } = answer.failure
  return {
    status: code,
    body: Json.stringify({ failure: { code, type, description, ...sent === undefined ? {} : { sent } } })
  }
}

const readAnswer = (body: string): Effect.Effect<Answer, Failure.Failure> => {
  const parsed = JSON.parse(body) as {
    readonly result?: unknown
    readonly failure?: {
      readonly code: number
      readonly type: string
      readonly description?: string
      readonly sent?: unknown
    }
  }
  if (parsed.failure === undefined) return Effect.succeed(json(parsed.result))
  const { code, description, sent, type } = parsed.failure
  return Effect.fail(
    new Failure.Failure({
      code: code >= 400 && code <= 599 ? code : 400,
      type,
      description: description ?? type,
      ...sent === undefined ? {} : { sent }
    })
  )
}

interface Request {
  readonly session: Session
  readonly key: string
  readonly method: string
  readonly params: Params
  readonly fileName: string | undefined
  readonly isSend: boolean
  readonly run: (randomId: bigint) => Effect.Effect<Answer, unknown>
}

export interface Idempotency {
  readonly perform: (request: Request) => Effect.Effect<Answer, unknown>
}

/** How often, and how long, what becomes of a message is looked for. */
const LOOK = 200
const LOOKS = 50

export const make = (gateway: Gateway): Idempotency => {
  const { sessions, store, vault } = gateway
  const underWayHere = new Map<string, Deferred.Deferred<void>>()

  const outcomeOf = ({ chatId, date, index, randomId }: HistoryMessage) => ({
    _: "messages.sentEncryptedMessage",
    date,
    chat_id: chatId,
    random_id: randomId.toString(),
    index
  })

  /** What became of the message, as the history has it; `undefined` if it has not. */
  const fromHistory = (session: string, chatId: number, randomId: bigint): Effect.Effect<Answer | undefined, unknown> =>
    sessions.use(
      session,
      Effect.gen(function*() {
        const chats = yield* SecretChats
        for (let look = 0; look < LOOKS; look++) {
          const found = yield* chats.message(chatId, randomId)
          if (Option.isNone(found)) return undefined
          const message = found.value
          if (message.state === "failed") {
            const [, code, type] = /^(-?\d+) (.*)$/.exec(message.failure ?? "") ?? []
            const [, seconds] = /_WAIT_(\d+)$/.exec(type ?? "") ?? []
            if (seconds !== undefined) {
              return yield* Failure.fromError({ _tag: "FloodWait", code: 420, type, seconds: Number(seconds) })
            }
            return yield* Failure.make(Number(code ?? 400), type ?? "MESSAGE_FAILED", message.failure ?? "It failed")
          }
          if (message.state !== "queued") return json(outcomeOf(message))
          yield* Effect.sleep(LOOK)
        }
        return yield* underWay
      })
    )

  const isLong = (params: Params): boolean => {
    const message = DecryptedMessage.fromJson(params["message"])
    const text = typeof params["message"] === "string"
      ? params["message"]
      : Result.isSuccess(message) && message.success._tag === "decryptedMessage"
      ? message.success.message
      : ""
    return text.length > 4096
  }

  const recover = Effect.fnUntraced(function*(request: Request, key: Uint8Array, hash: Uint8Array, randomId: bigint) {
    if (!request.isSend) return yield* inDoubt
    const chatId = yield* Effect.fromResult(LoosePeer.chatId(request.params["peer"]))
    const found = yield* fromHistory(request.session.id, chatId, randomId)
    if (found !== undefined) return isLong(request.params) ? yield* inDoubt : found
    const again = yield* Effect.result(request.run(randomId))
    if (Result.isSuccess(again)) return again.success
    const failure = Failure.fromError(again.failure)
    if (!/under way already/.test(failure.description)) return yield* failure
    // a service message: it is in no history, but the event about it will be heard
    for (let look = 0; look < LOOKS; look++) {
      const now = yield* store.beginRequest(request.session.id, { key, hash, randomId })
      if (now._tag === "done") return yield* readAnswer(now.body)
      yield* Effect.sleep(LOOK)
    }
    return yield* underWay
  })

  const watch = (session: string, key: Uint8Array, randomId: bigint) =>
    Effect.ignore(sessions.use(
      session,
      Runtime.useSync(({ watched }) => watched.set(randomId, recordOutcome(store, session, key)))
    ))

  const perform = Effect.fnUntraced(function*(request: Request): Effect.fn.Return<Answer, unknown> {
    if (!keyPattern.test(request.key)) return yield* wrongKey
    const { id } = request.session
    const key = vault.mac(`gateway request ${id}`, utf8.encode(request.key))
    const hash = vault.mac("gateway request", utf8.encode(canonical(request.method, request.params, request.fileName)))
    const bytes = gateway.crypto.randomBytes(8)
    const randomId = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigInt64(0, true) || 1n
    const begun = yield* store.beginRequest(id, { key, hash, randomId })
    if (begun._tag === "other") return yield* otherRequest
    if (begun._tag === "done") return yield* readAnswer(begun.body)
    // What becomes of one message is heard, and written down before it is confirmed; so even a crash between the two
    // leaves an answer. Of several parts, or a file, only the call itself knows all.
    const isPlain = request.isSend && !isLong(request.params) && !/file$/i.test(request.method)
    if (isPlain) yield* watch(id, key, begun._tag === "new" ? randomId : begun.randomId)
    const effect = begun._tag === "new" ? request.run(randomId) : recover(request, key, hash, begun.randomId)
    const exit = yield* Effect.exit(effect)
    if (Exit.isSuccess(exit)) {
      // what is streamed is not remembered
      if (exit.value._tag === "Json") yield* store.endRequest(id, key, write({ value: exit.value.value }))
      else yield* store.forgetRequest(id, key)
      return exit.value
    }
    const failure = Failure.fromCause(exit.cause)
    const isOpen = failure.transient === true || failure.code >= 500 || Exit.hasInterrupts(exit)
    // of a message in parts, what was sent stays sent
    if (failure.code === 429 && failure.sent === undefined) yield* store.forgetRequest(id, key)
    else if ((isOpen || failure.code === 401) && request.isSend) return yield* Effect.failCause(exit.cause)
    else if (isOpen || failure.code === 401) yield* store.forgetRequest(id, key)
    else if (failure !== inDoubt) yield* store.endRequest(id, key, write({ failure }))
    return yield* Effect.failCause(exit.cause)
  })

  return {
    perform: (request) => {
      const name = `${request.session.id} ${request.key}`
      const begin: Effect.Effect<Answer, unknown> = Effect.suspend(() => {
        const before = underWayHere.get(name)
        if (before !== undefined) return Effect.andThen(Deferred.await(before), begin)
        const mine = Deferred.makeUnsafe<void>()
        underWayHere.set(name, mine)
        return Effect.ensuring(
          perform(request),
          Effect.sync(() => {
            underWayHere.delete(name)
            Deferred.doneUnsafe(mine, Effect.void)
          })
        )
      })
      return begin
    }
  }
}
