/**
 * What a chat asks for once its state is safe: calls of the server and computations of the key exchange. Each ends with an
 * input to the machine.
 *
 * A lost connection is no answer: the call is made again, the same, until there is one or the transport has ended. Nothing
 * is stored about a call under way; after a restart the chat asks for it again.
 *
 * @since 1.0.0
 */
import * as Api from "@effect-mtproto/core/Api"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import type { CryptoError } from "@effect-mtproto/crypto/CryptoError"
import * as DiffieHellman from "@effect-mtproto/crypto/DiffieHellman"
import * as KeyVisualization from "@effect-mtproto/crypto/KeyVisualization"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import { Transport, type TransportError } from "@effect-mtproto/transport/Transport"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import type { ServerError } from "../protocol/Events.ts"
import type { Input, Purpose } from "../protocol/Input.ts"
import type { Dh } from "../protocol/Keys.ts"
import type { Act } from "../protocol/Output.ts"
import * as Errors from "../SecretChatError.ts"
import type { StoreError } from "../SecretChatError.ts"
import { SendPolicy } from "../SendPolicy.ts"
import {
  type Actor,
  type Engine,
  engineOf,
  keep,
  type Perform,
  type Services,
  start,
  stateOf,
  submit
} from "./engine.ts"
import { flush } from "./flush.ts"
import { hashOf } from "./keys.ts"
import { fromTransport, type InvokeError, isFinal, isTransportError, judge, saidBy } from "./serverError.ts"
import { serverChat } from "./state.ts"
import type { Work } from "./work.ts"

type ActOf<Tag extends Act["_tag"]> = Extract<Act, { readonly _tag: Tag }>

const delays = [500, 1_000, 2_000, 5_000, 10_000, 30_000]

/** Somebody may wait for what could not be done; after the next loading the chat asks for it again. */
const giveUp = (actor: Actor, error: Errors.SecretChatError): void => {
  actor.loaded = undefined
  for (const observer of actor.observers) observer.onTrouble(error)
}

/**
 * Makes a call until there is an answer. `repeated`: an attempt before the last one ended without an answer, so it may have
 * been executed. Fails only when the transport has ended.
 */
const ask = <A>(call: Effect.Effect<A, InvokeError, Transport>): Effect.Effect<
  { readonly answer: Result.Result<A, ServerError>; readonly repeated: boolean },
  TransportError,
  Transport
> =>
  Effect.gen(function*() {
    const policy = yield* SendPolicy
    let repeated = false
    let errors = 0
    for (let attempt = 0;; attempt++) {
      const result = yield* Effect.result(call)
      if (Result.isSuccess(result)) return { answer: Result.succeed(result.success), repeated }
      const error = result.failure
      switch (judge(error)) {
        case "network":
          if (isTransportError(error)) {
            if (isFinal(error)) return yield* Effect.fail(error)
            repeated = true
          }
          break
        case "wait":
        case "transient":
          if (++errors > policy.retries) return { answer: Result.fail(saidBy(error)), repeated }
          break
        default:
          return { answer: Result.fail(saidBy(error)), repeated }
      }
      yield* Effect.sleep(delays[Math.min(attempt, delays.length - 1)]!)
    }
  })

const invoke = <const M extends Api.AnyRequest>(request: M): Effect.Effect<Api.Response<M>, InvokeError, Transport> =>
  Effect.gen(function*() {
    const { floodWaitLimit } = yield* SendPolicy
    const transport = yield* Transport
    return yield* transport.invoke(request, { floodWaitLimit })
  })

// ----- key exchange

/** A computation that was refused, as an input. */
class Refused {
  readonly input: Extract<Input, { readonly _tag: "KeyRefused" }>
  constructor(
    purpose: Purpose,
    check: "parameters" | "public-value" | "server",
    error?: ServerError
  ) {
    this.input = { _tag: "KeyRefused", purpose, check, ...(error === undefined ? {} : { error }) }
  }
}

interface CheckedGroup {
  readonly dh: Dh
  readonly group: DiffieHellman.Group
  readonly serverRandom: Uint8Array | undefined
}

const checked = (purpose: Purpose) =>
  Effect.mapError((error: DiffieHellman.DiffieHellmanError | CryptoError): Refused | CryptoError =>
    error._tag === "DiffieHellmanError"
      ? new Refused(purpose, error.check === "publicValue" ? "public-value" : "parameters")
      : error
  )

/** The group of this chat, or the one that the server gives now; checked every time. */
const groupOf = Effect.fnUntraced(function*(
  engine: Engine,
  purpose: Purpose,
  known: Dh | undefined
): Effect.fn.Return<CheckedGroup, Refused | CryptoError | TransportError, Crypto | Transport> {
  const crypto = yield* Crypto
  if (known !== undefined) {
    const group = yield* checked(purpose)(DiffieHellman.checkGroup(crypto, known))
    return { dh: known, group, serverRandom: undefined }
  }
  const { answer } = yield* ask(
    invoke(Api.messages.getDhConfig({ version: engine.dh?.version ?? 0, randomLength: 256 }))
  )
  if (Result.isFailure(answer)) return yield* Effect.fail(new Refused(purpose, "server", answer.failure))
  const config = answer.success
  const dh: Dh | undefined = config._tag === "messages.dhConfig"
    ? { version: config.version, g: config.g, p: config.p }
    : engine.dh
  // "Not modified" without anything that could have been: the server is wrong about us.
  if (dh === undefined) return yield* Effect.fail(new Refused(purpose, "parameters"))
  const group = yield* checked(purpose)(DiffieHellman.checkGroup(crypto, dh))
  engine.dh = dh
  return { dh, group, serverRandom: config.random }
})

const generate = Effect.fnUntraced(function*(
  engine: Engine,
  { dh: known, purpose }: ActOf<"GenerateKeyPair">
): Effect.fn.Return<Input, Refused | CryptoError | TransportError, Crypto | Transport> {
  const crypto = yield* Crypto
  const { dh, group, serverRandom } = yield* groupOf(engine, purpose, known)
  const own = yield* checked(purpose)(DiffieHellman.generate(crypto, group, serverRandom))
  return { _tag: "KeyPairGenerated", purpose, dh, own }
})

const agree = Effect.fnUntraced(function*(
  engine: Engine,
  chatId: number,
  { dh: known, own: given, peerValue, purpose }: ActOf<"AgreeOnKey">
): Effect.fn.Return<Input, Refused | CryptoError | TransportError | StoreError, Crypto | Transport> {
  const crypto = yield* Crypto
  const { dh, group, serverRandom } = yield* groupOf(engine, purpose, known)
  // The peer's value first: no work is done for one that is out of range.
  yield* checked(purpose)(DiffieHellman.checkPublicValue(group, peerValue))
  const own = given ?? (yield* checked(purpose)(DiffieHellman.generate(crypto, group, serverRandom)))
  const shared = yield* checked(purpose)(DiffieHellman.agree(crypto, group, own.secret, peerValue))
  const seenElsewhere = yield* engine.store.seenElsewhere(chatId, [hashOf(crypto, peerValue)])
  const key = new Uint8Array(shared.bytes)
  const keyHash = KeyVisualization.keyHash(crypto, shared)
  SharedKey.wipe(shared)
  return { _tag: "KeyAgreed", purpose, dh, own, key, fingerprint: shared.id, keyHash, seenElsewhere }
})

// ----- carrying out

const answered = (
  { answer, repeated }: { readonly answer: Result.Result<Api.EncryptedChat, ServerError>; readonly repeated: boolean }
): Input =>
  Result.isSuccess(answer)
    ? { _tag: "ServerChat", chat: serverChat(answer.success) }
    : { _tag: "HandshakeRefused", error: answer.failure, repeated }

/** The input that an act ends with; `undefined` if there is nothing to tell the chat. */
const inputOf = (
  engine: Engine,
  actor: Actor,
  act: Act
): Effect.Effect<Input | undefined, Refused | CryptoError | TransportError | StoreError, Services> => {
  const { chatId } = actor
  const here = Effect.map(
    stateOf(engine, perform, actor),
    ({ accessHash }): Api.InputEncryptedChat => ({ _tag: "inputEncryptedChat", chatId, accessHash })
  )
  switch (act._tag) {
    case "GenerateKeyPair":
      return generate(engine, act)
    case "AgreeOnKey":
      return agree(engine, chatId, act)
    case "RequestEncryption":
      return Effect.map(
        ask(invoke(Api.messages.requestEncryption({
          userId: { _tag: "inputUser", userId: act.userId, accessHash: act.userAccessHash },
          randomId: chatId,
          gA: act.publicValue
        }))),
        answered
      )
    case "AcceptEncryption":
      return Effect.flatMap(here, (peer) =>
        Effect.map(
          ask(invoke(Api.messages.acceptEncryption({ peer, gB: act.publicValue, keyFingerprint: act.fingerprint }))),
          answered
        ))
    case "Probe":
      return Effect.flatMap(here, (peer) =>
        Effect.map(
          ask(invoke(Api.messages.setEncryptedTyping({ peer, typing: false }))),
          ({ answer }): Input => ({ _tag: "Probed", ...(Result.isFailure(answer) ? { error: answer.failure } : {}) })
        ))
    case "DiscardEncryption":
      return Effect.as(
        ask(invoke(Api.messages.discardEncryption({ chatId, ...(act.deleteHistory ? { deleteHistory: true } : {}) }))),
        { _tag: "DiscardDone" } as const
      )
    case "ReadHistory":
      return Effect.flatMap(here, (peer) =>
        Effect.as(
          Effect.ignore(invoke(Api.messages.readEncryptedHistory({ peer, maxDate: act.maxDate }))),
          undefined
        ))
    // Carried out by the engine and the work.
    case "Flush":
    case "Reopen":
    case "Wipe":
    case "Notice":
      return Effect.undefined
  }
}

/** Known inputs, no network: a few milliseconds that always end. */
const isComputation = (act: Act): boolean =>
  (act._tag === "GenerateKeyPair" || act._tag === "AgreeOnKey") && act.dh !== undefined

const isClosing = (engine: Engine): boolean => engine.store.scope.state._tag === "Closed"

/** Others can wait for the end of it. */
const visibly = <A, E, R>(engine: Engine, computation: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => {
    const ended = Deferred.makeUnsafe<void>()
    engine.computations.add(ended)
    return Effect.ensuring(
      computation,
      Effect.sync(() => {
        engine.computations.delete(ended)
        Deferred.doneUnsafe(ended, Exit.void)
      })
    )
  })

/** The end of the computations under way. @internal */
export const computed = (engine: Engine): Effect.Effect<void> =>
  Effect.suspend(() => Effect.forEach([...engine.computations], Deferred.await, { discard: true }))

/**
 * A computation that has begun comes to its end, and its result is stored, even if the program ends meanwhile. Programs that
 * live for a message at a time would otherwise never come to a new key.
 *
 * @internal
 */
export const perform: Perform = (engine, actor, act) => {
  if (act._tag === "Flush") return flush(engine, actor, perform)
  const { chatId } = actor
  const input = Effect.catchIf(
    inputOf(engine, actor, act),
    (error) => error instanceof Refused,
    (refused) => Effect.succeed(refused.input)
  )
  const submitted = (step: (work: Work) => ReturnType<Work["step"]>) =>
    submit(engine, perform, chatId, step, { persistent: true })
  const done = isComputation(act)
    ? Effect.uninterruptibleMask((restore) =>
      Effect.flatMap(visibly(engine, input), (input) => {
        if (input === undefined) return Effect.void
        const step = (work: Work) => work.step(input)
        const kept = Effect.sync(() => keep(actor, step))
        return restore(submitted(step)).pipe(
          Effect.onInterrupt(() => kept),
          Effect.catchIf(() => isClosing(engine), () => kept)
        )
      })
    )
    : Effect.flatMap(input, (input) => input === undefined ? Effect.void : submitted((work) => work.step(input)))
  return Effect.matchEffect(done, {
    onSuccess: () => Effect.void,
    onFailure: (error) =>
      Effect.suspend(() => {
        giveUp(actor, translated(error))
        return isClosing(engine)
          ? Effect.void
          : Effect.logWarning(`Secret chat ${chatId}: ${act._tag} could not be done`, error)
      })
  })
}

const translated = (
  error: CryptoError | TransportError | Errors.SecretChatError
): Errors.SecretChatError => {
  if (error._tag === "TransportError") return fromTransport(error as TransportError)
  if (error._tag === "CryptoError") {
    const { description, operation, reason } = error
    return new Errors.CryptoError({ operation, reason, description })
  }
  return error as Errors.SecretChatError
}

// ----- for those who use the engine

/** The engine of the store at hand. @internal */
export const engine: Effect.Effect<Engine, never, Services> = engineOf(perform)

/** Runs a job in the engine of the store at hand, and waits for its commit. @internal */
export const run = <A, E>(
  chatId: number,
  job: Parameters<typeof submit<A, E>>[3]
): Effect.Effect<A, E | StoreError, Services> => Effect.flatMap(engine, (e) => submit(e, perform, chatId, job))

export { start }
