/**
 * A secret chat at our side: what the checks do with one, and the events they look for.
 */
import * as Api from "@effect-mtproto/core/Api"
import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import type * as Outcome from "@effect-mtproto/secret-chats/Outcome"
import type * as Events from "@effect-mtproto/secret-chats/protocol/Events"
import type * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { ensure, fail, type Unexpected } from "./Checks.ts"
import type { EventMissing, Mark } from "./EventLog.ts"
import type { Peer } from "./Peer.ts"

/** A secret chat of one of us. */
export interface OurChat {
  readonly peer: Peer
  readonly id: number
}

/** Formatting of a text. */
export type Entity = DecryptedMessage.MessageEntity

/** An event of some kind. */
type EventOf<Tag extends Events.Event["_tag"]> = Extract<Events.Event, { readonly _tag: Tag }>

/** A chat that is known by its number. */
export const known = (peer: Peer, id: number): OurChat => ({ peer, id })

/** Waits for an event of the chat. */
export const report = <Tag extends Events.Event["_tag"]>(
  chat: OurChat,
  tag: Tag,
  accept: (event: EventOf<Tag>) => boolean = () => true,
  options?: { readonly since?: Mark | undefined; readonly within?: Duration.Input | undefined }
): Effect.Effect<EventOf<Tag>, EventMissing> =>
  chat.peer.events.waitFor(
    `${tag} in chat ${chat.id}`,
    ({ chatId, event }) =>
      chatId === chat.id && event._tag === tag && accept(event as EventOf<Tag>) ? event as EventOf<Tag> : undefined,
    options
  )

/** Asks a user, found by phone number, for a chat. */
export const request = Effect.fnUntraced(function*(peer: Peer, phone: string) {
  const found = yield* peer.invoke(Api.contacts.resolvePhone({ phone }))
  const user = found.users[0]
  if (user?._tag !== "user") return yield* fail(`nobody has the phone number ${phone}`)
  const chat = yield* peer.chats.request(user)
  return known(peer, chat.chatId)
})

/** Waits until somebody asks for the chat. */
export const requested = (peer: Peer, id: number) =>
  Effect.map(report(known(peer, id), "ChatRequested"), (event) => ({ ...known(peer, id), userId: event.userId }))

/** Accepts a request. */
export const accept = (chat: OurChat) => chat.peer.chats.accept(chat.id)

/** Declines a request. */
export const decline = (chat: OurChat) => chat.peer.chats.decline(chat.id)

/** Closes the chat. */
export const discard = (chat: OurChat, options?: { readonly deleteHistory?: boolean }) =>
  chat.peer.chats.discard(chat.id, options)

/** Waits until the chat is ready. */
export const ready = (chat: OurChat) => report(chat, "ChatReady")

/** Waits until the chat is closed. */
export const closed = (chat: OurChat) => report(chat, "ChatClosed")

/** Where the chat stands. */
export const stateOf = (chat: OurChat) => Effect.map(chat.peer.chats.get(chat.id), ({ state }) => state)

/** The highest layer that the peer has shown. */
export const layerOf = (chat: OurChat) => Effect.map(chat.peer.chats.get(chat.id), ({ peerLayer }) => peerLayer)

/** The 36 bytes of the key picture. */
export const keyHash = (chat: OurChat) => Effect.map(chat.peer.chats.keyPicture(chat.id), ({ hash }) => hash)

const list = (outcomes: SecretChats.Outcomes): ReadonlyArray<Outcome.Outcome> =>
  Array.isArray(outcomes) ? outcomes : [outcomes as Outcome.Outcome]

/** Sends a message with any fields, and waits until the server has it. */
export const send = (chat: OurChat, draft: Omit<DecryptedMessage.Draft, "_tag">) =>
  Effect.map(chat.peer.chats.send(chat.id, { ...draft, _tag: "decryptedMessage" }), list)

/** Sends a text, and waits until the server has it. */
export const sendText = (chat: OurChat, text: string, entities?: ReadonlyArray<Entity>) =>
  Effect.map(chat.peer.chats.sendText(chat.id, text, entities === undefined ? {} : { entities }), list)

/** Sends a service message with any action. */
export const act = (chat: OurChat, action: DecryptedMessage.DecryptedMessageAction) =>
  Effect.map(chat.peer.chats.send(chat.id, DecryptedMessage.service(action)), list)

/** Shows that we are typing. */
export const typing = (chat: OurChat) => chat.peer.chats.setTyping(chat.id)

/** Tells that everything up to this date was read. */
export const read = (chat: OurChat, date: number) => chat.peer.chats.markRead(chat.id, date)

/** A message, with the date that the server gave it. */
export type Received = EventOf<"NewMessage">["message"] & { readonly date: number }

/** Waits for a text. */
export const receiveText = (
  chat: OurChat,
  text: string,
  within?: Duration.Input
): Effect.Effect<Received, EventMissing> =>
  chat.peer.events.waitFor(
    `text ${JSON.stringify(text.slice(0, 40))}`,
    ({ chatId, event }) =>
      chatId === chat.id && event._tag === "NewMessage" && event.message.message === text
        ? { ...event.message, date: event.date }
        : undefined,
    { within }
  )

/** Waits for a message with a medium of some kind. */
export const receiveMedia = <Tag extends DecryptedMessage.DecryptedMessageMedia["_tag"]>(
  chat: OurChat,
  tag: Tag
): Effect.Effect<Extract<DecryptedMessage.DecryptedMessageMedia, { readonly _tag: Tag }>, EventMissing> =>
  chat.peer.events.waitFor(
    tag,
    ({ chatId, event }) =>
      chatId === chat.id && event._tag === "NewMessage" && event.message.media?._tag === tag
        ? event.message.media as Extract<DecryptedMessage.DecryptedMessageMedia, { readonly _tag: Tag }>
        : undefined
  )

/** All texts of the chat, in the order in which we delivered them. */
export const texts = (chat: OurChat, since?: Mark): ReadonlyArray<string> =>
  chat.peer.events.seen(
    ({ chatId, event }) => chatId === chat.id && event._tag === "NewMessage" ? event.message.message : undefined,
    since
  )

/** Fails while the peer's client has not acknowledged every message of ours that the server took. */
export const acknowledged = (chat: OurChat): Effect.Effect<void, Unexpected> =>
  Effect.suspend(() => {
    const all = (tag: "MessageSent" | "MessageDelivered") =>
      chat.peer.events.seen(({ chatId, event }) =>
        chatId === chat.id && event._tag === tag ? (event as EventOf<typeof tag>).randomId : undefined
      )
    const delivered = new Set(all("MessageDelivered"))
    const open = all("MessageSent").filter((randomId) => !delivered.has(randomId))
    return ensure(open.length === 0, `${open.length} messages are not acknowledged`)
  })
