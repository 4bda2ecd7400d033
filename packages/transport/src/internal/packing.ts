/**
 * Containers: several messages in one packet (core.telegram.org/mtproto/service_messages).
 */
import * as Bytes from "./bytes.ts"

export interface Message {
  readonly msgId: bigint
  readonly seqNo: number
  readonly body: Uint8Array
}

/** Of at most 1024 that servers take. */
const MAX_MESSAGES = 1_000
const MAX_BYTES = 64 * 1024
const HEADER = 16

/**
 * Divides items into packets, in order. An item that is over the bound by
 * itself gets a packet of its own.
 */
export const group = <A>(items: ReadonlyArray<A>, sizeOf: (item: A) => number): Array<Array<A>> => {
  const groups: Array<Array<A>> = []
  let current: Array<A> = []
  let size = 0
  for (const item of items) {
    const more = HEADER + sizeOf(item)
    if (current.length > 0 && (size + more > MAX_BYTES || current.length >= MAX_MESSAGES)) {
      groups.push(current)
      current = []
      size = 0
    }
    current.push(item)
    size += more
  }
  if (current.length > 0) groups.push(current)
  return groups
}

const CONTAINER = 0x73f1f8dc

/** `msg_container`: bare messages after a bare count. */
export const container = (messages: ReadonlyArray<Message>): Uint8Array => {
  let size = 8
  for (const { body } of messages) size += HEADER + body.length
  const out = new Uint8Array(size)
  Bytes.writeInt(out, 0, CONTAINER)
  Bytes.writeInt(out, 4, messages.length)
  let offset = 8
  for (const { body, msgId, seqNo } of messages) {
    Bytes.writeLong(out, offset, msgId)
    Bytes.writeInt(out, offset + 8, seqNo)
    Bytes.writeInt(out, offset + 12, body.length)
    out.set(body, offset + HEADER)
    offset += HEADER + body.length
  }
  return out
}
