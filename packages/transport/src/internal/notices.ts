/**
 * Service messages that a session has to send.
 */
import type { ClientMessage } from "@effect-mtproto/core/MtprotoApi"
import * as Service from "./service.ts"

export interface Notice {
  readonly body: Uint8Array
  /** Whether the server has to acknowledge it, and its sequence number is odd. */
  readonly content: boolean
  /** Sent again if the server refused the packet it was in, or if the connection broke before. */
  readonly again: boolean
  /** The identifiers in it, if it is `msgs_ack`. */
  readonly acks?: ReadonlyArray<bigint> | undefined
  readonly onSent?: ((msgId: bigint) => void) | undefined
}

const CONTENT = new Set<ClientMessage["_tag"]>([
  "ping_delay_disconnect",
  "get_future_salts",
  "rpc_drop_answer",
  "destroy_session"
])

/** The others are made anew when they are needed. */
const AGAIN = new Set<ClientMessage["_tag"]>(["rpc_drop_answer", "msg_resend_req", "msgs_ack"])

export const make = (message: ClientMessage, onSent?: ((msgId: bigint) => void) | undefined): Notice => ({
  body: Service.encode(message),
  content: CONTENT.has(message._tag),
  again: AGAIN.has(message._tag),
  onSent
})
