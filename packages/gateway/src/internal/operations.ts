/** Which method of the gateway is which operation, and all methods of the API besides. */
import * as Api from "@effect-mtproto/core/Api"
import { Transport } from "@effect-mtproto/transport/Transport"
import * as Effect from "effect/Effect"
import * as Failure from "../Failure.ts"
import * as Formatted from "../Formatted.ts"
import * as LoosePeer from "../LoosePeer.ts"
import * as LooseTl from "../LooseTl.ts"
import * as Params from "../Params.ts"
import { type Call, type Gateway, json, type Operation } from "./call.ts"
import * as Chats from "./chats.ts"
import { download } from "./download.ts"
import * as Inbox from "./inbox.ts"
import * as Logins from "./logins.ts"
import * as People from "./people.ts"
import * as Sending from "./sending.ts"

// ----- methods of the gateway

/** By their names in small letters: they are found however they are written, also with underscores. */
const own: { readonly [name: string]: Operation } = {
  getme: Chats.self,
  getself: Chats.self,
  logout: Logins.logOut,
  getupdates: Inbox.getUpdates,
  getmtprotoupdates: Inbox.getUpdates,
  // they are there without being asked for
  enablegetupdates: () => Effect.succeed(json(true)),
  enablegetmtprotoupdates: () => Effect.succeed(json(true)),
  setwebhook: Inbox.setWebhook,
  setmtprotowebhook: Inbox.setWebhook,
  deletewebhook: Inbox.deleteWebhook,
  deletemtprotowebhook: Inbox.deleteWebhook,
  getwebhookinfo: Inbox.getWebhookInfo,
  getmtprotowebhookinfo: Inbox.getWebhookInfo,
  events: Inbox.events,
  websocket: Inbox.webSocket
}

/** What bots do not have. */
const people: { readonly [name: string]: Operation } = {
  requestsecretchat: Chats.request,
  acceptsecretchat: Chats.accept,
  declinesecretchat: Chats.decline,
  discardsecretchat: Chats.discard,
  forgetsecretchat: Chats.forget,
  getsecretchat: Chats.get,
  getsecretchats: Chats.list,
  secretchatstatus: Chats.status,
  hassecretchat: Chats.has,
  getkeypicture: Chats.keyPicture,
  getsecretmessages: Chats.messages,
  getsecretmessage: Chats.message,
  notifylayer: Chats.notifyLayer,
  setpolicy: Chats.setPolicy,
  getpolicy: Chats.getPolicy,
  sendencrypted: Sending.sendMessage,
  sendencryptedservice: Sending.sendService,
  sendencryptedfile: Sending.sendFile,
  uploadencrypted: Sending.upload,
  downloadencrypted: download
}

/** Methods of the API that belong to the gateway: it holds what they are about. */
const taken: { readonly [method: string]: Operation } = {
  "messages.sendEncryptedService": Sending.sendService,
  "messages.sendEncrypted": Sending.sendMessage,
  "messages.sendEncryptedFile": Sending.sendFile,
  "messages.setEncryptedTyping": Chats.typing,
  "messages.readEncryptedHistory": Chats.markRead
}

const steps: { readonly [name: string]: Operation } = {
  completephonelogin: Logins.code,
  complete2falogin: Logins.password,
  completesignup: Logins.signUp
}

const refusals: { readonly [method: string]: string } = {
  "messages.requestEncryption": "call requestSecretChat",
  "messages.acceptEncryption": "call acceptSecretChat",
  "messages.discardEncryption": "call discardSecretChat",
  "messages.getDhConfig": "the gateway asks for it by itself",
  "messages.receivedQueue": "the gateway confirms what it has stored",
  "messages.uploadEncryptedFile": "call uploadEncrypted",
  "updates.getState": "call getUpdates",
  "updates.getDifference": "call getUpdates",
  "auth.logOut": "call logOut",
  "auth.sendCode": "call phonelogin",
  "auth.signIn": "call completephonelogin",
  "auth.signUp": "call completesignup",
  "auth.checkPassword": "call complete2FALogin",
  "auth.importBotAuthorization": "call any method as the bot",
  "auth.importAuthorization": "the gateway does it by itself",
  "auth.bindTempAuthKey": "the gateway does it by itself",
  "auth.dropTempAuthKeys": "the gateway does it by itself"
}

/** What can be said of a method by its name. */
interface Shape {
  readonly isSend: boolean
  readonly isEndless: boolean
  readonly has: (name: string) => boolean
  readonly isText: (name: string) => boolean
  /** The name without what is written in one way or another. */
  readonly plain: string
  /** What a person who is logged in may call. */
  operation?: Operation
}

const endless = /^(events|websocket|getupdates|getmtprotoupdates|downloadencrypted|uploadencrypted)$/

const shapeOf = (method: string): Shape => {
  const isSend = /^(?:messages\.)?sendencrypted/.test(method.toLowerCase())
  const written = plain(method)
  const fields = LooseTl.fields(method)
  const names = new Set(isSend ? ["peer", "message", "silent"] : fields.map((field) => field.name))
  const texts = new Set(["url", "password", "code", "caption"])
  if (!isSend) { for (const field of fields) if (field.type === "string") texts.add(field.name) }
  return {
    isSend,
    isEndless: isSend || endless.test(written),
    has: (name) => names.has(name),
    isText: (name) => texts.has(name),
    plain: written
  }
}

// strangers may ask for anything
const MAX_SHAPES = 1_000
const shapes = new Map<string, Shape>()

const shape = (method: string): Shape => {
  let found = shapes.get(method)
  if (found === undefined) {
    if (shapes.size >= MAX_SHAPES) shapes.clear()
    shapes.set(method, found = shapeOf(method))
  }
  return found
}

/** Whether a call takes its place in the order of what is sent. */
export const isSend = (method: string): boolean => shape(method).isSend

/** Streams, long polls and what is sent have times of their own. */
export const isEndless = (method: string): boolean => shape(method).isEndless

/** Whether there is a method of this name, as which it may be told to whoever watches. */
export const isKnown = (method: string): boolean => {
  const name = plain(method)
  return Object.hasOwn(own, name) || Object.hasOwn(people, name) || Object.hasOwn(steps, name) ||
    LooseTl.method(method) !== undefined
}

const plain = (method: string): string => method.toLowerCase().replaceAll("_", "")

// ----- everything else

const noSuchMethod = (method: string) => {
  const similar = LooseTl.similar(method)
  return Failure.make(
    404,
    "METHOD_UNKNOWN",
    `There is no method ${JSON.stringify(method.slice(0, 64))}${similar === undefined ? "" : `; there is ${similar}`}`
  )
}

const randomLong = ({ crypto }: Gateway) => () => {
  const bytes = crypto.randomBytes(8)
  return new DataView(bytes.buffer, bytes.byteOffset, 8).getBigInt64(0, true) || 1n
}

const listOf = <A>(result: unknown, name: "users" | "chats"): ReadonlyArray<A> => {
  const list = (result as { readonly [name: string]: unknown } | null)?.[name]
  return Array.isArray(list) ? list : []
}

/** Any method of the API. */
const call = (name: string): Operation =>
  Effect.fnUntraced(function*(gateway, { params, session }) {
    const method = LooseTl.method(name)
    if (method === undefined) return yield* noSuchMethod(name)
    return yield* gateway.sessions.use(
      session.id,
      Effect.gen(function*() {
        const named = yield* People.known(gateway.store, session.id, Formatted.mentioned(params))
        const written = yield* Effect.fromResult(Formatted.parameters(name, params, named))
        const resolved = yield* People.resolveAll(gateway.store, session.id, name, written)
        const request = yield* Effect.fromResult(LooseTl.request(method, resolved, randomLong(gateway)))
        const transport = yield* Transport
        const result: unknown = yield* transport.invoke(request)
        const users = listOf<Api.User>(result, "users")
        const chats = listOf<Api.Chat>(result, "chats")
        if (users.length + chats.length > 0) yield* People.remember(gateway.store, session.id, users, chats)
        return json(yield* Effect.fromResult(LooseTl.result(method, result)))
      })
    )
  })

/** Bots have no secret chats. The server says so itself; what it is asked does not matter. */
const asBot = (name: string): Operation =>
  Effect.fnUntraced(function*(gateway, { params, session }) {
    const id = LoosePeer.chatId(params["peer"] ?? 0)
    const peer = {
      _tag: "inputEncryptedChat",
      chatId: id._tag === "Success" ? id.success : 1,
      accessHash: 0n
    } as const
    const randomId = randomLong(gateway)()
    const data = new Uint8Array(0)
    const request = name === "messages.sendEncryptedFile"
      ? Api.messages.sendEncryptedFile({ peer, randomId, data, file: { _tag: "inputEncryptedFileEmpty" } })
      : name === "messages.sendEncrypted"
      ? Api.messages.sendEncrypted({ peer, randomId, data })
      : Api.messages.sendEncryptedService({ peer, randomId, data })
    const answer: unknown = yield* gateway.sessions.use(
      session.id,
      Transport.use((transport) => transport.invoke<Api.AnyRequest>(request))
    )
    return json(LooseTl.toJson(answer))
  })

/** What a person may call. */
const forPerson = (method: string): Operation => {
  const name = plain(method)
  const operation = Object.hasOwn(taken, method)
    ? taken[method]
    : Object.hasOwn(own, name)
    ? own[name]
    : Object.hasOwn(people, name)
    ? people[name]
    : undefined
  if (operation !== undefined) return operation
  if (Object.hasOwn(refusals, method)) {
    return () =>
      Effect.fail(Failure.badRequest(`${method} cannot be called here: ${refusals[method]}`, "METHOD_REFUSED"))
  }
  return call(method)
}

const forBot = (method: string): Operation => {
  const name = plain(method)
  if (method.startsWith("messages.sendEncrypted") && Object.hasOwn(taken, method)) return asBot(method)
  if (Object.hasOwn(own, name)) return own[name]!
  if (Object.hasOwn(people, name)) {
    return () => Effect.fail(Failure.badRequest("Bots have no secret chats", "BOT_METHOD_INVALID"))
  }
  if (Object.hasOwn(refusals, method)) {
    return () =>
      Effect.fail(Failure.badRequest(`${method} cannot be called here: ${refusals[method]}`, "METHOD_REFUSED"))
  }
  return call(method)
}

/** The operation of a method, with parameters as the operation wants them. */
export const find = (kind: "user" | "bot", method: string, state: string): Operation => {
  if (method === "") return () => Effect.fail(Failure.noMethod)
  const known = shape(method)
  const step = known.plain
  if (kind === "user") {
    if (Object.hasOwn(steps, step)) return steps[step]!
    if (state !== "ready") return (_, { session }) => Effect.fail(Logins.incomplete(session))
  }
  return kind === "bot" ? forBot(method) : known.operation ??= forPerson(method)
}

/** Parameters under the names of the method; texts that are JSON become that, except where a text is wanted. */
export const prepare = (method: string, params: Params.Params) => {
  const { has, isText } = shape(method)
  return Params.open(Params.rename(params, has), isText)
}

/** What the answer of a webhook asks for: `{"method": …, …}`. */
export const isCall = (value: unknown): value is { readonly method: string } =>
  typeof value === "object" && value !== null && typeof (value as { readonly method?: unknown }).method === "string"

export type { Call }
