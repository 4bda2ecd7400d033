/**
 * Takes apart what a server sent: containers, `gzip_packed`, service messages,
 * results; and hands the pieces to the session. Whatever is malformed inside one
 * message is without effect on the others of its packet.
 */
import type * as MtprotoApi from "@effect-mtproto/core/MtprotoApi"
import type { Salt } from "../Session.ts"
import * as Gzip from "./gzip.ts"
import type { Message } from "./packing.ts"
import * as Service from "./service.ts"

export interface Handler {
  /** Whether a message is to be acted on; acknowledges it too. */
  accept(msgId: bigint, seqNo: number): boolean
  /** `undefined` for a result that cannot be read. */
  onResult(msgId: bigint, requestId: bigint, result: Uint8Array | undefined): void
  onAcks(ids: ReadonlyArray<bigint>): void
  onBadSalt(badId: bigint, salt: bigint): void
  onBadMessage(noticeId: bigint, badId: bigint, code: number): void
  onCreated(firstId: bigint, uniqueId: bigint, salt: bigint): void
  onFutureSalts(requestId: bigint, salts: ReadonlyArray<Salt>): void
  onStateRequest(msgId: bigint, ids: ReadonlyArray<bigint>): void
  onStateInfo(requestId: bigint, info: Uint8Array): void
  onStates(ids: ReadonlyArray<bigint>, info: Uint8Array): void
  onDetailedInfo(queryId: bigint | undefined, answerId: bigint): void
  onResendRequest(msgId: bigint, ids: ReadonlyArray<bigint>): void
  /** An object that is no service message. */
  onOther(body: Uint8Array): void
}

/** More than any server puts into one container. */
const MAX_MESSAGES = 8_192
/** `gzip_packed` in `gzip_packed`, or a copy of a copy, has no use. */
const MAX_DEPTH = 2

/** Deflated data grows at most so many times. */
const MOST_GROWTH = 1_032

/** How many bytes may still be inflated, of all that a packet holds. */
interface Budget {
  bytes: number
}

export const dispatch = (handler: Handler, message: Message, maxInflated: number): void => {
  if (handler.accept(message.msgId, message.seqNo)) {
    read(handler, message.msgId, message.body, { bytes: maxInflated }, MAX_DEPTH, true)
  }
}

/** Whether the body complains about one of our messages: those count whatever the clocks say. */
export const isComplaint = (body: Uint8Array): boolean => {
  const value = Service.isServerMessage(body) ? Service.decode(body) : undefined
  switch (value?._tag) {
    case "bad_server_salt":
    case "bad_msg_notification":
      return true
    case "msg_container":
      return value.messages.some((inner) => Service.decode(inner.body)?._tag.startsWith("bad_"))
    default:
      return false
  }
}

const read = (
  handler: Handler,
  msgId: bigint,
  body: Uint8Array,
  budget: Budget,
  depth: number,
  containerAllowed: boolean
): void => {
  if (!Service.isServerMessage(body)) return handler.onOther(body)
  const value = Service.decode(body)
  // broken, and already acknowledged: asking for it again would bring the same bytes
  if (value === undefined) return
  switch (value._tag) {
    case "msg_container": {
      if (!containerAllowed || value.messages.length > MAX_MESSAGES) return
      for (const inner of value.messages) readInner(handler, inner, budget, depth)
      return
    }
    case "msg_copy":
      return depth > 0 ? readInner(handler, value.origMessage, budget, depth - 1) : undefined
    case "gzip_packed": {
      const inflated = depth > 0 ? inflate(value.packedData, budget) : undefined
      return inflated === undefined ? undefined : read(handler, msgId, inflated, budget, depth - 1, containerAllowed)
    }
    case "rpc_result": {
      const { reqMsgId, result } = value
      return handler.onResult(msgId, reqMsgId, Service.isPacked(result) ? inflateResult(result, budget) : result)
    }
    default:
      return readService(handler, msgId, value)
  }
}

const readInner = (
  handler: Handler,
  { body, msgId, seqno }: MtprotoApi.message,
  budget: Budget,
  depth: number
): void => {
  if (handler.accept(msgId, seqno)) read(handler, msgId, body, budget, depth, false)
}

const readService = (handler: Handler, msgId: bigint, value: MtprotoApi.ServerMessage): void => {
  switch (value._tag) {
    case "msgs_ack":
      return handler.onAcks(value.msgIds)
    case "bad_server_salt":
      return handler.onBadSalt(value.badMsgId, value.newServerSalt)
    case "bad_msg_notification":
      return handler.onBadMessage(msgId, value.badMsgId, value.errorCode)
    case "new_session_created":
      return handler.onCreated(value.firstMsgId, value.uniqueId, value.serverSalt)
    case "future_salts":
      return handler.onFutureSalts(value.reqMsgId, value.salts)
    case "msgs_state_req":
      return handler.onStateRequest(msgId, value.msgIds)
    case "msgs_state_info":
      return handler.onStateInfo(value.reqMsgId, value.info)
    case "msgs_all_info":
      return handler.onStates(value.msgIds, value.info)
    case "msg_detailed_info":
      return handler.onDetailedInfo(value.msgId, value.answerMsgId)
    case "msg_new_detailed_info":
      return handler.onDetailedInfo(undefined, value.answerMsgId)
    case "msg_resend_req":
      return handler.onResendRequest(msgId, value.msgIds)
    default:
      // pongs only show that the server is there; answers to rpc_drop_answer and destroy_session change nothing
      return
  }
}

const inflateResult = (result: Uint8Array, budget: Budget): Uint8Array | undefined => {
  const packed = Service.readPacked(result)
  return packed === undefined ? undefined : inflate(packed, budget)
}

const inflate = (packed: Uint8Array, budget: Budget): Uint8Array | undefined => {
  const inflated = Gzip.inflate(packed, budget.bytes)
  // what could not be read has cost at most what it could have become
  budget.bytes -= inflated?.length ?? Math.min(budget.bytes, MOST_GROWTH * packed.length)
  return inflated
}
