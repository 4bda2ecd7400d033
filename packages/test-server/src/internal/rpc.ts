/**
 * From the body of a query to its answer: wrappers taken off, the caller
 * checked, the method executed, the result serialised
 * (core.telegram.org/api/invoking).
 *
 * Wrappers and `gzip_packed` may stand around a query in any order. A query that
 * has to wait (for others, or because a fault says so) is continued by a timer;
 * everything else is answered before {@link execute} returns.
 */
import * as Api from "@effect-mtproto/core/Api"
import { isTlError } from "@effect-mtproto/core/TlError"
import * as Effect from "effect/Effect"
import { readInt } from "./bytes.ts"
import * as CallLog from "./callLog.ts"
import * as Failure from "./failure.ts"
import * as Faults from "./faults.ts"
import * as Layers from "./layers.ts"
import type { Call, Entry } from "./methods/method.ts"
import * as Registry from "./methods/registry.ts"
import { type AuthKey, permanent } from "./model.ts"
import * as Service from "./service.ts"
import * as Session from "./session.ts"
import * as World from "./world.ts"

/** How long a query waits for the queries that it comes after, in milliseconds. */
const WAIT_LIMIT = 500

/** How slow an answer must be for its query to be acknowledged first, in milliseconds. */
const SLOW = 1000

const MAX_WRAPPERS = 16

/** What calls need besides the state of the server. */
export interface Runtime {
  readonly world: World.World
  /** Answers that the user of the server gave for methods, by name. */
  readonly stubs: Map<string, Entry>
  /** Runs something later, unless the returned function is called before. */
  readonly after: (millis: number, run: () => void) => () => void
  /** Runs what takes long, and calls back with its result. */
  readonly run: <A>(effect: Effect.Effect<A>, done: (result: A) => void) => void
  /** Breaks the connection that a session speaks over. */
  readonly disconnect: (session: Session.Session) => void
  /** The queries that wait, by session. */
  readonly waiting: WaitingRooms
  /** How many queries compute, by session. */
  readonly computing: WeakMap<Session.Session, number>
  /** Told of mistakes of the server itself, which clients see as an internal error. */
  readonly report: (error: unknown) => void
}

/** A query without its wrappers. */
interface Query {
  readonly body: Uint8Array
  readonly layer: number
  readonly after: ReadonlyArray<bigint>
  readonly withoutUpdates: boolean
}

// -----------------------------------------------------------------------------
// wrappers
// -----------------------------------------------------------------------------

const wrappers = Api.methodTable([
  Api.invokeAfterMsg,
  Api.invokeAfterMsgs,
  Api.initConnection,
  Api.invokeWithLayer,
  Api.invokeWithoutUpdates,
  Api.invokeWithMessagesRange,
  Api.invokeWithTakeout
])

const unwrap = (key: AuthKey, packed: Uint8Array, rules: Session.Rules): Query | Failure.RpcFailure => {
  const budget: Service.Budget = { bytes: rules.inflated }
  const after: Array<bigint> = []
  let withoutUpdates = false
  let body = packed
  for (let depth = 0; depth <= MAX_WRAPPERS; depth++) {
    const unpacked = Service.unpack(body, budget)
    if (unpacked === undefined) return Failure.badRequest("INPUT_FETCH_ERROR")
    body = unpacked
    if (wrappers.peek(body) === undefined) return { body, layer: key.layer, after, withoutUpdates }
    const wrapper = wrappers.decode(body)
    switch (wrapper._tag) {
      case "invokeAfterMsg":
        after.push(wrapper.msgId)
        break
      case "invokeAfterMsgs":
        after.push(...wrapper.msgIds.slice(0, 1024))
        break
      case "initConnection":
        if (wrapper.apiId <= 0) return Failure.badRequest("CONNECTION_API_ID_INVALID")
        key.client = {
          apiId: wrapper.apiId,
          deviceModel: wrapper.deviceModel.slice(0, 256),
          systemVersion: wrapper.systemVersion.slice(0, 256),
          appVersion: wrapper.appVersion.slice(0, 256)
        }
        break
      case "invokeWithLayer":
        if (wrapper.layer <= 0) return Failure.badRequest("CONNECTION_LAYER_INVALID")
        key.layer = wrapper.layer
        break
      case "invokeWithoutUpdates":
        withoutUpdates = true
        break
    }
    body = wrapper.query
  }
  return Failure.badRequest("INPUT_FETCH_ERROR")
}

// -----------------------------------------------------------------------------
// execution
// -----------------------------------------------------------------------------

/** What an answer looks like before it is sent. */
interface Outcome {
  readonly result: Uint8Array
  readonly error: string | undefined
}

const failed = (failure: Failure.RpcFailure): Outcome => ({
  result: Service.rpcError(failure),
  error: failure.errorMessage
})

/** What may be called with a key that nobody logged in with is up to each method; the rest is checked here. */
const refusal = (entry: Entry, key: AuthKey): Failure.RpcFailure | undefined => {
  const { method } = entry
  const isBinding = method.tag === Api.auth.bindTempAuthKey.tag
  if (key.client === undefined && !isBinding) return Failure.badRequest("CONNECTION_NOT_INITED")
  const owner = permanent(key)
  if (owner === undefined) {
    const mayCall = isBinding || method.tag === Api.help.getConfig.tag || method.tag === Api.help.getNearestDc.tag
    return mayCall ? undefined : Failure.unauthorized("AUTH_KEY_PERM_EMPTY")
  }
  if (entry.access === "anyone") return undefined
  if (owner.authorization === undefined) return Failure.unauthorized("AUTH_KEY_UNREGISTERED")
  if (entry.access === "person" && owner.authorization.account.botToken !== undefined) {
    return Failure.badRequest("BOT_METHOD_INVALID")
  }
  return undefined
}

const decode = (method: Api.AnyMethod, body: Uint8Array): Api.AnyRequest | Failure.RpcFailure => {
  try {
    return Layers.decodeRequest(method, body)
  } catch (error) {
    if (!isTlError(error)) throw error
    return Failure.badRequest(error.reason === "TrailingBytes" ? "INPUT_REQUEST_TOO_LONG" : "INPUT_FETCH_ERROR")
  }
}

const call = (
  runtime: Runtime,
  key: AuthKey,
  session: Session.Session,
  msgId: bigint,
  query: Query,
  entry: Entry,
  request: Api.AnyRequest
): Outcome | Effect.Effect<Outcome> => {
  const { world } = runtime
  const refused = refusal(entry, key)
  if (refused !== undefined) return failed(refused)
  const owner = permanent(key)
  const authorization = owner?.authorization
  const subscribe = (): void => {
    // a key of another data centre, for which a login was only imported, is for files
    const isOwn = owner?.authorization !== undefined && owner.authorization.key === owner
    if (isOwn && !entry.forFiles && !query.withoutUpdates) session.wantsUpdates = true
  }
  subscribe()
  const context: Call & { readonly authorization: typeof authorization } = {
    world,
    key,
    session,
    msgId,
    authorization,
    now: World.seconds(world)
  }
  // an answer of the user's that does not fit its method, or a mistake of ours: no client may stop the server
  const internal = (error: unknown): Outcome => {
    runtime.report(error)
    return failed(Failure.make(500, "INTERNAL_SERVER_ERROR"))
  }
  const encode = (answer: unknown): Outcome => {
    try {
      if (Failure.isFailure(answer)) return failed(answer)
      // the call that logs in is the first: what comes before the next one would be lost
      subscribe()
      const result = Layers.encodeResult(query.layer, entry.method, answer)
      return { result: compress(world, entry, result), error: undefined }
    } catch (error) {
      return internal(error)
    }
  }
  try {
    const answer = entry.handle(context, request)
    if (!Effect.isEffect(answer)) return encode(answer)
    const computed = answer as Effect.Effect<unknown>
    return computed.pipe(Effect.map(encode), Effect.catchCause((cause) => Effect.sync(() => internal(cause))))
  } catch (error) {
    return internal(error)
  }
}

const COMPRESS_FROM = 512
const COMPRESS_TO = 64 * 1024

const compress = (world: World.World, entry: Entry, result: Uint8Array): Uint8Array => {
  const { gzip } = world.settings
  if (gzip === "never") return result
  if (gzip === "always") return Service.pack(result)
  // ciphertext does not shrink, and trying costs more than sending
  if (result.length < COMPRESS_FROM || result.length > COMPRESS_TO || entry.forFiles) return result
  const packed = Service.pack(result)
  return packed.length < result.length * 0.9 ? packed : result
}

/** Executes a query, now or when its time has come. */
export const execute = (
  runtime: Runtime,
  key: AuthKey,
  session: Session.Session,
  msgId: bigint,
  body: Uint8Array
): void => {
  runtime.world.counters.queries++
  let query: Query | Failure.RpcFailure
  try {
    query = unwrap(key, body, runtime.world.settings.rules)
  } catch (error) {
    if (!isTlError(error)) throw error
    query = Failure.badRequest("INPUT_FETCH_ERROR")
  }
  if (Failure.isFailure(query)) {
    const subject: Subject = { method: "", phone: undefined, request: undefined, size: body.length }
    finish(runtime, key, session, msgId, subject, failed(query))
    return
  }
  if (query.after.length === 0) start(runtime, key, session, msgId, query)
  else startAfter(runtime, key, session, msgId, query)
}

/** What is known of a query while it is answered. */
interface Subject {
  readonly method: string
  readonly phone: string | undefined
  readonly request: Api.AnyRequest | undefined
  readonly size: number
}

const start = (
  runtime: Runtime,
  key: AuthKey,
  session: Session.Session,
  msgId: bigint,
  query: Query
): void => {
  const { world } = runtime
  const { faults } = world
  const method = query.body.length < 4 ? undefined : Registry.methodOf(readInt(query.body, 0))
  const decoded = method === undefined ? undefined : decode(method, query.body)
  const request = Failure.isFailure(decoded) ? undefined : decoded
  const subject: Subject = {
    method: Registry.nameOf(query.body),
    phone: permanent(key)?.authorization?.account.phone,
    request,
    size: query.body.length
  }
  const { method: name, phone } = subject
  const outcome = (): Outcome | Effect.Effect<Outcome> => {
    const failure = Faults.takeCall(faults, name, phone, "Fail")
    if (failure !== undefined) return failed(Failure.make(failure.code, failure.type))
    const entry = runtime.stubs.get(name) ?? (method === undefined ? undefined : Registry.entryOf(method))
    if (query.body.length < 4) return failed(Failure.badRequest("INPUT_FETCH_ERROR"))
    if (entry === undefined) return failed(Failure.badRequest("METHOD_INVALID"))
    if (request === undefined) return failed(decoded as Failure.RpcFailure)
    return call(runtime, key, session, msgId, query, entry, request)
  }
  const run = (): void => {
    if (Faults.takeDisconnect(faults, name, phone, "before")) {
      // as if the query had never arrived: the client sends it again
      session.received.delete(msgId)
      runtime.disconnect(session)
      return
    }
    const made = outcome()
    if (!Effect.isEffect(made)) finish(runtime, key, session, msgId, subject, made)
    else compute(runtime, session, made, (computed) => finish(runtime, key, session, msgId, subject, computed))
  }
  const delay = Faults.takeCall(faults, name, phone, "Delay")
  if (delay === undefined || !park(runtime, session, msgId, { millis: delay.millis, check: () => false, late: run })) {
    run()
    return
  }
  if (delay.millis >= SLOW) {
    Session.acknowledge(session, msgId)
    world.dirty.add(session)
  }
}

/** Runs what takes long; refuses if much is being computed for this session already. */
const compute = (
  runtime: Runtime,
  session: Session.Session,
  effect: Effect.Effect<Outcome>,
  done: (outcome: Outcome) => void
): void => {
  const { computing } = runtime
  const running = computing.get(session) ?? 0
  if (running >= runtime.world.limits.computingQueries) {
    done(failed(Failure.floodWait(1)))
    return
  }
  computing.set(session, running + 1)
  runtime.run(effect, (outcome) => {
    computing.set(session, (computing.get(session) ?? 1) - 1)
    done(outcome)
  })
}

const finish = (
  runtime: Runtime,
  key: AuthKey,
  session: Session.Session,
  msgId: bigint,
  subject: Subject,
  outcome: Outcome
): void => {
  const { world } = runtime
  const { faults } = world
  const { method } = subject
  // a login is logged with the account that it let in
  const phone = subject.phone ?? permanent(key)?.authorization?.account.phone
  const now = world.clock()
  if (outcome.error !== undefined) world.counters.failures++
  Session.answer(session, world.settings.rules, now, msgId, outcome.result, {
    failed: outcome.error !== undefined,
    withhold: Faults.takeCall(faults, method, phone, "DropAnswer") !== undefined,
    announce: Faults.takeCall(faults, method, phone, "AnnounceAnswer") !== undefined
  })
  world.dirty.add(session)
  CallLog.record(
    world.calls,
    { method, request: subject.request, phone, layer: key.layer, at: now, outcome: outcome.error ?? "ok" },
    subject.size
  )
  if (Faults.takeCall(faults, method, phone, "DuplicateAnswer") !== undefined) {
    runtime.after(0, () => {
      if (Session.repeatAnswer(session, msgId)) world.dirty.add(session)
    })
  }
  if (Faults.takeDisconnect(faults, method, phone, "after")) runtime.disconnect(session)
  checkWaiting(runtime, session)
}

// -----------------------------------------------------------------------------
// waiting
// -----------------------------------------------------------------------------

/** A query whose time has not come. */
interface Waiting {
  readonly msgId: bigint
  /** Looks again whether it can go on; a query that only waits for time never can. */
  readonly check: () => boolean
  readonly cancel: () => void
}

interface WaitingRoom {
  readonly entries: Set<Waiting>
  isChecking: boolean
  mustCheckAgain: boolean
}

/** Queries that wait, by session. */
export type WaitingRooms = WeakMap<Session.Session, WaitingRoom>

/**
 * Lets a query wait until `check` lets it through, at most `millis`; then `late`
 * goes on with it. False if too many wait already.
 */
const park = (
  runtime: Runtime,
  session: Session.Session,
  msgId: bigint,
  options: { readonly millis: number; readonly check: () => boolean; readonly late: () => void }
): boolean => {
  let room = runtime.waiting.get(session)
  if (room === undefined) {
    room = { entries: new Set(), isChecking: false, mustCheckAgain: false }
    runtime.waiting.set(session, room)
  }
  const { entries } = room
  if (entries.size >= runtime.world.limits.waitingQueries) return false
  const entry: Waiting = {
    msgId,
    check: options.check,
    cancel: runtime.after(options.millis, () => {
      entries.delete(entry)
      options.late()
    })
  }
  entries.add(entry)
  return true
}

/** Gives up a query that waits: its answer is not wanted any more. */
export const drop = (runtime: Runtime, session: Session.Session, msgId: bigint): void => {
  const entries = runtime.waiting.get(session)?.entries ?? new Set<Waiting>()
  for (const entry of entries) {
    if (entry.msgId !== msgId) continue
    entry.cancel()
    entries.delete(entry)
  }
}

/** Gives up everything that waits in a session. */
export const dropAll = (runtime: Runtime, session: Session.Session): void => {
  for (const entry of runtime.waiting.get(session)?.entries ?? []) entry.cancel()
  runtime.waiting.delete(session)
}

/** A query is over: those that come after it may go on. A loop, so that a long chain of them needs no deep stack. */
const checkWaiting = (runtime: Runtime, session: Session.Session): void => {
  const room = runtime.waiting.get(session)
  if (room === undefined || room.entries.size === 0) return
  if (room.isChecking) {
    room.mustCheckAgain = true
    return
  }
  room.isChecking = true
  do {
    room.mustCheckAgain = false
    for (const entry of room.entries) {
      if (!entry.check()) continue
      entry.cancel()
      room.entries.delete(entry)
    }
  } while (room.mustCheckAgain)
  room.isChecking = false
}

type Standing = "ready" | "failed" | "pending"

/** How far the queries are that another one comes after. */
const standingOf = (session: Session.Session, after: ReadonlyArray<bigint>): Standing => {
  let standing: Standing = "ready"
  for (const id of after) {
    const record = session.received.get(id)
    if (record?.state === "failed") return "failed"
    if (record?.state === "running") standing = "pending"
    // an identifier from before this session, or one that was forgotten, belongs to a query that is over
    if (record === undefined && id > session.forgottenUpTo && id >= session.firstMsgId) standing = "pending"
  }
  return standing
}

const startAfter = (
  runtime: Runtime,
  key: AuthKey,
  session: Session.Session,
  msgId: bigint,
  query: Query
): void => {
  const refuse = (failure: Failure.RpcFailure): void =>
    finish(runtime, key, session, msgId, {
      method: Registry.nameOf(query.body),
      phone: permanent(key)?.authorization?.account.phone,
      request: undefined,
      size: query.body.length
    }, failed(failure))
  const late = (): void => refuse(Failure.make(-503, "MSG_WAIT_TIMEOUT"))
  const check = (): boolean => {
    switch (standingOf(session, query.after)) {
      case "pending":
        return false
      case "failed":
        refuse(Failure.badRequest("MSG_WAIT_FAILED"))
        return true
      case "ready":
        start(runtime, key, session, msgId, query)
        return true
    }
  }
  if (!check() && !park(runtime, session, msgId, { millis: WAIT_LIMIT, check, late })) late()
}
