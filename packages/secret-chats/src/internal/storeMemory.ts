/**
 * The store in memory: maps, changed only when a whole write is known to be good.
 *
 * @since 1.0.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { StoreError } from "../SecretChatError.ts"
import type {
  Change,
  ChatRow,
  Committed,
  Driver,
  EventRow,
  MessageRow,
  OutboxRow,
  PendingRow,
  TimerRow,
  Write
} from "../SecretChatStore.ts"
import { pageSize, stateRank } from "./storeModel.ts"

interface Chat {
  row: ChatRow
  readonly outbox: Map<number, OutboxRow>
  readonly pending: Map<number, PendingRow>
  /** By direction and random id. */
  readonly messages: Map<string, MessageRow>
  /** By direction and random id. */
  readonly timers: Map<string, TimerRow>
}

const byIndex = (a: { readonly index: number }, b: { readonly index: number }) => a.index - b.index

const messageKey = (outgoing: boolean, randomId: bigint): string => `${outgoing ? "out" : "in"} ${randomId}`

const hashKey = (hash: Uint8Array): string => String.fromCharCode(...hash)

/** Callers keep their arrays, the store keeps its own. */
const copy = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes)

/** @internal */
export const make: Effect.Effect<Driver & { readonly scope: Scope.Scope }, never, Scope.Scope> = Effect.map(
  Effect.scope,
  (scope) => {
    const chats = new Map<number, Chat>()
    const events = new Map<bigint, EventRow>()
    const seen = new Map<string, number>()
    let lastEvent = 0n

    const apply = (chat: Chat, change: Change, ids: Array<bigint>): void => {
      const chatId = chat.row.chatId
      switch (change._tag) {
        case "PutOutbox": {
          const { index, packet, randomId, record } = change
          chat.outbox.set(index, { index, randomId, unsent: true, record: copy(record), packet: copy(packet) })
          return
        }
        case "MarkSent":
        case "MarkUnsent": {
          const unsent = change._tag === "MarkUnsent"
          for (const row of chat.outbox.values()) {
            if (row.index >= change.from && row.index <= change.to) chat.outbox.set(row.index, { ...row, unsent })
          }
          return
        }
        case "ForgetOutbox": {
          for (const index of chat.outbox.keys()) if (index < change.before) chat.outbox.delete(index)
          return
        }
        case "PutPending": {
          chat.pending.set(change.index, { index: change.index, data: copy(change.data) })
          return
        }
        case "DropPending": {
          chat.pending.delete(change.index)
          return
        }
        case "AppendEvent": {
          const id = ++lastEvent
          ids.push(id)
          const { data } = change
          events.set(id, { id, chatId, data: copy(typeof data === "function" ? data(id) : data) })
          return
        }
        case "PutMessage": {
          const { message } = change
          const key = messageKey(message.outgoing, message.randomId)
          if (chat.messages.has(key)) return
          const { file, ...row } = message
          chat.messages.set(key, {
            ...row,
            chatId,
            data: copy(message.data),
            ...(file === undefined ? {} : { file: copy(file) })
          })
          return
        }
        case "SetMessageState": {
          const { date, failure, file, randomId, state } = change
          const key = messageKey(true, randomId)
          const m = chat.messages.get(key)
          if (m === undefined) return
          chat.messages.set(key, {
            ...m,
            state: stateRank[state] > stateRank[m.state] ? state : m.state,
            date: date ?? m.date,
            failure: failure ?? m.failure,
            ...(file === undefined ? {} : { file: copy(file) })
          })
          return
        }
        case "ReadMessages": {
          for (const [key, m] of chat.messages) {
            if (
              m.outgoing === change.outgoing && m.date <= change.maxDate && stateRank[m.state] >= stateRank.sent &&
              stateRank[m.state] < stateRank.read
            ) chat.messages.set(key, { ...m, state: "read" })
          }
          return
        }
        case "DeleteMessages": {
          for (const randomId of change.randomIds) {
            chat.messages.delete(messageKey(true, randomId))
            chat.messages.delete(messageKey(false, randomId))
          }
          return
        }
        case "DeleteHistory": {
          chat.messages.clear()
          return
        }
        case "PutTimer": {
          const { note, ...timer } = change.timer
          const key = messageKey(timer.outgoing, timer.randomId)
          if (chat.timers.has(key)) return
          chat.timers.set(key, {
            ...timer,
            chatId,
            expiresAt: undefined,
            ...(note === undefined ? {} : { note: copy(note) })
          })
          return
        }
        case "DateTimer": {
          const key = messageKey(true, change.randomId)
          const timer = chat.timers.get(key)
          if (timer !== undefined) chat.timers.set(key, { ...timer, date: change.date })
          return
        }
        case "StartViewed": {
          for (const timer of chat.timers.values()) {
            const viewed = timer.outgoing === change.outgoing && timer.startsOn === "view" &&
              timer.date !== undefined && timer.date <= change.maxDate
            if (viewed) start(chat, timer, change.at)
          }
          return
        }
        case "StartOpened": {
          for (const randomId of change.randomIds) {
            start(chat, chat.timers.get(messageKey(change.outgoing, randomId)), change.at)
          }
          return
        }
        case "DropTimers": {
          if (change.randomIds === undefined) chat.timers.clear()
          for (const randomId of change.randomIds ?? []) {
            chat.timers.delete(messageKey(true, randomId))
            chat.timers.delete(messageKey(false, randomId))
          }
          return
        }
        case "Remember": {
          const key = hashKey(change.hash)
          if (!seen.has(key)) seen.set(key, chatId)
          return
        }
      }
    }

    const commit = (write: Write): Effect.Effect<Committed, StoreError> =>
      Effect.suspend(() => {
        const { chatId, expected } = write
        const stored = chats.get(chatId)
        if ((stored?.row.version ?? 0) !== expected) {
          return Effect.fail(new StoreError({ reason: "conflict", operation: "commit" }))
        }
        const version = expected + 1
        const ids: Array<bigint> = []
        if (write.chat === undefined) {
          chats.delete(chatId)
          for (const [hash, owner] of seen) if (owner === chatId) seen.delete(hash)
          return Effect.succeed({ version, events: ids })
        }
        const row: ChatRow = { ...write.chat, chatId, version, head: copy(write.chat.head) }
        const chat = stored ?? { row, outbox: new Map(), pending: new Map(), messages: new Map(), timers: new Map() }
        chat.row = row
        chats.set(chatId, chat)
        for (const change of write.changes) apply(chat, change, ids)
        return Effect.succeed({ version, events: ids })
      })

    return {
      scope,
      commit,
      load: (chatId) =>
        Effect.sync(() =>
          Option.map(Option.fromNullishOr(chats.get(chatId)), (chat) => ({
            ...chat.row,
            records: [...chat.outbox.values()].toSorted(byIndex).map(({ index, record }) => ({ index, record })),
            pending: [...chat.pending.values()].toSorted(byIndex)
          }))
        ),
      list: ({ after, limit }) =>
        Effect.sync(() =>
          [...chats.values()].map((chat) => chat.row)
            .filter((row) => after === undefined || row.chatId > after)
            .toSorted((a, b) => a.chatId - b.chatId)
            .slice(0, pageSize(limit))
        ),
      wakes: (until) =>
        Effect.sync(() =>
          [...chats.values()].flatMap(({ row: { chatId, wakeAt } }) =>
            wakeAt === undefined || wakeAt > until ? [] : [{ chatId, wakeAt }]
          ).toSorted((a, b) => a.wakeAt - b.wakeAt || a.chatId - b.chatId)
        ),
      outboxUnsent: ({ after, chatId, limit }) =>
        Effect.sync(() =>
          [...chats.get(chatId)?.outbox.values() ?? []]
            .filter((row) => row.unsent && (after === undefined || row.index > after))
            .toSorted(byIndex)
            .slice(0, pageSize(limit))
        ),
      events: ({ after, limit }) =>
        Effect.sync(() => {
          const page: Array<EventRow> = []
          for (const row of events.values()) {
            if (page.length >= pageSize(limit)) break
            if (row.id > after) page.push(row)
          }
          return page
        }),
      confirm: (ids) =>
        Effect.sync(() => {
          for (const id of ids) events.delete(id)
        }),
      messages: ({ after, before, chatId, limit, order }) =>
        Effect.sync(() => {
          const page = [...chats.get(chatId)?.messages.values() ?? []]
            .filter((m) => (after === undefined || m.position > after) && (before === undefined || m.position < before))
            .toSorted((a, b) => a.position - b.position)
          return (order === "oldest-first" ? page : page.toReversed()).slice(0, pageSize(limit))
        }),
      message: (chatId, randomId) =>
        Effect.sync(() => {
          const messages = chats.get(chatId)?.messages
          return Option.fromNullishOr(
            messages?.get(messageKey(true, randomId)) ?? messages?.get(messageKey(false, randomId))
          )
        }),
      known: (chatId, randomIds) =>
        Effect.sync(() => {
          const messages = chats.get(chatId)?.messages
          return randomIds.filter((randomId) => messages?.has(messageKey(false, randomId)) === true)
        }),
      expired: ({ limit, now }) =>
        Effect.sync(() => running(chats.values()).filter((t) => t.expiresAt! <= now).slice(0, pageSize(limit))),
      nextExpiry: Effect.sync(() => Option.fromNullishOr(running(chats.values())[0]?.expiresAt)),
      seenElsewhere: (chatId, hashes) =>
        Effect.sync(() =>
          hashes.some((hash) => {
            const owner = seen.get(hashKey(hash))
            return owner !== undefined && owner !== chatId
          })
        )
    }
  }
)

const start = (chat: Chat, timer: TimerRow | undefined, at: number): void => {
  if (timer === undefined || timer.expiresAt !== undefined) return
  chat.timers.set(messageKey(timer.outgoing, timer.randomId), { ...timer, expiresAt: at + timer.ttl })
}

/** Timers that were started, the earliest to end first. */
const running = (chats: Iterable<Chat>): ReadonlyArray<TimerRow> =>
  [...chats].flatMap((chat) => [...chat.timers.values()].filter((timer) => timer.expiresAt !== undefined))
    .toSorted((a, b) => a.expiresAt! - b.expiresAt!)
