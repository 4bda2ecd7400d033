/** Operations about secret chats that send no message. */
import * as Api from "@effect-mtproto/core/Api"
import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import * as KeyVisualization from "@effect-mtproto/crypto/KeyVisualization"
import { type HistoryMessage, type SecretChat, SecretChats } from "@effect-mtproto/secret-chats/SecretChats"
import * as SecretPeer from "@effect-mtproto/secret-chats/SecretPeer"
import { Transport } from "@effect-mtproto/transport/Transport"
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Failure from "../Failure.ts"
import type { Policy } from "../GatewayStore.ts"
import * as LoosePeer from "../LoosePeer.ts"
import * as LooseTl from "../LooseTl.ts"
import * as Params from "../Params.ts"
import { type Call, type Gateway, json, type Operation, response } from "./call.ts"
import * as People from "./people.ts"
import { fileJson, inOrder } from "./sending.ts"

/** The chat that is meant; the names are those that programs use for it. */
const chatIdOf = (params: Params.Params) =>
  Effect.fromResult(LoosePeer.chatId(params["peer"] ?? params["chat"] ?? params["chat_id"] ?? params["id"]))

const chatJson = (chat: SecretChat) => ({
  _: "secretChat",
  dialog_id: SecretPeer.dialogId(chat.chatId),
  ...LooseTl.toJson(chat) as object
})

const messageJson = ({ file, message, ...rest }: HistoryMessage) => ({
  _: "secretMessage",
  ...LooseTl.toJson(rest) as object,
  ...fileJson(file),
  message: DecryptedMessage.toJson(message)
})

const withChat = <A>(
  use: (
    chats: SecretChats["Service"],
    chatId: number,
    params: Params.Params
  ) => Effect.Effect<A, unknown>
): Operation =>
(gateway, { params, session }) =>
  Effect.flatMap(
    chatIdOf(params),
    (chatId) =>
      Effect.map(gateway.sessions.use(session.id, SecretChats.use((chats) => use(chats, chatId, params))), json)
  )

// ----- coming and going

/** Asks somebody for a chat. With `wait`, answers when the chat is ready or refused. */
export const request: Operation = Effect.fnUntraced(function*(gateway, { params, session }) {
  const wait = yield* Effect.fromResult(Params.flag(params, "wait"))
  const named = params["user"] ?? params["user_id"] ?? params["peer"] ?? params["id"]
  return yield* gateway.sessions.use(
    session.id,
    Effect.gen(function*() {
      const user = yield* People.resolve(gateway.store, session.id, named)
      if (user._tag === "inputUserSelf") {
        return yield* Failure.badRequest("A secret chat needs two people", "USER_INVALID")
      }
      const chats = yield* SecretChats
      const chat = yield* chats.request(user)
      return json(chatJson(wait ? yield* chats.awaitReady(chat.chatId) : chat))
    })
  )
})

export const accept = withChat((chats, chatId) => Effect.map(chats.accept(chatId), chatJson))
export const decline = withChat((chats, chatId) => Effect.map(chats.decline(chatId), chatJson))
export const discard = withChat((chats, chatId, params) =>
  Effect.flatMap(
    Effect.fromResult(Params.flag(params, "delete_history")),
    (deleteHistory) => Effect.map(chats.discard(chatId, { deleteHistory }), chatJson)
  )
)
export const forget = withChat((chats, chatId) => Effect.as(chats.forget(chatId), true))
export const get = withChat((chats, chatId) => Effect.map(chats.get(chatId), chatJson))

/** The state of a chat; one that is unknown is as good as closed. */
const stateOf = Effect.fnUntraced(function*(gateway: Gateway, { params, session }: Call) {
  const chatId = yield* chatIdOf(params)
  const found = yield* gateway.sessions.use(session.id, Effect.option(SecretChats.use((chats) => chats.get(chatId))))
  return Option.isSome(found) ? found.value.state : "closed"
})

/** 0 = unknown or closed, 1 = asked for, 2 = ready: as the first library of this kind had it. */
export const status: Operation = (gateway, call) =>
  Effect.map(stateOf(gateway, call), (state) => json(state === "ready" ? 2 : state === "closed" ? 0 : 1))

/** Whether a chat is ready: as TelegramApiServer has it. */
export const has: Operation = (gateway, call) => Effect.map(stateOf(gateway, call), (state) => json(state === "ready"))

export const list: Operation = (gateway, { session }) =>
  Effect.map(
    gateway.sessions.use(session.id, SecretChats.use((chats) => chats.list)),
    (chats) => json(chats.map(chatJson))
  )

// ----- the key

const picture = { "content-security-policy": "default-src 'none'", "x-content-type-options": "nosniff" }

/** What two people compare; `format` is `json`, `svg` or `png`. */
export const keyPicture: Operation = Effect.fnUntraced(function*(gateway, { params, session }) {
  const chatId = yield* chatIdOf(params)
  const format = yield* Effect.fromResult(Params.text(params, "format", { max: 8, fallback: "json" }))
  if (!["json", "svg", "png"].includes(format)) {
    return yield* Failure.badRequest("Parameter format: expected json, svg or png", "PARAMETERS_INVALID")
  }
  const found = yield* gateway.sessions.use(session.id, SecretChats.use((chats) => chats.keyPicture(chatId)))
  switch (format) {
    case "svg":
      return response(HttpServerResponse.text(found.svg, { contentType: "image/svg+xml", headers: picture }))
    case "png":
      return response(HttpServerResponse.uint8Array(KeyVisualization.toPng(found.hash), {
        contentType: "image/png",
        headers: picture
      }))
    default: {
      const { hash, hex, letters, svg } = found
      return json({ hash: LooseTl.toJson(hash), hex, letters, svg })
    }
  }
})

// ----- history

const positions = { min: -(2 ** 53) + 1, max: 2 ** 53 - 1 }

export const messages: Operation = Effect.fnUntraced(function*(gateway, { params, session }) {
  const chatId = yield* chatIdOf(params)
  const limit = yield* Effect.fromResult(Params.int(params, "limit", { min: 1, max: 1_000, fallback: 100 }))
  const at = (name: string) =>
    params[name] === undefined
      ? Effect.undefined
      : Effect.fromResult(Params.int(params, name, positions))
  const before = yield* at("before")
  const after = yield* at("after")
  const order = params["order"] ?? "newest-first"
  if (order !== "newest-first" && order !== "oldest-first") {
    return yield* Failure.badRequest("Parameter order: expected newest-first or oldest-first", "PARAMETERS_INVALID")
  }
  const found = yield* gateway.sessions.use(
    session.id,
    SecretChats.use((chats) =>
      // a chat that is not there has no history: say so
      Effect.andThen(chats.get(chatId), chats.messages(chatId, { before, after, order, limit }))
    )
  )
  return json(found.map(messageJson))
})

export const message: Operation = Effect.fnUntraced(function*(gateway, { params, session }) {
  const chatId = yield* chatIdOf(params)
  const randomId = yield* Effect.fromResult(Params.long(params, "random_id"))
  const found = yield* gateway.sessions.use(
    session.id,
    SecretChats.use((chats) => chats.message(chatId, randomId))
  )
  return Option.isSome(found) ? json(messageJson(found.value)) : yield* noMessage
})

export const noMessage = Failure.make(404, "MESSAGE_UNKNOWN", "There is no such message in the history")

// ----- signals

export const typing = withChat((chats, chatId, params) =>
  Effect.flatMap(
    Effect.fromResult(Params.flag({ typing: true, ...params }, "typing")),
    (isTyping) => Effect.as(chats.setTyping(chatId, isTyping), true)
  )
)

export const markRead = withChat((chats, chatId, params) =>
  Effect.flatMap(
    Effect.fromResult(Params.int(params, "max_date", { min: 0, max: 2 ** 31 - 1 })),
    (maxDate) => Effect.as(chats.markRead(chatId, maxDate), true)
  )
)

export const notifyLayer: Operation = (gateway, call) =>
  Effect.flatMap(chatIdOf(call.params), (chatId) =>
    Effect.as(
      inOrder(gateway, call, chatId, SecretChats.use((chats) => chats.notifyLayer(chatId))),
      json(true)
    ))

// ----- whom to let in

const wrongPolicy = Failure.badRequest(
  "Parameter accept: expected ask, allow, none, true, false or a list of user ids",
  "PARAMETERS_INVALID"
)

const policyOf = (value: unknown): Policy | undefined => {
  switch (value) {
    case "ask":
    case "allow":
    case "none":
      return value
    case true:
    case "true":
    case "1":
      return "allow"
    case false:
    case "false":
    case "0":
      return "none"
  }
  const list = Array.isArray(value) ? value : undefined
  if (list === undefined || list.length > 10_000) return undefined
  const ids: Array<bigint> = []
  for (const one of list) {
    const id = Params.long({ id: one }, "id")
    if (id._tag === "Failure") return undefined
    ids.push(id.success)
  }
  return ids
}

const policyJson = (policy: Policy | undefined) =>
  policy === undefined ? "ask" : typeof policy === "string" ? policy : policy.map(String)

export const setPolicy: Operation = Effect.fnUntraced(function*(gateway, { params, session }) {
  const policy = policyOf(params["accept"] ?? params["accept_chats"] ?? params["policy"])
  if (policy === undefined) return yield* wrongPolicy
  yield* gateway.store.updateSession(session.id, (record) => ({ ...record, policy }))
  gateway.forgetToken(session.id)
  return json({ accept: policyJson(policy) })
})

export const getPolicy: Operation = Effect.fnUntraced(function*(gateway, { session }) {
  const now = yield* gateway.store.getSession(session.id)
  return json({ accept: policyJson(now?.record.policy) })
})

// ----- oneself

export const self = (gateway: Gateway, { session }: Call) =>
  gateway.sessions.use(
    session.id,
    Effect.gen(function*() {
      const transport = yield* Transport
      const [user] = yield* transport.invoke(Api.users.getUsers({ id: [{ _tag: "inputUserSelf" }] }))
      if (user === undefined) return yield* Failure.internal
      yield* People.remember(gateway.store, session.id, [user])
      return json(
        yield* Effect.fromResult(LooseTl.result(Api.users.getUsers, [user])).pipe(
          Effect.map((found) => (found as ReadonlyArray<unknown>)[0])
        )
      )
    })
  )
