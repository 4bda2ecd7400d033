/**
 * The sealed store: what goes into another driver is encrypted for the place where it will lie, what comes out is opened.
 *
 * Places are written as JSON, which two different lists of table, account and row ids never share. A row's place contains
 * every column of its key, and what else of it must not be changed: the version of a chat, the direction of a message.
 * Random ids are replaced by keyed hashes of 64 bits and kept inside what is sealed; a message's number among its side's,
 * the phase of a chat and the reason of a failure go the same way.
 *
 * @since 1.0.0
 */
import type { Vault } from "@effect-mtproto/crypto/Vault"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { StoreError } from "../SecretChatError.ts"
import type { Change, ChatRow, Driver, MessageRow, TimerRow, Write } from "../SecretChatStore.ts"

const utf8 = new TextEncoder()
const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })

/** What stands in the column of the phase. */
const hidden = "sealed"

const NUMBERS = 8

/** Bytes behind a number of 64 bits. */
const join = (id: bigint, data: Uint8Array): Uint8Array => {
  const out = new Uint8Array(NUMBERS + data.length)
  new DataView(out.buffer).setBigInt64(0, id)
  out.set(data, NUMBERS)
  return out
}

const split = (bytes: Uint8Array): readonly [id: bigint, data: Uint8Array] => [
  new DataView(bytes.buffer, bytes.byteOffset).getBigInt64(0),
  bytes.subarray(NUMBERS)
]

const nothing = new Uint8Array(0)

/** Without a store's scope, which is the inner one's. @internal */
export const make = (driver: Driver, vault: Vault["Service"], account: string): Driver => {
  const place = (table: string, ...ids: ReadonlyArray<number | boolean | bigint>): string =>
    JSON.stringify([table, account, ...ids.map(String)])

  const seal = vault.seal

  const open = (operation: string, at: string, sealed: Uint8Array, least = 0): Uint8Array => {
    const data = vault.open(at, sealed)
    if (data === undefined || data.length < least) throw new StoreError({ reason: "corrupt", operation })
    return data
  }

  /** Opens rows; the only error that opening throws is the one of the store. */
  const opening = <A, B>(
    effect: Effect.Effect<A, StoreError>,
    read: (rows: A) => B,
    operation: string
  ): Effect.Effect<B, StoreError> =>
    Effect.flatMap(effect, (rows) =>
      Effect.try({
        try: () => read(rows),
        catch: (error) => error instanceof StoreError ? error : new StoreError({ reason: "corrupt", operation })
      }))

  /** Stands for a random id of a chat, in both directions. */
  const alias = (chatId: number, randomId: bigint): bigint => {
    const hash = vault.mac(place("random id", chatId), join(randomId, nothing))
    return new DataView(hash.buffer, hash.byteOffset).getBigInt64(0)
  }

  const remembered = (hash: Uint8Array): Uint8Array => vault.mac(place("seen"), hash)

  // ----- chats

  const sealHead = (chatId: number, version: number, phase: string, head: Uint8Array): Uint8Array => {
    const word = utf8.encode(phase)
    const joined = new Uint8Array(2 + word.length + head.length)
    new DataView(joined.buffer).setUint16(0, word.length)
    joined.set(word, 2)
    joined.set(head, 2 + word.length)
    return seal(place("chat", chatId, version), joined)
  }

  const openChat = <A extends ChatRow>(operation: string, row: A): A => {
    const joined = open(operation, place("chat", row.chatId, row.version), row.head, 2)
    const end = 2 + new DataView(joined.buffer, joined.byteOffset).getUint16(0)
    if (end > joined.length) throw new StoreError({ reason: "corrupt", operation })
    return { ...row, phase: text.decode(joined.subarray(2, end)), head: joined.slice(end) }
  }

  // ----- messages

  const messagePlace = (row: Omit<MessageRow, "data">, named: bigint): string =>
    place("message", row.chatId, row.position, row.outgoing, named)

  const sealFailure = (chatId: number, outgoing: boolean, named: bigint, failure: string): string =>
    toBase64(seal(place("failure", chatId, outgoing, named), utf8.encode(failure)))

  const openMessage = (operation: string, { file, ...row }: MessageRow): MessageRow => {
    const named = row.randomId
    const [randomId, numbered] = split(open(operation, messagePlace(row, named), row.data, 2 * NUMBERS))
    const [index, data] = split(numbered)
    return {
      ...row,
      randomId,
      index: Number(index),
      failure: row.failure === undefined
        ? undefined
        : text.decode(open(operation, place("failure", row.chatId, row.outgoing, named), fromBase64(row.failure))),
      data: data.slice(),
      ...(file === undefined
        ? {}
        : { file: open(operation, place("file", row.chatId, row.outgoing, named), file) })
    }
  }

  const sealFile = (
    chatId: number,
    outgoing: boolean,
    named: bigint,
    file: Uint8Array | undefined
  ): { readonly file?: Uint8Array } =>
    file === undefined ? {} : { file: seal(place("file", chatId, outgoing, named), file) }

  // ----- timers

  const openTimer = (operation: string, row: TimerRow): TimerRow => {
    const { note: sealed, ...rest } = row
    const opened = open(
      operation,
      place("timer", row.chatId, row.outgoing, row.randomId),
      sealed ?? nothing,
      NUMBERS + 1
    )
    const [randomId, note] = split(opened)
    // The byte tells an empty note from none.
    return { ...rest, randomId, ...(note[0] === 0 ? {} : { note: note.slice(1) }) }
  }

  const sealNote = (note: Uint8Array | undefined): Uint8Array =>
    note === undefined ? Uint8Array.of(0) : Uint8Array.of(1, ...note)

  // ----- writes

  const sealChange = (chatId: number, change: Change): Change => {
    switch (change._tag) {
      case "PutOutbox": {
        const { index, packet, randomId, record } = change
        return {
          _tag: "PutOutbox",
          index,
          randomId: 0n,
          record: seal(place("record", chatId, index), record),
          packet: seal(place("packet", chatId, index), join(randomId, packet))
        }
      }
      case "PutPending":
        return { ...change, data: seal(place("pending", chatId, change.index), change.data) }
      case "AppendEvent": {
        const { data } = change
        return {
          _tag: "AppendEvent",
          data: (id) => seal(place("event", chatId, id), typeof data === "function" ? data(id) : data)
        }
      }
      case "PutMessage": {
        const { data, failure, file, index, ...message } = change.message
        const named = alias(chatId, message.randomId)
        const row = { ...message, chatId, index, failure }
        return {
          _tag: "PutMessage",
          message: {
            ...message,
            randomId: named,
            index: 0,
            failure: failure === undefined ? undefined : sealFailure(chatId, message.outgoing, named, failure),
            data: seal(messagePlace(row, named), join(message.randomId, join(BigInt(index), data))),
            ...sealFile(chatId, message.outgoing, named, file)
          }
        }
      }
      case "SetMessageState": {
        const { file, ...rest } = change
        const named = alias(chatId, change.randomId)
        const failure = change.failure === undefined ? undefined : sealFailure(chatId, true, named, change.failure)
        return { ...rest, randomId: named, failure, ...sealFile(chatId, true, named, file) }
      }
      case "DeleteMessages":
        return { ...change, randomIds: change.randomIds.map((randomId) => alias(chatId, randomId)) }
      case "PutTimer": {
        const { note, ...timer } = change.timer
        const named = alias(chatId, timer.randomId)
        const sealed = seal(place("timer", chatId, timer.outgoing, named), join(timer.randomId, sealNote(note)))
        return { _tag: "PutTimer", timer: { ...timer, randomId: named, note: sealed } }
      }
      case "DateTimer":
        return { ...change, randomId: alias(chatId, change.randomId) }
      case "StartOpened":
        return { ...change, randomIds: change.randomIds.map((randomId) => alias(chatId, randomId)) }
      case "DropTimers":
        return { ...change, randomIds: change.randomIds?.map((randomId) => alias(chatId, randomId)) }
      case "Remember":
        return { ...change, hash: remembered(change.hash) }
      case "MarkSent":
      case "MarkUnsent":
      case "ForgetOutbox":
      case "DropPending":
      case "ReadMessages":
      case "DeleteHistory":
      case "StartViewed":
        return change
    }
  }

  const sealWrite = ({ changes, chat, chatId, expected }: Write): Write => ({
    chatId,
    expected,
    chat: chat === undefined
      ? undefined
      : { phase: hidden, wakeAt: chat.wakeAt, head: sealHead(chatId, expected + 1, chat.phase, chat.head) },
    changes: changes.map((change) => sealChange(chatId, change))
  })

  return {
    pace: driver.pace,
    commit: (write, options) => Effect.suspend(() => driver.commit(sealWrite(write), options)),
    wakes: driver.wakes,
    confirm: driver.confirm,
    nextExpiry: driver.nextExpiry,

    load: (chatId) =>
      opening(
        driver.load(chatId),
        Option.map((chat) => ({
          ...openChat("load", chat),
          records: chat.records.map(({ index, record }) => ({
            index,
            record: open("load", place("record", chatId, index), record)
          })),
          pending: chat.pending.map(({ data, index }) => ({
            index,
            data: open("load", place("pending", chatId, index), data)
          }))
        })),
        "load"
      ),

    list: (page) => opening(driver.list(page), (rows) => rows.map((row) => openChat("list", row)), "list"),

    outboxUnsent: (page) =>
      opening(
        driver.outboxUnsent(page),
        (rows) =>
          rows.map((row) => {
            const opened = open("outboxUnsent", place("packet", page.chatId, row.index), row.packet, NUMBERS)
            const [randomId, packet] = split(opened)
            return {
              ...row,
              randomId,
              record: open("outboxUnsent", place("record", page.chatId, row.index), row.record),
              packet: packet.slice()
            }
          }),
        "outboxUnsent"
      ),

    events: (page) =>
      opening(
        driver.events(page),
        (rows) => rows.map((row) => ({ ...row, data: open("events", place("event", row.chatId, row.id), row.data) })),
        "events"
      ),

    messages: (query) =>
      opening(driver.messages(query), (rows) => rows.map((row) => openMessage("messages", row)), "messages"),

    message: (chatId, randomId) =>
      opening(
        Effect.suspend(() => driver.message(chatId, alias(chatId, randomId))),
        Option.map((row) => openMessage("message", row)),
        "message"
      ),

    known: (chatId, randomIds) =>
      Effect.suspend(() => {
        const named = new Map(randomIds.map((randomId) => [alias(chatId, randomId), randomId]))
        return Effect.map(
          driver.known(chatId, [...named.keys()]),
          (found) => found.flatMap((name) => named.get(name) ?? [])
        )
      }),

    expired: (page) => opening(driver.expired(page), (rows) => rows.map((row) => openTimer("expired", row)), "expired"),

    seenElsewhere: (chatId, hashes) => Effect.suspend(() => driver.seenElsewhere(chatId, hashes.map(remembered)))
  }
}

const toBase64 = (bytes: Uint8Array): string => {
  let binary = ""
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary)
}

/** Throws for what is not base64. */
const fromBase64 = (encoded: string): Uint8Array => Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0))
