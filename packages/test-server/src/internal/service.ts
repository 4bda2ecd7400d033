/**
 * Service messages of MTProto, read and written.
 *
 * Reading is total: what is not well-formed says so, what is no service message
 * is a query for the API. Compressed objects are inflated within
 * a budget that all of one packet share.
 */
import * as Api from "@effect-mtproto/core/Api"
import * as MtprotoApi from "@effect-mtproto/core/MtprotoApi"
import * as Tl from "@effect-mtproto/core/Tl"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import { isTlError } from "@effect-mtproto/core/TlError"
import { gzipSync, unzipSync } from "node:zlib"
import type * as Failure from "./failure.ts"
import type { FutureSalt } from "./salts.ts"
import type { Incoming, Packet } from "./session.ts"

// -----------------------------------------------------------------------------
// reading
// -----------------------------------------------------------------------------

const Client = Tl.union("ServiceMessage", [
  MtprotoApi.ClientMessage,
  MtprotoApi.msgs_all_info,
  MtprotoApi.msg_detailed_info,
  MtprotoApi.msg_new_detailed_info
])

type ClientMessage = typeof Client.Type

/** A service message of a client; a container and a compressed object never get this far. */
export type ServiceMessage =
  | Exclude<ClientMessage, { readonly _tag: "msg_container" | "gzip_packed" | "msg_copy" }>
  | { readonly _tag: "msg_copy"; readonly origMessage: Incoming }
  /** One of these messages, but damaged. */
  | { readonly _tag: "malformed" }
  /** Nothing of which can be said what it is. */
  | { readonly _tag: "unreadable" }

const malformed: ServiceMessage = { _tag: "malformed" }
export const unreadable: ServiceMessage = { _tag: "unreadable" }

const clientCodec = TlCodec.make(Client)
const CONTAINER = Tl.constructorId(MtprotoApi.msg_container)
const GZIP = Tl.constructorId(MtprotoApi.gzip_packed)
const MAX_CONTAINED = 1024
const MAX_LAYERS = 4

const otherIds: ReadonlySet<number | undefined> = new Set(
  [MtprotoApi.msgs_all_info, MtprotoApi.msg_detailed_info, MtprotoApi.msg_new_detailed_info].map(Tl.constructorId)
)

const attempt = <A>(run: () => A): A | undefined => {
  try {
    return run()
  } catch (error) {
    if (!isTlError(error)) throw error
    return undefined
  }
}

export const isContainer = (body: Uint8Array): boolean => MtprotoApi.idOf(body) === CONTAINER

const incoming = (message: MtprotoApi.message): Incoming => ({
  msgId: message.msgId,
  seqNo: message.seqno,
  body: message.body
})

/** The service message in a body; `undefined` if it is a query. */
export const read = (body: Uint8Array): ServiceMessage | undefined => {
  const id = MtprotoApi.idOf(body)
  if (id === undefined) return unreadable
  if (!MtprotoApi.isClientMessage(id) && !otherIds.has(id)) return undefined
  const message = attempt(() => clientCodec.decode(body))
  switch (message?._tag) {
    case undefined:
    case "msg_container":
    case "gzip_packed":
      return malformed
    case "msg_copy":
      return { _tag: "msg_copy", origMessage: incoming(message.origMessage) }
    default:
      return message
  }
}

const containerCodec = TlCodec.make(MtprotoApi.msg_container)

/** The messages in a container; `undefined` if it is not well-formed or too long. */
export const readContainer = (body: Uint8Array): ReadonlyArray<Incoming> | undefined => {
  const value = attempt(() => containerCodec.decode(body))
  return value === undefined || value.messages.length > MAX_CONTAINED ? undefined : value.messages.map(incoming)
}

/** How many bytes may still be inflated. */
export interface Budget {
  bytes: number
}

const gzipCodec = TlCodec.make(MtprotoApi.gzip_packed)

/**
 * An object without its compression, in either format: servers write gzip, most
 * clients zlib. `undefined` if it cannot be read or is too large.
 */
export const unpack = (body: Uint8Array, budget: Budget): Uint8Array | undefined => {
  let object = body
  for (let layer = 0; layer < MAX_LAYERS; layer++) {
    if (MtprotoApi.idOf(object) !== GZIP) return object
    const packed = attempt(() => gzipCodec.decode(object))
    const inflated = packed === undefined ? undefined : inflate(packed.packedData, budget.bytes)
    if (inflated === undefined) return undefined
    budget.bytes -= inflated.length
    object = inflated
  }
  return undefined
}

const inflate = (packed: Uint8Array, limit: number): Uint8Array | undefined => {
  if (limit <= 0) return undefined
  try {
    return unzipSync(packed, { maxOutputLength: limit })
  } catch {
    // corrupt, cut short, or longer than the limit: zlib's errors say no more that a client should know
    return undefined
  }
}

// -----------------------------------------------------------------------------
// writing
// -----------------------------------------------------------------------------

type Fields<A> = Omit<A, "_tag">

const ackCodec = TlCodec.make(MtprotoApi.msgs_ack)
const pongCodec = TlCodec.make(MtprotoApi.pong)
const newSessionCodec = TlCodec.make(MtprotoApi.new_session_created)
const badMessageCodec = TlCodec.make(MtprotoApi.BadMsgNotification)
const stateInfoCodec = TlCodec.make(MtprotoApi.msgs_state_info)
const detailedInfoCodec = TlCodec.make(MtprotoApi.msg_detailed_info)
const futureSaltsCodec = TlCodec.make(MtprotoApi.future_salts)
const destroySessionCodec = TlCodec.make(MtprotoApi.DestroySessionRes)
const destroyKeyCodec = TlCodec.make(MtprotoApi.DestroyAuthKeyRes)
const dropAnswerCodec = TlCodec.make(MtprotoApi.RpcDropAnswer)
const rpcErrorCodec = TlCodec.make(MtprotoApi.rpc_error)

export const ack = (msgIds: ReadonlyArray<bigint>): Uint8Array => ackCodec.encode({ _tag: "msgs_ack", msgIds })

export const pong = (fields: Fields<MtprotoApi.pong>): Uint8Array => pongCodec.encode({ _tag: "pong", ...fields })

export const newSession = (fields: Fields<MtprotoApi.new_session_created>): Uint8Array =>
  newSessionCodec.encode({ _tag: "new_session_created", ...fields })

export const badMessage = (fields: Fields<MtprotoApi.bad_msg_notification>): Uint8Array =>
  badMessageCodec.encode({ _tag: "bad_msg_notification", ...fields })

export const badServerSalt = (fields: Fields<MtprotoApi.bad_server_salt>): Uint8Array =>
  badMessageCodec.encode({ _tag: "bad_server_salt", ...fields })

export const stateInfo = (fields: Fields<MtprotoApi.msgs_state_info>): Uint8Array =>
  stateInfoCodec.encode({ _tag: "msgs_state_info", ...fields })

export const detailedInfo = (fields: Fields<MtprotoApi.msg_detailed_info>): Uint8Array =>
  detailedInfoCodec.encode({ _tag: "msg_detailed_info", ...fields })

export const futureSalts = (fields: {
  readonly reqMsgId: bigint
  readonly now: number
  readonly salts: ReadonlyArray<FutureSalt>
}): Uint8Array =>
  futureSaltsCodec.encode({
    _tag: "future_salts",
    ...fields,
    salts: fields.salts.map((salt) => ({ _tag: "future_salt", ...salt }))
  })

export const updatesTooLong: Uint8Array = Api.Updates.encode({ _tag: "updatesTooLong" })

export const sessionDestroyed = (sessionId: bigint, existed: boolean): Uint8Array =>
  destroySessionCodec.encode({ _tag: existed ? "destroy_session_ok" : "destroy_session_none", sessionId })

export const keyDestroyed: Uint8Array = destroyKeyCodec.encode({ _tag: "destroy_auth_key_ok" })

export const answerUnknown: Uint8Array = dropAnswerCodec.encode({ _tag: "rpc_answer_unknown" })

export const answerDroppedRunning: Uint8Array = dropAnswerCodec.encode({ _tag: "rpc_answer_dropped_running" })

export const answerDropped = (fields: Fields<MtprotoApi.rpc_answer_dropped>): Uint8Array =>
  dropAnswerCodec.encode({ _tag: "rpc_answer_dropped", ...fields })

export const rpcError = (failure: Failure.RpcFailure): Uint8Array => rpcErrorCodec.encode(failure)

export const container = (messages: ReadonlyArray<Packet>): Uint8Array =>
  containerCodec.encode({
    _tag: "msg_container",
    messages: messages.map(({ body, msgId, seqNo }) => ({ _tag: "message", msgId, seqno: seqNo, body }))
  })

/** An object in `gzip_packed`. */
export const pack = (object: Uint8Array): Uint8Array =>
  gzipCodec.encode({ _tag: "gzip_packed", packedData: gzipSync(object) })
