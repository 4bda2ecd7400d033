/**
 * Sending one message, and sending a long one as several.
 *
 * @since 1.0.0
 */
import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { Outcome } from "../Outcome.ts"
import * as Chunks from "../protocol/Chunks.ts"
import type { Content } from "../protocol/Content.ts"
import type { Via } from "../protocol/Input.ts"
import * as Machine from "../protocol/Machine.ts"
import * as Errors from "../SecretChatError.ts"
import { chatId as chatIdOf, type SecretPeer } from "../SecretPeer.ts"
import { SendPolicy } from "../SendPolicy.ts"
import { engine as theEngine, perform } from "./acts.ts"
import { actorOf, type Services, stateOf, submit } from "./engine.ts"
import { obstacle } from "./state.ts"

const encode = TlCodec.encodeResult(DecryptedMessage.AnyMessage)

/** Random, never 0. @internal */
export const randomId = (crypto: Crypto["Service"]): bigint => {
  const bytes = crypto.randomBytes(8)
  const id = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigInt64(0, true)
  return id === 0n ? randomId(crypto) : id
}

/**
 * The message with everything that was left out: a random id, and the self-destruct timer of the chat. What the codec
 * cannot write is found here, before anything is numbered.
 */
const complete = (
  draft: DecryptedMessage.AnyDraft,
  crypto: Crypto["Service"],
  ttl: number
): Result.Result<Content, Errors.MessageInvalid> => {
  const tag: unknown = typeof draft === "object" && draft !== null ? draft._tag : undefined
  if (tag !== "decryptedMessage" && tag !== "decryptedMessageService") {
    return Result.fail(
      new Errors.MessageInvalid({ path: ["_tag"], problem: "expected decryptedMessage or decryptedMessageService" })
    )
  }
  const content = DecryptedMessage.complete(draft, { randomId: randomId(crypto), ttl })
  return Result.match(encode(content), {
    onSuccess: () => Result.succeed(content),
    onFailure: (error) =>
      Result.fail(new Errors.MessageInvalid({ path: error.path, problem: `expected ${error.expected}` }))
  })
}

const sendOne = (
  chatId: number,
  content: Content,
  via: Via,
  file: Uint8Array | undefined
): Effect.Effect<Outcome, Errors.SecretChatError, Services> =>
  Effect.gen(function*() {
    const engine = yield* theEngine
    const policy = yield* SendPolicy
    const outcome = Deferred.makeUnsafe<Outcome, Errors.SecretChatError>()
    let index = -1
    const sealed = submit(engine, perform, chatId, (work): Result.Result<void, Errors.SecretChatError> => {
      if (!work.stored) return Result.fail(new Errors.SecretChatUnknown({ chatId }))
      const problem = obstacle(work.state)
      if (problem !== undefined) return Result.fail(problem)
      const step = work.step({ _tag: "Send", content, via }, file)
      if (Result.isFailure(step)) return Result.fail(step.failure)
      for (const output of step.success) {
        if (output._tag === "Seal" && output.record.randomId === content.randomId && output.record.revision === 0) {
          index = output.record.index
        }
      }
      // In place before the commit is announced, for the answer may be there before this fiber runs again.
      work.onCommit(() => actorOf(engine, chatId).waiters.set(index, { outcome, policy }))
      return Result.void
    })
    return yield* Effect.onInterrupt(Effect.andThen(sealed, Deferred.await(outcome)), () =>
      Effect.sync(() => {
        const { waiters } = actorOf(engine, chatId)
        if (waiters.get(index)?.outcome === outcome) waiters.delete(index)
      }))
  })

/** The parts that a message is sent as. */
const prepare = Effect.fnUntraced(function*(
  peer: SecretPeer,
  draft: DecryptedMessage.AnyDraft
): Effect.fn.Return<
  { readonly chatId: number; readonly parts: ReadonlyArray<Content> },
  Errors.SecretChatError,
  Services
> {
  const chatId = yield* Effect.fromResult(chatIdOf(peer))
  const crypto = yield* Crypto
  const engine = yield* theEngine
  const ttl = draft?._tag === "decryptedMessage" && draft.ttl === undefined
    ? Machine.ttl(yield* stateOf(engine, perform, actorOf(engine, chatId)))
    : 0
  const content = yield* Effect.fromResult(complete(draft, crypto, ttl))
  return { chatId, parts: Chunks.split(content, (count) => Array.from({ length: count }, () => randomId(crypto))) }
})

const sendParts = (
  chatId: number,
  parts: ReadonlyArray<Content>,
  via: Via,
  file: Uint8Array | undefined
): Stream.Stream<Outcome, Errors.SecretChatError, Services> =>
  Stream.suspend(() => {
    const sent: Array<Outcome> = []
    return Stream.mapEffect(Stream.fromIterable(parts.entries()), ([i, part]) =>
      sendOne(chatId, part, i === 0 ? via : via === "file" ? "message" : via, i === 0 ? file : undefined).pipe(
        Effect.tap((outcome) =>
          Effect.sync(() => {
            sent.push(outcome)
          })
        ),
        Effect.mapError((error) =>
          Errors.withSent(error, [...sent])
        )
      ))
  })

/**
 * The outcomes of a message, one for each part, as they happen. A part is numbered, encrypted and stored when the ones
 * before it were taken by the server.
 *
 * @internal
 */
export const sendStream = (
  peer: SecretPeer,
  draft: DecryptedMessage.AnyDraft,
  via: Via,
  file?: Uint8Array
): Stream.Stream<Outcome, Errors.SecretChatError, Services> =>
  Stream.unwrap(Effect.map(prepare(peer, draft), ({ chatId, parts }) => sendParts(chatId, parts, via, file)))

/** One outcome as itself, several as an array. @internal */
export type Outcomes = Outcome | readonly [Outcome, Outcome, ...Array<Outcome>]

/** @internal */
export const sendAll = (
  peer: SecretPeer,
  draft: DecryptedMessage.AnyDraft,
  via: Via,
  file?: Uint8Array
): Effect.Effect<Outcomes, Errors.SecretChatError, Services> =>
  Effect.flatMap(prepare(peer, draft), ({ chatId, parts }) =>
    parts.length === 1
      ? Effect.mapError(sendOne(chatId, parts[0]!, via, file), (error) => Errors.withSent(error, []))
      : Effect.map(
        Stream.runCollect(sendParts(chatId, parts, via, file)),
        (outcomes) => outcomes as unknown as Outcomes
      ))
