/**
 * Sending what is committed and not yet taken by the server: all of it, in order, the stored bytes.
 *
 * One flush runs a chat at a time. It sends the first messages in line together, on one chain, so that the server executes
 * them in order, and judges the answers in order:
 *
 * - taken, or known to the server already: done; noted with the next commit, for sending it again would do no harm
 * - a call before it failed (`MSG_WAIT_FAILED`), or the server has a problem: the same bytes again, a bounded number of
 *   times
 * - refused: the protocol decides, in a transaction. It puts "delete this message" into the same slot, which is sent at
 *   once in its place, or closes the chat. A slot that is refused twice in one flush is left for a later one.
 * - the network failed: whoever waits is told; what is committed stays, and is tried again
 *
 * @since 1.0.0
 */
import * as Api from "@effect-mtproto/core/Api"
import * as Transport from "@effect-mtproto/transport/Transport"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Outcome } from "../Outcome.ts"
import type { ChatState } from "../protocol/ChatState.ts"
import type { FileReference } from "../protocol/Events.ts"
import * as Errors from "../SecretChatError.ts"
import { SendPolicy } from "../SendPolicy.ts"
import { type Actor, type Engine, enqueue, type Perform, readEntry, type Services, stateOf, submit } from "./engine.ts"
import * as HistoryFile from "./historyFile.ts"
import { fromTransport, type InvokeError, isFinal, judge, refusal, translate } from "./serverError.ts"
import { obstacle } from "./state.ts"
import type { OutboxEntry } from "./work.ts"

const networkDelays = [1_000, 2_000, 5_000, 10_000, 30_000]

interface Taken {
  readonly date: number
  readonly file?: FileReference
}

const send = Effect.fnUntraced(function*(
  state: ChatState,
  entry: OutboxEntry,
  policy: SendPolicy
): Effect.fn.Return<Taken, InvokeError, Transport.Transport> {
  const transport = yield* Transport.Transport
  const { packet: { data, file, silent, via }, record: { randomId } } = entry
  const peer: Api.InputEncryptedChat = {
    _tag: "inputEncryptedChat",
    chatId: state.chatId,
    accessHash: state.accessHash
  }
  const quiet = silent ? { silent } as const : {}
  const options = {
    chain: `secret chat ${state.chatId}`,
    floodWaitLimit: policy.floodWaitLimit,
    // The server knows the random id: executing it twice is executing it once.
    repeatable: true
  }
  const answer: Api.messages.SentEncryptedMessage = yield* via === "service"
    ? transport.invoke(Api.messages.sendEncryptedService({ peer, randomId, data }), options)
    : via === "file"
    ? transport.invoke(
      Api.messages.sendEncryptedFile({ ...quiet, peer, randomId, data, file: Api.InputEncryptedFile.decode(file!) }),
      options
    )
    : transport.invoke(Api.messages.sendEncrypted({ ...quiet, peer, randomId, data }), options)
  return answer._tag === "messages.sentEncryptedFile" && answer.file._tag === "encryptedFile"
    ? { date: answer.date, file: HistoryFile.reference(answer.file) }
    : { date: answer.date }
})

export { reference as fileReference } from "./historyFile.ts"

const storedFile = ({ accessHash, id }: FileReference): Uint8Array =>
  Api.InputEncryptedFile.encode({ _tag: "inputEncryptedFile", id, accessHash })

const tell = (actor: Actor, index: number, result: Result.Result<Outcome, Errors.SecretChatError>): void => {
  const waiter = actor.waiters.get(index)
  if (waiter === undefined) return
  actor.waiters.delete(index)
  Deferred.doneUnsafe(
    waiter.outcome,
    Result.isSuccess(result) ? Effect.succeed(result.success) : Effect.fail(result.failure)
  )
}

/** Tells everybody who waits, when nothing can be sent any more or for now. @internal */
export const tellAll = (actor: Actor, error: Errors.SecretChatError): void => {
  // Whoever is told may send again at once; that is another message.
  const indexes = [...actor.waiters.keys()]
  for (const index of indexes) tell(actor, index, Result.fail(error))
}

/**
 * Sends everything that is committed; returns when nothing is left, or nothing can be done now.
 *
 * @internal
 */
export const flush = (engine: Engine, actor: Actor, perform: Perform): Effect.Effect<void, never, Services> =>
  Effect.suspend(() => {
    if (actor.flushing !== undefined) {
      // The run that goes on looks at what is unsent before it ends.
      if (actor.kick !== undefined) Deferred.doneUnsafe(actor.kick, Effect.void)
      else actor.kicked = true
      return Effect.void
    }
    const token = actor.flushing = {}
    const end = () => {
      if (actor.flushing === token) actor.flushing = undefined
    }
    return Effect.ensuring(run(engine, actor, perform, end), Effect.sync(end))
  })

/** `end` is called in the same instant in which the run finds that nothing is left for it. */
const run = Effect.fnUntraced(function*(
  engine: Engine,
  actor: Actor,
  perform: Perform,
  end: () => void
): Effect.fn.Return<void, never, Services> {
  const usual = yield* SendPolicy
  /** Of whoever waits for the message. */
  const policyOf = ({ record }: OutboxEntry): SendPolicy => actor.waiters.get(record.index)?.policy ?? usual
  /** Attempts and refusals of this flush, by index. */
  const attempts = new Map<number, number>()
  const refusals = new Map<number, number>()
  const skipped = new Set<number>()
  let networkFailures = 0

  while (true) {
    const state = yield* Effect.result(current(engine, actor, perform))
    const problem = Result.isFailure(state) ? state.failure : obstacle(state.success)
    if (Result.isFailure(state) || problem !== undefined) {
      end()
      return tellAll(actor, problem!)
    }

    const line = [...actor.unsent.values()].filter(({ record }) => !skipped.has(record.index))
      .toSorted((a, b) => a.record.index - b.record.index)
      .slice(0, usual.window)
    if (line.length === 0) return end()

    const sending = (entry: OutboxEntry) => Effect.result(send(state.success, entry, policyOf(entry)))
    const results = line.length === 1
      ? [yield* sending(line[0]!)]
      : yield* Effect.forEach(line, sending, { concurrency: "unbounded" })
    const now = Math.floor((yield* Clock.currentTimeMillis) / 1000)
    const refused: Array<readonly [entry: OutboxEntry, error: InvokeError]> = []
    let network: Transport.TransportError | undefined
    let pause = 0
    /** Something before this message was not taken, so that it had to fail. */
    let blocked = false
    for (const [i, entry] of line.entries()) {
      const result = results[i]!
      const { index } = entry.record
      if (Result.isSuccess(result)) {
        yield* taken(engine, actor, perform, entry, result.success)
        continue
      }
      const error = result.failure
      const verdict = judge(error)
      switch (verdict) {
        case "duplicate":
          yield* taken(engine, actor, perform, entry, { date: now })
          continue
        case "wait":
        case "transient": {
          if (!(blocked && verdict === "wait")) {
            const attempt = (attempts.get(index) ?? 0) + 1
            attempts.set(index, attempt)
            const { retries, retryDelay } = policyOf(entry)
            if (attempt > retries) refused.push([entry, error])
            else if (attempt > 1) {
              pause = Math.max(pause, Duration.toMillis(Duration.fromInputUnsafe(retryDelay)) * 2 ** (attempt - 2))
            }
          }
          break
        }
        case "network":
          network = error as Transport.TransportError
          break
        case "unauthorized":
          network = new Transport.TransportError({ reason: "unauthorized", detail: translate(error).message })
          break
        case "refused":
          refused.push([entry, error])
          break
      }
      blocked = true
    }

    for (const [entry, error] of refused) {
      const { record } = entry
      const count = (refusals.get(record.index) ?? 0) + 1
      refusals.set(record.index, count)
      attempts.delete(record.index)
      const step = yield* Effect.result(submit(
        engine,
        perform,
        actor.chatId,
        (work) => work.step({ _tag: "Refused", record, error: refusal(error) }),
        { persistent: true }
      ))
      const stays = actor.unsent.get(record.index)?.record.revision === record.revision
      if (Result.isFailure(step) || count > 1 || stays) skipped.add(record.index)
      // Without the transaction the message is still there, and may yet be taken.
      const told = Result.isFailure(step) ? step.failure : Errors.fromServer(refusal(error))
      tell(actor, record.index, Result.fail(told))
    }

    if (network !== undefined) {
      actor.kicked = false
      const final = isFinal(network)
      if (final) end()
      tellAll(actor, fromTransport(network))
      if (final) return
      const delay = networkDelays[Math.min(networkFailures, networkDelays.length - 1)]!
      networkFailures++
      yield* pauseFor(actor, Duration.millis(delay))
    } else {
      networkFailures = 0
      if (pause > 0) yield* Effect.sleep(Duration.millis(pause))
    }
  }
})

/** The state; the rows that have to go out again are read on the way. */
const current = Effect.fnUntraced(function*(
  engine: Engine,
  actor: Actor,
  perform: Perform
): Effect.fn.Return<ChatState, Errors.StoreError, Services> {
  const state = yield* stateOf(engine, perform, actor)
  // The rows are to know what has become of the messages that were taken.
  if (actor.resend.length > 0 && actor.lazy.length > 0) {
    yield* submit(engine, perform, actor.chatId, () => Result.void)
  }
  while (actor.resend.length > 0) {
    const { from, to } = actor.resend[0]!
    const limit = 256
    let after = from - 1
    while (after < to) {
      const rows = yield* engine.store.outboxUnsent({ chatId: actor.chatId, after, limit })
      for (const row of rows) {
        if (row.index <= to) actor.unsent.set(row.index, yield* readEntry(row))
      }
      after = rows.length < limit ? to : rows.at(-1)!.index
    }
    actor.resend.shift()
  }
  return state
})

const taken = (engine: Engine, actor: Actor, perform: Perform, entry: OutboxEntry, answer: Taken) =>
  Effect.suspend(() => {
    const { packet, record } = entry
    const { chatId } = actor
    const { date, file } = answer
    // The parts of the upload are used up: if the peer asks for the message again, it refers to the file that they became.
    const stored = file === undefined ? undefined : { packet: { ...packet, file: storedFile(file) }, reference: file }
    // The peer has asked for it since it left: what was taken has been lost.
    const again = actor.resend.some(({ from, to }) => from <= record.index && record.index <= to)
    if (!again && actor.unsent.get(record.index)?.record.revision === record.revision) actor.unsent.delete(record.index)
    const outcome: Outcome = {
      _tag: file === undefined ? "messages.sentEncryptedMessage" : "messages.sentEncryptedFile",
      chatId,
      randomId: record.randomId,
      index: record.index,
      date,
      ...(file === undefined ? {} : { file })
    }
    // Whoever hears of it may close the store in the same instant.
    return Effect.andThen(
      enqueue(engine, perform, chatId, { lazy: true, run: (work) => work.taken(record, date, stored, again) }),
      Effect.sync(() => tell(actor, record.index, Result.succeed(outcome)))
    )
  })

/** Waits, unless something new is to be sent. */
const pauseFor = (actor: Actor, duration: Duration.Duration): Effect.Effect<void> =>
  Effect.suspend(() => {
    if (actor.kicked) return Effect.void
    const kick = actor.kick = Deferred.makeUnsafe<void>()
    return Effect.ensuring(
      Effect.raceFirst(Effect.sleep(duration), Deferred.await(kick)),
      Effect.sync(() => {
        actor.kick = undefined
      })
    )
  })
