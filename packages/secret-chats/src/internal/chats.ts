/**
 * What `SecretChats` does, as programs over the three services.
 *
 * @since 1.0.0
 */
import * as Api from "@effect-mtproto/core/Api"
import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as KeyVisualization from "@effect-mtproto/crypto/KeyVisualization"
import { Transport } from "@effect-mtproto/transport/Transport"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { type ChatState, decodeSummary, type Summary } from "../protocol/ChatState.ts"
import * as Ttl from "../protocol/Ttl.ts"
import * as Errors from "../SecretChatError.ts"
import type { HistoryMessage, KeyPicture, SecretChat, UserPeer } from "../SecretChats.ts"
import { type MessageRow, SecretChatStore } from "../SecretChatStore.ts"
import { chatId as chatIdOf, type SecretPeer } from "../SecretPeer.ts"
import { engine as theEngine, perform, run } from "./acts.ts"
import { actorOf, corrupt, type Engine, read, type Services, stateOf } from "./engine.ts"
import * as HistoryFile from "./historyFile.ts"
import { until } from "./observe.ts"
import { translate } from "./serverError.ts"
import { obstacle, publicState } from "./state.ts"

const resolve = (peer: SecretPeer): Effect.Effect<number, Errors.SecretChatUnknown> => Effect.fromResult(chatIdOf(peer))

// ----- looking

/** @internal */
export const describe = (state: Summary): SecretChat => ({
  chatId: state.chatId,
  userId: state.userId,
  outgoing: state.role === "creator",
  state: publicState(state),
  ...(state.phase._tag === "Closed" ? { closed: state.phase.reason } : {}),
  date: state.date,
  ttl: Ttl.current(state.ttl),
  peerLayer: state.layers.his,
  ...(state.keyHash === undefined ? {} : { keyHash: state.keyHash })
})

/** Looks without waking: nothing is loaded to stay, nothing outstanding is taken up. @internal */
export const look = (
  engine: Engine,
  chatId: number
): Effect.Effect<ChatState, Errors.SecretChatUnknown | Errors.StoreError> => {
  const actor = engine.actors.get(chatId)
  // What a transaction has committed may be known already, by its events, before it is in memory.
  if (actor?.loaded !== undefined && !actor.draining) return Effect.succeed(actor.loaded.state)
  return Effect.flatMap(read(engine.store, chatId), (found) =>
    Option.isSome(found)
      ? Effect.succeed(found.value.state)
      : Effect.fail(new Errors.SecretChatUnknown({ chatId })))
}

/** @internal */
export const get = Effect.fnUntraced(function*(
  peer: SecretPeer
): Effect.fn.Return<SecretChat, Errors.SecretChatUnknown | Errors.StoreError, Services> {
  const chatId = yield* resolve(peer)
  return describe(yield* look(yield* theEngine, chatId))
})

const listPage = 500

/** What a chat is to its user stands in its row: nothing is loaded, and one page at a time is held. @internal */
export const all: Stream.Stream<SecretChat, Errors.StoreError, Services> = Stream.unwrap(
  Effect.map(
    SecretChatStore,
    (store) =>
      Stream.paginate(
        undefined as number | undefined,
        (after) =>
          Effect.flatMap(store.list({ after, limit: listPage }), (rows) => {
            const found: Array<SecretChat> = []
            for (const { head } of rows) {
              const summary = decodeSummary(head)
              if (Result.isFailure(summary)) {
                return Effect.fail(corrupt(summary.failure))
              }
              found.push(describe(summary.success))
            }
            const next = rows.length < listPage ? Option.none() : Option.some(rows.at(-1)!.chatId)
            return Effect.succeed([found, next] as const)
          })
      )
  )
)

/** @internal */
export const list: Effect.Effect<ReadonlyArray<SecretChat>, Errors.StoreError, Services> = Stream.runCollect(all)

/** @internal */
export const keyPicture = Effect.fnUntraced(function*(
  peer: SecretPeer
): Effect.fn.Return<KeyPicture, Errors.SecretChatError, Services> {
  const chatId = yield* resolve(peer)
  const state = yield* look(yield* theEngine, chatId)
  const hash = state.keyHash
  if (hash === undefined) {
    return yield* Effect.fail(obstacle(state) ?? new Errors.StoreError({ reason: "corrupt", operation: "keyPicture" }))
  }
  return {
    hash,
    hex: KeyVisualization.toHex(hash),
    svg: KeyVisualization.toSvg(hash),
    terminal: KeyVisualization.toTerminal(hash, { colors: "truecolor" }),
    letters: KeyVisualization.toTerminal(hash, { colors: "none" })
  }
})

// ----- coming to be

const randomChatId = (crypto: Crypto["Service"]): number => {
  const bytes = crypto.randomBytes(4)
  const id = new DataView(bytes.buffer, bytes.byteOffset, 4).getInt32(0, true) & 0x7fff_ffff
  return id === 0 ? randomChatId(crypto) : id
}

/** Errors that a closed chat stands for, to whoever asked for it to be opened. */
const whyClosed = (state: ChatState): Errors.SecretChatError | undefined => {
  const { chatId, phase } = state
  if (phase._tag !== "Closed") return undefined
  const { reason } = phase
  switch (reason._tag) {
    case "Refused":
      return Errors.fromServer(reason.error)
    case "TakenElsewhere":
      return new Errors.EncryptionAlreadyAccepted({ code: 400, type: "ENCRYPTION_ALREADY_ACCEPTED" })
    case "Withdrawn":
      return new Errors.EncryptionAlreadyDeclined({ code: 400, type: "ENCRYPTION_ALREADY_DECLINED" })
    default:
      return new Errors.SecretChatClosed({ chatId, reason })
  }
}

const untilState = (chatId: number, isReached: (state: ChatState) => boolean) =>
  until(chatId, (state): Result.Result<SecretChat, Errors.SecretChatError> | undefined => {
    const closed = whyClosed(state)
    if (closed !== undefined) return Result.fail(closed)
    return isReached(state) ? Result.succeed(describe(state)) : undefined
  })

const isReady = (state: ChatState): boolean => state.phase._tag === "Ready"

/** @internal */
export const request = Effect.fnUntraced(function*(
  user: UserPeer
): Effect.fn.Return<SecretChat, Errors.SecretChatError, Services> {
  const crypto = yield* Crypto
  const userId = "userId" in user ? user.userId : user.id
  const userAccessHash = user.accessHash ?? 0n
  while (true) {
    const chatId = randomChatId(crypto)
    const isNew = yield* run(chatId, (work): Result.Result<boolean, Errors.SecretChatError> => {
      if (work.stored) return Result.succeed(false)
      return Result.map(work.step({ _tag: "Request", userId, userAccessHash }), () => true)
    })
    if (isNew) {
      return yield* untilState(
        chatId,
        (state) =>
          isReady(state) || state.phase._tag === "Agreeing" || (state.phase._tag === "Waiting" && state.phase.known)
      )
    }
  }
})

/** @internal */
export const accept = Effect.fnUntraced(function*(
  peer: SecretPeer
): Effect.fn.Return<SecretChat, Errors.SecretChatError, Services> {
  const chatId = yield* resolve(peer)
  yield* run(chatId, (work): Result.Result<void, Errors.SecretChatError> => {
    if (!work.stored) return Result.fail(new Errors.SecretChatUnknown({ chatId }))
    // Saying yes twice is saying yes.
    if (["Accepting", "Confirming", "Ready"].includes(work.state.phase._tag)) return Result.void
    return Result.map(work.step({ _tag: "Accept" }), () => undefined)
  })
  return yield* untilState(chatId, isReady)
})

/** @internal */
export const awaitReady = Effect.fnUntraced(function*(
  peer: SecretPeer
): Effect.fn.Return<SecretChat, Errors.SecretChatError, Services> {
  return yield* untilState(yield* resolve(peer), isReady)
})

/** @internal */
export const discard = Effect.fnUntraced(function*(
  peer: SecretPeer,
  deleteHistory: boolean
): Effect.fn.Return<SecretChat, Errors.SecretChatError, Services> {
  const chatId = yield* resolve(peer)
  yield* run(chatId, (work): Result.Result<void, Errors.SecretChatError> =>
    work.stored
      ? Result.map(work.step({ _tag: "Discard", deleteHistory }), () => undefined)
      : Result.fail(new Errors.SecretChatUnknown({ chatId })))
  return yield* until(
    chatId,
    (state) => state.phase._tag === "Closed" && !state.phase.discard ? Result.succeed(describe(state)) : undefined
  )
})

/** @internal */
export const forget = Effect.fnUntraced(function*(
  peer: SecretPeer
): Effect.fn.Return<void, Errors.SecretChatError, Services> {
  const chatId = yield* resolve(peer)
  yield* run(chatId, (work): Result.Result<void, Errors.SecretChatError> => {
    if (!work.stored) return Result.fail(new Errors.SecretChatUnknown({ chatId }))
    if (work.state.phase._tag !== "Closed" || work.state.phase.discard) {
      return Result.fail(new Errors.MessageInvalid({ path: [], problem: "only a closed chat can be forgotten" }))
    }
    work.forget()
    return Result.void
  })
})

// ----- signals

/** @internal */
export const markRead = Effect.fnUntraced(function*(
  peer: SecretPeer,
  maxDate: number
): Effect.fn.Return<void, Errors.SecretChatError, Services> {
  const chatId = yield* resolve(peer)
  yield* run(chatId, (work): Result.Result<void, Errors.SecretChatError> =>
    work.stored
      ? Result.map(work.step({ _tag: "MarkRead", maxDate }), () => undefined)
      : Result.fail(new Errors.SecretChatUnknown({ chatId })))
})

/** @internal */
export const setTyping = Effect.fnUntraced(function*(
  peer: SecretPeer,
  typing: boolean
): Effect.fn.Return<void, Errors.SecretChatError, Services> {
  const chatId = yield* resolve(peer)
  const engine = yield* theEngine
  const state = yield* look(engine, chatId)
  const problem = obstacle(state)
  if (problem !== undefined) return yield* Effect.fail(problem)
  const transport = yield* Transport
  yield* transport.invoke(Api.messages.setEncryptedTyping({
    peer: { _tag: "inputEncryptedChat", chatId, accessHash: state.accessHash },
    typing
  })).pipe(Effect.mapError(translate))
})

// ----- history

const decodeMessage = TlCodec.decodeResult(DecryptedMessage.AnyMessage)

const historyMessage = (row: MessageRow): Result.Result<HistoryMessage, Errors.StoreError> => {
  const decoded = decodeMessage(row.data)
  if (Result.isFailure(decoded) || decoded.success._tag !== "decryptedMessage") {
    return Result.fail(new Errors.StoreError({ reason: "corrupt", operation: "messages" }))
  }
  const { chatId, date, failure, index, outgoing, position, randomId, state } = row
  const file = row.file === undefined ? undefined : HistoryFile.decode(row.file)
  if (row.file !== undefined && file === undefined) {
    return Result.fail(new Errors.StoreError({ reason: "corrupt", operation: "messages" }))
  }
  return Result.succeed({
    chatId,
    position,
    randomId,
    outgoing,
    index,
    state,
    date,
    ...(failure === undefined ? {} : { failure }),
    message: decoded.success,
    ...(file === undefined ? {} : { file })
  })
}

/** @internal */
export const messages = Effect.fnUntraced(function*(
  peer: SecretPeer,
  page: {
    readonly before?: number | undefined
    readonly after?: number | undefined
    readonly order?: "newest-first" | "oldest-first" | undefined
    readonly limit?: number | undefined
  }
): Effect.fn.Return<ReadonlyArray<HistoryMessage>, Errors.SecretChatUnknown | Errors.StoreError, Services> {
  const chatId = yield* resolve(peer)
  const store = yield* SecretChatStore
  const rows = yield* store.messages({ ...page, chatId })
  return yield* Effect.forEach(rows, (row) => Effect.fromResult(historyMessage(row)))
})

/** @internal */
export const message = Effect.fnUntraced(function*(
  peer: SecretPeer,
  randomId: bigint
): Effect.fn.Return<Option.Option<HistoryMessage>, Errors.SecretChatUnknown | Errors.StoreError, Services> {
  const chatId = yield* resolve(peer)
  const store = yield* SecretChatStore
  const row = yield* store.message(chatId, randomId)
  return Option.isNone(row) ? Option.none() : Option.some(yield* Effect.fromResult(historyMessage(row.value)))
})

// ----- starting

/**
 * Takes up what a run of the program before has left: every chat with something outstanding is loaded, which asks for it
 * again. The others are not looked at; the alarms find those that want to be woken.
 *
 * @internal
 */
export const resume: Effect.Effect<void, Errors.StoreError, Services> = Effect.gen(function*() {
  const engine = yield* theEngine
  for (const { chatId } of yield* engine.store.wakes(0)) {
    yield* Effect.asVoid(stateOf(engine, perform, actorOf(engine, chatId))).pipe(
      // One chat that cannot be read must not keep the others from starting.
      Effect.catchTag("StoreError", (error) =>
        error.reason === "corrupt" || error.reason === "newer"
          ? Effect.logError(`Secret chat ${chatId} cannot be read`, error)
          : Effect.fail(error))
    )
  }
})
