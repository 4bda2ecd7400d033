/**
 * Rows of the SQL store as the driver's values.
 *
 * @since 1.0.0
 */
import { StoreError } from "../SecretChatError.ts"
import type { ChatRow, EventRow, MessageRow, OutboxRow, TimerRow } from "../SecretChatStore.ts"
import type { Row } from "./sqlRunner.ts"
import { stateOfRank } from "./storeModel.ts"

/** @internal */
export const corrupt = (operation: string) => new StoreError({ reason: "corrupt", operation })

/** Reads columns of one operation; a value of the wrong kind throws the operation's `corrupt` error. @internal */
export const reader = (operation: string) => {
  const number = (value: unknown): number => {
    const n = typeof value === "bigint" || typeof value === "string" ? Number(value) : value
    if (typeof n !== "number" || !Number.isSafeInteger(n)) throw corrupt(operation)
    return n
  }
  const long = (value: unknown): bigint => {
    if (typeof value === "bigint") return value
    if (typeof value === "number" && Number.isSafeInteger(value)) return BigInt(value)
    if (typeof value === "string" && /^-?\d{1,19}$/.test(value)) return BigInt(value)
    throw corrupt(operation)
  }
  const bytes = (value: unknown): Uint8Array => {
    if (!(value instanceof Uint8Array)) throw corrupt(operation)
    return value
  }
  const text = (value: unknown): string => {
    if (typeof value !== "string") throw corrupt(operation)
    return value
  }
  const state = (value: unknown) => {
    const known = stateOfRank(number(value))
    if (known === undefined) throw corrupt(operation)
    return known
  }
  return {
    number,
    long,
    bytes,
    chat: (row: Row): ChatRow => ({
      chatId: number(row["chat_id"]),
      version: number(row["version"]),
      phase: text(row["phase"]),
      wakeAt: row["wake_at"] === null ? undefined : number(row["wake_at"]),
      head: bytes(row["head"])
    }),
    outbox: (row: Row): OutboxRow => ({
      index: number(row["seq"]),
      randomId: long(row["random_id"]),
      unsent: number(row["unsent"]) !== 0,
      record: bytes(row["record"]),
      packet: bytes(row["packet"])
    }),
    event: (row: Row): EventRow => ({
      id: long(row["id"]),
      chatId: number(row["chat_id"]),
      data: bytes(row["data"])
    }),
    message: (row: Row): MessageRow => ({
      chatId: number(row["chat_id"]),
      position: number(row["position"]),
      randomId: long(row["random_id"]),
      outgoing: number(row["outgoing"]) !== 0,
      index: number(row["seq"]),
      state: state(row["state"]),
      date: number(row["date"]),
      failure: row["failure"] === null ? undefined : text(row["failure"]),
      data: bytes(row["data"]),
      ...(row["file"] === null ? {} : { file: bytes(row["file"]) })
    }),
    timer: (row: Row): TimerRow => {
      const startsOn = text(row["starts_on"])
      if (startsOn !== "view" && startsOn !== "open") throw corrupt(operation)
      return {
        chatId: number(row["chat_id"]),
        outgoing: number(row["outgoing"]) !== 0,
        randomId: long(row["random_id"]),
        ttl: number(row["ttl"]),
        startsOn,
        date: row["date"] === null ? undefined : number(row["date"]),
        expiresAt: row["expires_at"] === null ? undefined : number(row["expires_at"]),
        ...(row["note"] === null ? {} : { note: bytes(row["note"]) })
      }
    }
  }
}

/** @internal */
export type Reader = ReturnType<typeof reader>
