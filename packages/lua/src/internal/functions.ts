/** The functions that scripts have beside the methods of the API; arguments go by position. */
import * as Api from "@effect-mtproto/core/Api"
import * as ApiSchema from "@effect-mtproto/core/ApiSchema"
import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import type * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import * as SecretPeer from "@effect-mtproto/secret-chats/SecretPeer"
import { uploadEncryptedFile } from "@effect-mtproto/secret-chats/uploadEncryptedFile"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as LuaTl from "../LuaTl.ts"
import * as LuaValue from "../LuaValue.ts"
import type { Environment, Services } from "./calls.ts"
import * as Drafts from "./drafts.ts"
import { invalid, outcome, Refusal } from "./failure.ts"
import * as Peers from "./peers.ts"
import * as People from "./people.ts"

type Args = ReadonlyArray<LuaValue.LuaValue>
type Function = (env: Environment, args: Args) => Effect.Effect<LuaValue.LuaValue, unknown, Services>

const user = LuaTl.toLua(ApiSchema.type("User"))
const message = LuaTl.toLua(DecryptedMessage.AnyMessage)

/** 0: not there, or over; 1: on its way; 2: ready. */
const status = (state: SecretChats.SecretChatState): bigint => state === "ready" ? 2n : state === "closed" ? 0n : 1n

const chatTable = (chat: SecretChats.SecretChat): LuaValue.LuaTable =>
  LuaValue.table({
    _: "secretChat",
    chat_id: BigInt(chat.chatId),
    dialog_id: BigInt(SecretPeer.dialogId(chat.chatId)),
    user_id: chat.userId,
    creator: chat.outgoing,
    state: chat.state,
    status: status(chat.state),
    closed: chat.closed?._tag,
    created: BigInt(chat.date),
    ttl: BigInt(chat.ttl),
    layer: BigInt(chat.peerLayer),
    key_hash: chat.keyHash === undefined ? undefined : LuaValue.fromBytes(chat.keyHash)
  })

const history = (one: SecretChats.HistoryMessage): LuaValue.LuaTable =>
  LuaValue.table({
    _: "secretMessage",
    chat_id: BigInt(one.chatId),
    random_id: one.randomId,
    position: BigInt(one.position),
    out: one.outgoing,
    state: one.state,
    date: BigInt(one.date),
    failure: one.failure === undefined ? undefined : LuaValue.fromText(one.failure),
    decrypted_message: message(one.message)
  })

const chatOf = ([first]: Args) => Effect.fromResult(Peers.chatId(first))

const outcomes = (sent: SecretChats.Outcomes): LuaValue.LuaValue =>
  Array.isArray(sent) ? LuaValue.sequence(sent.map(outcome)) : outcome(sent as never)

const person = ({ people, transport }: Environment, value: LuaValue.LuaValue | undefined) =>
  People.withNames(people, transport, () => {
    const found = People.find(people, value ?? null)
    if (found === undefined) throw invalid(`A person is needed, not ${LuaValue.describe(value)}`)
    return found
  })

const getUser = Effect.fnUntraced(function*(env: Environment, id: Api.InputUser) {
  const [found] = yield* env.transport.invoke(Api.users.getUsers({ id: [id] }))
  if (found === undefined) return yield* Effect.fail(new Refusal(404, "USER_UNKNOWN", "There is nobody like that"))
  People.remember(env.people, [found])
  return found
})

const number = (value: LuaValue.LuaValue | undefined): number | undefined =>
  typeof value === "bigint" || typeof value === "number" ? Number(value) : undefined

/** A file is handed over as one string. */
const maxDownload = 8 * 2 ** 20

export const functions: { readonly [name: string]: Function } = {
  get_self: (env) => Effect.map(getUser(env, { _tag: "inputUserSelf" }), user),

  get_info: Effect.fnUntraced(function*(env, args) {
    const chat = Peers.chatId(args[0])
    if (Result.isSuccess(chat)) {
      const known = yield* Effect.option(env.chats.get(chat.success))
      if (Option.isSome(known)) return LuaValue.table({ type: "secret_chat", SecretChat: chatTable(known.value) })
    }
    const id = yield* person(env, args[0])
    const found = yield* getUser(env, id)
    return LuaValue.table({ type: "user", user_id: found.id, User: user(found) })
  }),

  request_secret_chat: Effect.fnUntraced(function*(env, args) {
    const who = yield* person(env, args[0])
    if (who._tag === "inputUserSelf") return yield* Effect.fail(invalid("There is no secret chat with oneself"))
    const chat = yield* env.chats.request(who)
    return BigInt(chat.chatId)
  }),
  accept_secret_chat: (env, args) => Effect.map(Effect.flatMap(chatOf(args), (id) => env.chats.accept(id)), chatTable),
  decline_secret_chat: (env, args) =>
    Effect.map(Effect.flatMap(chatOf(args), (id) => env.chats.decline(id)), chatTable),
  await_secret_chat: (env, args) =>
    Effect.map(Effect.flatMap(chatOf(args), (id) => env.chats.awaitReady(id)), chatTable),
  discard_secret_chat: (env, args) =>
    Effect.as(
      Effect.flatMap(chatOf(args), (id) => env.chats.discard(id, { deleteHistory: args[1] === true })),
      true
    ),
  secret_chat_status: (env, args) =>
    Effect.flatMap(chatOf(args), (id) => env.chats.get(id)).pipe(
      Effect.map((chat) => status(chat.state)),
      Effect.catchTag("SecretChatUnknown", () => Effect.succeed(0n))
    ),
  has_secret_chat: (env, args) =>
    Effect.flatMap(chatOf(args), (id) => env.chats.get(id)).pipe(
      Effect.map((chat) => chat.state === "ready"),
      Effect.catchTag("SecretChatUnknown", () => Effect.succeed(false))
    ),
  get_secret_chat: (env, args) => Effect.map(Effect.flatMap(chatOf(args), (id) => env.chats.get(id)), chatTable),
  get_secret_chats: ({ chats }) => Effect.map(chats.list, (all) => LuaValue.sequence(all.map(chatTable))),
  get_key_picture: (env, args) =>
    Effect.map(Effect.flatMap(chatOf(args), (id) => env.chats.keyPicture(id)), (picture) =>
      LuaValue.table({
        hash: LuaValue.fromBytes(picture.hash),
        hex: picture.hex,
        letters: LuaValue.fromText(picture.letters),
        svg: LuaValue.fromText(picture.svg)
      })),

  get_secret_message: Effect.fnUntraced(function*(env, args) {
    const id = yield* chatOf(args)
    const randomId = args[1]
    if (typeof randomId !== "bigint") return yield* Effect.fail(invalid("random_id: an integer is needed"))
    return Option.match(yield* env.chats.message(id, randomId), { onNone: () => null, onSome: history })
  }),
  get_secret_messages: Effect.fnUntraced(function*(env, args) {
    const id = yield* chatOf(args)
    const order = LuaValue.get(args[1], "order")
    const found = yield* env.chats.messages(id, {
      before: number(LuaValue.get(args[1], "before")),
      after: number(LuaValue.get(args[1], "after")),
      limit: number(LuaValue.get(args[1], "limit")),
      order: order === "oldest-first" ? order : "newest-first"
    })
    return LuaValue.sequence(found.map(history))
  }),

  notify_layer: (env, args) => Effect.map(Effect.flatMap(chatOf(args), (id) => env.chats.notifyLayer(id)), outcomes),
  rekey: () =>
    Effect.fail(
      new Refusal(400, "NOT_NEEDED", "Keys are replaced by themselves, after 100 messages or a week")
    ),

  upload_encrypted: Effect.fnUntraced(function*(_, [given, name]) {
    const content = typeof given === "string" ? LuaValue.table({ content: given }) : given
    const source = yield* Effect.fromResult(Drafts.file(content))
    if (!("read" in source)) return content ?? null
    const file = yield* uploadEncryptedFile(source, { resume: false })
    return Drafts.uploaded(file, typeof name === "string" ? name : "")
  }),
  download: Effect.fnUntraced(function*(env, args) {
    const file = yield* Effect.fromResult(Drafts.received(args[0]))
    if ((file.size ?? 0) > maxDownload) {
      return yield* Effect.fail(
        new Refusal(413, "FILE_TOO_LARGE", `More than ${maxDownload} bytes cannot be handed over`)
      )
    }
    let length = 0
    const pieces = yield* env.chats.download(file).pipe(
      Stream.mapEffect((piece) => {
        length += piece.length
        return length > maxDownload
          ? Effect.fail(new Refusal(413, "FILE_TOO_LARGE", `More than ${maxDownload} bytes cannot be handed over`))
          // The piece may be lent.
          : Effect.succeed(LuaValue.fromBytes(piece))
      }),
      Stream.runCollect
    )
    return pieces.join("")
  }),

  sleep: Effect.fnUntraced(function*(_, [seconds]) {
    const time = number(seconds) ?? NaN
    if (!(time >= 0 && time <= 86_400)) {
      return yield* Effect.fail(invalid("A number of seconds between 0 and 86400 is needed"))
    }
    yield* Effect.sleep(time * 1000)
    return null
  })
}
