/**
 * Sessions as strings: our own, and those of other libraries.
 *
 * A session string is the login itself: whoever has it can act as the account, as
 * long as the login lives. So strings are `Redacted`. A string says where the
 * account lives and with which key; ours says also whose account it is and how
 * far its updates have come. Secret chats are not in it.
 *
 * **A session is used by one program at a time.** To go on with a string while
 * the program that it came from is still running makes Telegram end the login.
 *
 * ```ts
 * // the login of a Telethon program, once that has been stopped for good
 * const SessionLayer = SessionString.layer(Redacted.make(process.env.SESSION!))
 * // inside: whose account it is, is asked for, since Telethon does not say
 * const user = Login.resume
 * ```
 *
 * Strings of mtcute (version 3), Telethon, Pyrogram and GramJS are told apart by
 * themselves, and `toMtcute` writes one that mtcute reads.
 *
 * @since 1.0.0
 */
import { isTlError } from "@effect-mtproto/core/TlError"
import { TlReader } from "@effect-mtproto/core/TlReader"
import { TlWriter } from "@effect-mtproto/core/TlWriter"
import * as Effect from "effect/Effect"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as Datacenter from "./Datacenter.ts"
import type { SessionStoreError } from "./SessionStore.ts"
import * as SessionStore from "./SessionStore.ts"
import type { State } from "./Updates.ts"

/**
 * Who has made a string.
 *
 * @since 1.0.0
 * @category models
 */
export type Format = "effect-mtproto" | "mtcute" | "telethon" | "pyrogram" | "gramjs"

/**
 * What is wrong with a session string, or with the store that it should go into.
 * Nothing of the string is in it.
 *
 * - `unknown`: no string of a kind that is known here.
 * - `malformed`: damaged, or cut off.
 * - `occupied`: the store has a login of its own already.
 * - `empty`: the store has no login that could be written.
 * - `unknown-dc`: the data centre has no address that could be written.
 *
 * @since 1.0.0
 * @category errors
 */
export class SessionStringError extends Schema.TaggedError<SessionStringError>()("SessionStringError", {
  reason: Schema.Literals(["unknown", "malformed", "occupied", "empty", "unknown-dc"])
}) {
  override get message(): string {
    return explanations[this.reason]
  }
}

const explanations = {
  unknown: "This is not a session string of effect-mtproto, mtcute (version 3), Telethon, Pyrogram or GramJS",
  malformed: "The session string is damaged",
  occupied: "There is a login in the store already: log out first, or use another store",
  empty: "There is no login in the store",
  "unknown-dc": "The address of the account's data centre is not known"
}

/**
 * What a session string says.
 *
 * @since 1.0.0
 * @category models
 */
export interface SessionData {
  readonly dc: number
  /** 256 bytes. */
  readonly authKey: Redacted.Redacted<Uint8Array>
  /** Whether it is a login on the test servers. Telethon and GramJS do not say: then it follows from the address. */
  readonly testServers: boolean
  /** Telethon and GramJS do not say. */
  readonly userId?: bigint | undefined
  /** mtcute and Pyrogram say. */
  readonly isBot?: boolean | undefined
  /** Pyrogram says. */
  readonly apiId?: number | undefined
  readonly updateState?: State | undefined
}

/**
 * @since 1.0.0
 * @category models
 */
export interface Parsed extends SessionData {
  readonly format: Format
}

const KEY = 256
const PREFIX = "effect-mtproto:1:"
const LONGEST = 2_048
const MAX_DC = 1_000

// ----- reading

/**
 * Reads a session string, whoever has made it.
 *
 * @since 1.0.0
 * @category reading
 */
export const parse = (string: Redacted.Redacted<string>): Result.Result<Parsed, SessionStringError> => {
  const text = Redacted.value(string).trim()
  if (text.length > LONGEST) return fail("unknown")
  if (text.startsWith(PREFIX)) return decoded(text.slice(PREFIX.length), readOwn)
  const telethon = text.startsWith("1") ? attempt(text.slice(1), readTelethon) : undefined
  if (telethon !== undefined) return Result.succeed(telethon)
  return decoded(text, (bytes) => PYROGRAM.has(bytes.length) ? readPyrogram(bytes) : readMtcute(bytes), "unknown")
}

const fail = (reason: SessionStringError["reason"]) => Result.fail(new SessionStringError({ reason }))

type Reader = (bytes: Uint8Array) => Parsed | undefined

const decoded = (text: string, read: Reader, otherwise: SessionStringError["reason"] = "malformed") => {
  const parsed = attempt(text, read)
  return parsed === undefined ? fail(otherwise) : Result.succeed(parsed)
}

/** `undefined` if it is not what the reader reads. */
const attempt = (text: string, read: Reader): Parsed | undefined => {
  const plain = text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "")
  const bytes = Base64Url.decode(plain)
  if (Result.isFailure(bytes)) return undefined
  try {
    const parsed = read(bytes.success)
    return parsed !== undefined && isSound(parsed) ? parsed : undefined
  } catch (error) {
    if (isTlError(error) || error instanceof RangeError) return undefined
    throw error
  } finally {
    bytes.success.fill(0)
  }
}

const isSound = ({ authKey, dc }: SessionData): boolean => {
  const key = Redacted.value(authKey)
  return dc >= 1 && dc <= MAX_DC && key.length === KEY && key.some((byte) => byte !== 0)
}

const keyOf = (bytes: Uint8Array): Redacted.Redacted<Uint8Array> => Redacted.make(bytes.slice(), { label: "authKey" })

const view = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length)

const isTestAddress = (host: string): boolean =>
  [...Datacenter.test, ...Datacenter.testIpv6].some((datacenter) => datacenter.host === host)

const TEST = 1
const USER = 2
const STATE = 4

const readOwn: Reader = (bytes) => {
  const reader = new TlReader(bytes)
  const flags = reader.int()
  const dc = reader.int()
  const authKey = keyOf(reader.raw(KEY))
  const userId = (flags & USER) === 0 ? undefined : reader.long()
  const state = (flags & STATE) === 0
    ? undefined
    : { pts: reader.int(), qts: reader.int(), date: reader.int(), seq: reader.int() }
  reader.finish()
  return (flags & ~(TEST | USER | STATE)) !== 0 ? undefined : {
    format: "effect-mtproto",
    dc,
    authKey,
    testServers: (flags & TEST) !== 0,
    ...(userId === undefined ? {} : { userId }),
    ...(state === undefined ? {} : { updateState: state })
  }
}

/** Both begin with `1`, and differ in how they write the address. */
const readTelethon: Reader = (bytes) => {
  const data = view(bytes)
  const dc = data.getUint8(0)
  const hostLength = data.getUint16(1)
  if (bytes.length === 5 + hostLength + KEY) {
    const host = new TextDecoder().decode(bytes.subarray(3, 3 + hostLength))
    return { format: "gramjs", dc, authKey: keyOf(bytes.subarray(-KEY)), testServers: isTestAddress(host) }
  }
  const host = bytes.subarray(1, -KEY - 2)
  if (host.length !== 4 && host.length !== 16) return undefined
  const groups = Array.from({ length: 8 }, (_, i) => host.length === 16 ? data.getUint16(1 + 2 * i).toString(16) : "")
  const address = host.length === 4 ? host.join(".") : groups.join(":").replace(/(?::0)+:/, "::")
  return { format: "telethon", dc, authKey: keyOf(bytes.subarray(-KEY)), testServers: isTestAddress(address) }
}

/** By length: the present form, and two older ones without `api_id`. */
const PYROGRAM = new Set([271, 267, 263])

const readPyrogram: Reader = (bytes) => {
  const data = view(bytes)
  const hasApi = bytes.length === 271
  const start = hasApi ? 6 : 2
  const isTest = data.getUint8(start - 1)
  const isBot = data.getUint8(bytes.length - 1)
  if (isTest > 1 || isBot > 1) return undefined
  return {
    format: "pyrogram",
    dc: data.getUint8(0),
    authKey: keyOf(bytes.subarray(start, start + KEY)),
    testServers: isTest === 1,
    userId: bytes.length === 263 ? BigInt(data.getUint32(start + KEY)) : data.getBigInt64(start + KEY),
    isBot: isBot === 1,
    ...(hasApi ? { apiId: data.getUint32(1) } : {})
  }
}

const MTCUTE = 3
const MTCUTE_SELF = 1
const MTCUTE_TEST = 2
const MTCUTE_MEDIA = 4

const readMtcute: Reader = (bytes) => {
  if (bytes[0] !== MTCUTE) return undefined
  const reader = new TlReader(bytes.slice(1))
  const flags = reader.int()
  const main = reader.bytes()
  if ((flags & MTCUTE_MEDIA) !== 0) reader.bytes()
  let self: { readonly userId: bigint; readonly isBot: boolean } | undefined
  if ((flags & MTCUTE_SELF) !== 0) self = { userId: reader.long(), isBot: reader.bool() }
  const authKey = keyOf(reader.bytes())
  reader.finish()
  const [version, dc, dcFlags] = main
  if ((version !== 1 && version !== 2) || dc === undefined || dcFlags === undefined) return undefined
  return {
    format: "mtcute",
    dc,
    authKey,
    testServers: (flags & MTCUTE_TEST) !== 0 || (version === 2 && (dcFlags & 4) !== 0),
    ...self
  }
}

// ----- writing

/**
 * Writes a session as a string of ours.
 *
 * @since 1.0.0
 * @category writing
 */
export const stringify = (data: SessionData): Redacted.Redacted<string> => {
  const { dc, testServers, updateState, userId } = data
  const writer = new TlWriter()
  writer.int((testServers ? TEST : 0) | (userId === undefined ? 0 : USER) | (updateState === undefined ? 0 : STATE))
  writer.int(dc)
  writer.raw(Redacted.value(data.authKey))
  if (userId !== undefined) writer.long(userId)
  if (updateState !== undefined) {
    for (const part of [updateState.pts, updateState.qts, updateState.date, updateState.seq]) writer.int(part)
  }
  return seal(PREFIX, writer.take())
}

/**
 * Writes a session as a string of mtcute's (version 3). `datacenters` are where
 * the address of the account's data centre is looked up; Telegram's unless given.
 *
 * @since 1.0.0
 * @category writing
 */
export const toMtcute = (
  data: SessionData,
  options?: { readonly datacenters?: ReadonlyArray<Datacenter.Datacenter> | undefined }
): Result.Result<Redacted.Redacted<string>, SessionStringError> => {
  const datacenters = options?.datacenters ?? (data.testServers ? Datacenter.test : Datacenter.production)
  const main = datacenters.find((candidate) => candidate.id === data.dc)
  if (main === undefined) return fail("unknown-dc")
  const dc = new TlWriter()
  dc.raw(Uint8Array.of(2, main.id, (main.host.includes(":") ? 1 : 0) | (data.testServers ? 4 : 0)))
  dc.string(main.host)
  dc.int(main.port)
  const writer = new TlWriter()
  writer.raw(Uint8Array.of(MTCUTE))
  writer.int(data.userId === undefined ? 0 : MTCUTE_SELF)
  writer.bytes(dc.take())
  if (data.userId !== undefined) {
    writer.long(data.userId)
    writer.bool(data.isBot ?? false)
  }
  writer.bytes(Redacted.value(data.authKey))
  return Result.succeed(seal("", writer.take()))
}

const seal = (prefix: string, bytes: Uint8Array): Redacted.Redacted<string> => {
  const string = Redacted.make(prefix + Base64Url.encode(bytes), { label: "session" })
  bytes.fill(0)
  return string
}

// ----- stores

/**
 * The login that is in the store. `testServers` is not known to stores.
 *
 * @since 1.0.0
 * @category stores
 */
export const read: (
  options?: { readonly testServers?: boolean | undefined }
) => Effect.Effect<SessionData, SessionStringError | SessionStoreError, SessionStore.SessionStore> = Effect.fn(
  "SessionString.read"
)(function*(options) {
  const store = yield* SessionStore.SessionStore
  const account = yield* store.account
  const key = account === undefined ? undefined : yield* store.authKey(account.dc)
  if (account === undefined || key === undefined) return yield* new SessionStringError({ reason: "empty" })
  const updateState = yield* store.updateState
  return {
    dc: account.dc,
    authKey: key.key,
    testServers: options?.testServers ?? false,
    ...(account.userId === undefined ? {} : { userId: account.userId }),
    ...(updateState === undefined ? {} : { updateState })
  }
})

/**
 * Writes the login that is in the store as a string of ours.
 *
 * @since 1.0.0
 * @category stores
 */
export const save: (
  options?: { readonly testServers?: boolean | undefined }
) => Effect.Effect<Redacted.Redacted<string>, SessionStringError | SessionStoreError, SessionStore.SessionStore> = (
  options
) => Effect.map(read(options), stringify)

/**
 * Puts the login of a string into a store that has none. Do this before the
 * client is made. When the string does not say whose account it is, `Login.resume`
 * finds out.
 *
 * @since 1.0.0
 * @category stores
 */
export const load: (
  string: Redacted.Redacted<string>
) => Effect.Effect<Parsed, SessionStringError | SessionStoreError, SessionStore.SessionStore> = Effect.fn(
  "SessionString.load"
)(function*(string) {
  const parsed = yield* Effect.fromResult(parse(string))
  const store = yield* SessionStore.SessionStore
  const account = yield* store.account
  if (account?.userId !== undefined) return yield* new SessionStringError({ reason: "occupied" })
  // the age of the key and the server's clock are not in a string; both are found out on the way
  yield* store.setAuthKey(parsed.dc, { key: parsed.authKey, createdAt: 0, timeOffset: 0, salts: [] })
  yield* store.setAccount(parsed.userId === undefined ? { dc: parsed.dc } : { dc: parsed.dc, userId: parsed.userId })
  if (parsed.updateState !== undefined) yield* store.setUpdateState(parsed.updateState)
  return parsed
})

/**
 * A store in memory that begins with the login of a string. What happens to the
 * session later is not in the string any more: `save` writes another one.
 *
 * @since 1.0.0
 * @category layers
 */
export const layer = (
  string: Redacted.Redacted<string>
): Layer.Layer<SessionStore.SessionStore, SessionStringError | SessionStoreError> =>
  Layer.provideMerge(Layer.effectDiscard(load(string)), SessionStore.layerMemory)
