/** Calls of methods: those about secret chats mean what the library does with them, all others go to the server. */
import type * as Api from "@effect-mtproto/core/Api"
import * as ApiMethods from "@effect-mtproto/core/ApiMethods"
import * as ApiSchema from "@effect-mtproto/core/ApiSchema"
import type { AnyDraft } from "@effect-mtproto/core/DecryptedMessage"
import * as Formatting from "@effect-mtproto/core/Formatting"
import * as Tl from "@effect-mtproto/core/Tl"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import type { EncryptedFile } from "@effect-mtproto/secret-chats/EncryptedFile"
import type { FileSource } from "@effect-mtproto/secret-chats/FileSource"
import * as RawMessage from "@effect-mtproto/secret-chats/RawMessage"
import type { MessageInvalid } from "@effect-mtproto/secret-chats/SecretChatError"
import type * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import type { SecretChatStore } from "@effect-mtproto/secret-chats/SecretChatStore"
import { sendEncrypted } from "@effect-mtproto/secret-chats/sendEncrypted"
import { sendEncryptedService } from "@effect-mtproto/secret-chats/sendEncryptedService"
import type { Transport } from "@effect-mtproto/transport/Transport"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { LuaError } from "../LuaError.ts"
import type { LuaFiles } from "../LuaFiles.ts"
import * as LuaTl from "../LuaTl.ts"
import * as LuaValue from "../LuaValue.ts"
import * as Drafts from "./drafts.ts"
import { invalid, outcome, Refusal } from "./failure.ts"
import type { Inbox } from "./inbox.ts"
import * as Peers from "./peers.ts"
import * as People from "./people.ts"

export type Services = Crypto | Transport | SecretChatStore | SecretChats.SecretChats

export interface Environment {
  readonly people: People.People
  readonly transport: Transport["Service"]
  readonly chats: SecretChats.SecretChats["Service"]
  readonly crypto: Crypto["Service"]
  /** Whether a script may call this method. */
  readonly allow: (method: string) => boolean
  readonly inbox: Inbox
  /** The files that scripts may read and write, if there are any. */
  readonly files: LuaFiles["Service"] | undefined
}

type Call = (env: Environment, params: LuaValue.LuaTable) => Effect.Effect<LuaValue.LuaValue, unknown, Services>

// ----- about secret chats

const outcomes = (sent: SecretChats.Outcomes): LuaValue.LuaValue =>
  Array.isArray(sent) ? LuaValue.sequence(sent.map(outcome)) : outcome(sent as never)

// Programs for bots wrote it so.
const peerOf = (params: LuaValue.LuaTable) =>
  Effect.fromResult(Peers.chatId(params.get("peer") ?? params.get("chat_id")))

const silently = <D extends { readonly _tag: string }>(params: LuaValue.LuaTable, draft: D): D =>
  (params.get("silent") ?? params.get("disable_notification")) === true && draft._tag === "decryptedMessage"
    ? { ...draft, silent: true }
    : draft

/** The message, as a table, as a text, or as bytes of TL. */
const messageOf = (
  params: LuaValue.LuaTable
): Result.Result<AnyDraft, LuaError | MessageInvalid | Refusal> => {
  const message = params.get("message") ?? params.get("text")
  const data = params.get("data")
  if (data === undefined) return Drafts.draft(message, params.get("parse_mode"))
  if (message !== undefined) return Result.fail(invalid("message and data exclude each other"))
  return typeof data === "string"
    ? RawMessage.fromBytes(LuaValue.toBytes(data))
    : Result.fail(invalid(`data: a string is needed, not ${LuaValue.describe(data)}`))
}

const sending = (send: typeof sendEncrypted): Call =>
  Effect.fnUntraced(function*(_, params) {
    const peer = yield* peerOf(params)
    const draft = yield* Effect.fromResult(messageOf(params))
    return outcomes(yield* send(peer, silently(params, draft)))
  })

const noFiles = new Refusal(
  403,
  "FILES_REFUSED",
  "Files of the host are out of reach: give {content = …}, or let the host provide a folder"
)

export const filesOf = (files: LuaFiles["Service"] | undefined) =>
  files === undefined ? Effect.fail(noFiles) : Effect.succeed(files)

/** A file to send: a path, its content, or what the server has already. */
export const fileOf = (
  files: LuaFiles["Service"] | undefined,
  value: LuaValue.LuaValue | undefined
): Effect.Effect<FileSource<unknown> | EncryptedFile, unknown> => {
  const path = typeof value === "string" ? value : LuaValue.get(value, "path")
  if (typeof path !== "string") return Effect.fromResult(Drafts.file(value))
  return Effect.flatMap(filesOf(files), ({ source }) => source(LuaValue.toText(path) ?? ""))
}

const sendFile: Call = Effect.fnUntraced(function*({ chats, files }, params) {
  const peer = yield* peerOf(params)
  const draft = yield* Effect.fromResult(Drafts.fileDraft(params.get("message"), params.get("parse_mode")))
  const file = yield* fileOf(files, params.get("file"))
  const { encrypted: _, more, ...first } = yield* chats.sendFile(peer, silently(params, draft), file)
  return more.length === 0 ? outcome(first) : LuaValue.sequence([first, ...more].map(outcome))
})

/** Names a secret chat, and nothing else: an update or object of one, or a dialog id. Other numbers are people. */
const isSecretPeer = (peer: LuaValue.LuaValue | undefined): boolean => {
  if (LuaValue.isTable(peer)) return typeof peer.get("_") === "string" && Result.isSuccess(Peers.chatId(peer))
  return /^-(199|200)\d{10}$/.test(String(peer ?? "")) && Result.isSuccess(Peers.chatId(peer))
}

const fieldsOfText = [
  "message",
  "text",
  "entities",
  "parse_mode",
  "no_webpage",
  "disable_web_page_preview",
  "ttl",
  "reply_to_msg_id",
  "reply_to_message_id",
  "reply_to_random_id",
  "random_id"
]

/** `messages.sendMessage` with a secret chat as its peer. */
const sendMessage: Call = (env, params) => {
  const message = new Map<LuaValue.LuaKey, LuaValue.LuaValue>([["_", "decryptedMessage"]])
  for (const name of fieldsOfText) {
    const value = params.get(name)
    if (value !== undefined) message.set(name, value)
  }
  const replyTo = LuaValue.get(params.get("reply_to"), "reply_to_msg_id")
  if (replyTo !== undefined) message.set("reply_to_random_id", replyTo)
  return sending(sendEncrypted)(env, new Map(params).set("message", message))
}

const special: { readonly [method: string]: Call } = {
  "messages.sendEncrypted": sending(sendEncrypted),
  "messages.sendEncryptedService": sending(sendEncryptedService),
  "messages.sendEncryptedFile": sendFile,
  "messages.setEncryptedTyping": Effect.fnUntraced(function*({ chats }, params) {
    yield* chats.setTyping(yield* peerOf(params), params.get("typing") !== false)
    return true
  }),
  "messages.readEncryptedHistory": Effect.fnUntraced(function*({ chats }, params) {
    const peer = yield* peerOf(params)
    const date = params.get("max_date")
    if (typeof date !== "bigint" || BigInt.asIntN(32, date) !== date) {
      return yield* Effect.fail(invalid("max_date: a 32-bit integer is needed"))
    }
    yield* chats.markRead(peer, Number(date))
    return true
  })
}

// ----- everything else

const instead: { readonly [method: string]: string } = {
  "messages.requestEncryption": "request_secret_chat",
  "messages.acceptEncryption": "accept_secret_chat",
  "messages.discardEncryption": "discard_secret_chat"
}

/** Methods that would take from the host what it needs to go on, or the account from whoever owns it. */
export const isRefused = (method: string): boolean =>
  Object.hasOwn(instead, method) ||
  /^(auth|upload)\./.test(method) ||
  /^updates\.get\w*Difference$/.test(method) ||
  /^account\.(deleteAccount|resetPassword|updatePasswordSettings|changePhone|resetAuthorization|setAuthorizationTTL)$/
    .test(method) ||
  method === "messages.receivedQueue" || method === "messages.getDhConfig"

/** The methods that scripts have; wrappers have no name space and are not for them. */
export const methods = (): ReadonlyArray<string> =>
  [...ApiMethods.all().keys()].filter((name) => name.includes(".") && !name.startsWith("upload."))

const resolve = (people: People.People) => (type: string, value: LuaValue.LuaValue): unknown => {
  switch (type) {
    case "InputUser":
      return People.find(people, value)
    case "InputPeer":
      return People.findPeer(people, value)
    case "InputChannel":
      return People.findChannel(people, value)
    default:
      return undefined
  }
}

/** A reply was a number once. */
const withReply = (given: Map<LuaValue.LuaKey, LuaValue.LuaValue>): void => {
  const id = given.get("reply_to_msg_id") ?? given.get("reply_to_message_id")
  if (id === undefined || given.has("reply_to")) return
  given.set("reply_to", LuaValue.table({ _: "inputReplyToMessage", reply_to_msg_id: id }))
}

const toEntities = LuaTl.toLua(Tl.vector(ApiSchema.type("MessageEntity")))

/** Entities in place of the markup of a text. */
const withEntities = (
  people: People.People,
  given: Map<LuaValue.LuaKey, LuaValue.LuaValue>
): Result.Result<void, Refusal> => {
  const parseMode = given.get("parse_mode")
  const text = given.get("message") ?? given.get("text")
  if (parseMode === undefined || parseMode === "" || text === undefined) return Result.void
  if (given.has("entities")) return Result.fail(invalid("parse_mode and entities exclude each other"))
  return Result.map(Drafts.formatted(text, parseMode), ({ entities, text }) => {
    given.set("message", LuaValue.fromText(text))
    const made = Formatting.toApi(entities, (userId) => People.known(people, userId))
    if (made.length > 0) given.set("entities", toEntities(made))
  })
}

const generic = Effect.fnUntraced(function*(env: Environment, name: string, params: LuaValue.LuaTable) {
  const method = ApiMethods.byName(name)
  if (method === undefined) return yield* Effect.fail(new Refusal(404, "METHOD_INVALID", `There is no method ${name}`))
  const given = new Map(params).set("_", name)
  const takes = ApiSchema.methods().get(name)!.fields
  if (takes.some((field) => field.name === "random_id" && field.type === "long") && !given.has("random_id")) {
    given.set("random_id", new DataView(env.crypto.randomBytes(8).slice().buffer).getBigInt64(0))
  }
  const has = (field: string) => takes.some(({ name }) => name === field)
  if (has("reply_to")) withReply(given)
  if (has("entities")) yield* Effect.fromResult(withEntities(env.people, given))
  const read = LuaTl.fromLua(ApiSchema.params(method), { resolve: resolve(env.people), aliases: Drafts.aliases })
  const request = yield* Effect.flatMap(
    People.withNames(env.people, env.transport, () => read(given)),
    Effect.fromResult
  )
  const { _tag, ...fields } = request as { readonly _tag: string }
  const answer: unknown = yield* env.transport.invoke(method(fields as never) as Api.AnyRequest) as Effect.Effect<
    unknown,
    unknown
  >
  People.remember(env.people, answer)
  return LuaTl.toLua(ApiSchema.response(method))(answer)
})

export const call = Effect.fnUntraced(function*(
  env: Environment,
  name: string,
  params: LuaValue.LuaValue
): Effect.fn.Return<LuaValue.LuaValue, unknown, Services> {
  if (!LuaValue.isTable(params)) {
    return yield* Effect.fail(invalid(`One table of parameters is needed, not ${LuaValue.describe(params)}`))
  }
  if (Object.hasOwn(instead, name)) {
    return yield* Effect.fail(new Refusal(400, "METHOD_REFUSED", `Use ${instead[name]} in place of ${name}`))
  }
  if (isRefused(name) || !env.allow(name)) {
    return yield* Effect.fail(new Refusal(403, "METHOD_REFUSED", `Scripts may not call ${name}`))
  }
  if (name === "messages.sendMessage" && isSecretPeer(params.get("peer") ?? params.get("chat_id"))) {
    return yield* sendMessage(env, params)
  }
  return yield* Object.hasOwn(special, name) ? special[name]!(env, params) : generic(env, name, params)
})
