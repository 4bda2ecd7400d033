/** The functions that scripts have beside the methods of the API; arguments go by position. */
import * as ApiSchema from "@effect-mtproto/core/ApiSchema"
import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import { saveEncryptedFile } from "@effect-mtproto/secret-chats/downloadEncryptedFile"
import type { EncryptedFile } from "@effect-mtproto/secret-chats/EncryptedFile"
import type * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import * as SecretPeer from "@effect-mtproto/secret-chats/SecretPeer"
import { uploadEncryptedFile } from "@effect-mtproto/secret-chats/uploadEncryptedFile"
import * as Files from "@effect-mtproto/transport/Files"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import type { LuaFiles } from "../LuaFiles.ts"
import * as LuaTl from "../LuaTl.ts"
import * as LuaValue from "../LuaValue.ts"
import * as Calls from "./calls.ts"
import type { Environment, Services } from "./calls.ts"
import * as Drafts from "./drafts.ts"
import { invalid, outcome, Refusal } from "./failure.ts"
import * as Info from "./info.ts"
import * as Peers from "./peers.ts"
import * as People from "./people.ts"

type Args = ReadonlyArray<LuaValue.LuaValue>
type Function = (env: Environment, args: Args) => Effect.Effect<LuaValue.LuaValue, unknown, Services>

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

const number = (value: LuaValue.LuaValue | undefined): number | undefined =>
  typeof value === "bigint" || typeof value === "number" ? Number(value) : undefined

/** A file is handed over as one string. */
const maxDownload = 8 * 2 ** 20

const inputFile = LuaTl.toLua(ApiSchema.type("InputFile"))

/** A file that came, in a secret chat or another. */
interface Incoming {
  readonly content: Stream.Stream<Uint8Array, unknown, Services>
  readonly size: number | undefined
  readonly name: string | undefined
  /** One of a secret chat. */
  readonly encrypted: EncryptedFile | undefined
}

const incoming = Effect.fnUntraced(function*(
  { chats }: Environment,
  value: LuaValue.LuaValue | undefined
): Effect.fn.Return<Incoming, unknown> {
  const cloud = Drafts.cloudFile(value)
  if (cloud !== undefined) {
    const { dc, location, name, size } = cloud
    return { content: Files.download(location, { dc, size }), size, name, encrypted: undefined }
  }
  const encrypted = yield* Effect.fromResult(Drafts.received(value))
  const message = LuaValue.get(value, "message") ?? value
  const attributes = LuaValue.get(LuaValue.get(LuaValue.get(message, "decrypted_message"), "media"), "attributes")
  const named = LuaValue.isTable(attributes)
    ? [...attributes.values()].find((one) => LuaValue.get(one, "_") === "documentAttributeFilename")
    : undefined
  const name = LuaValue.get(named, "file_name")
  return {
    content: chats.download(encrypted),
    size: encrypted.size,
    name: typeof name === "string" ? LuaValue.toDisplay(name) : undefined,
    encrypted
  }
})

/** Writes a file that came; its place, as the script names it. */
const save = Effect.fnUntraced(function*(
  files: LuaFiles["Service"],
  { content, encrypted, size }: Incoming,
  target: string
): Effect.fn.Return<LuaValue.LuaValue, unknown, Services> {
  const tooLarge = new Refusal(413, "FILE_TOO_LARGE", `More than ${files.maxSize} bytes are not written`)
  if ((size ?? 0) > files.maxSize) return yield* Effect.fail(tooLarge)
  if (encrypted === undefined) {
    const fs = Context.get(files.services, FileSystem.FileSystem)
    let length = 0
    yield* Effect.scoped(Effect.gen(function*() {
      const file = yield* fs.open(target, { flag: "wx", mode: 0o600 })
      yield* Stream.runForEach(content, (piece): Effect.Effect<void, unknown> => {
        length += piece.length
        return length > files.maxSize ? Effect.fail(tooLarge) : file.writeAll(piece)
      }).pipe(Effect.onError(() => Effect.ignore(fs.remove(target))))
    }))
  } else {
    yield* Effect.provide(saveEncryptedFile(encrypted, target), files.services)
  }
  return LuaValue.fromText(files.relative(target))
})

// ----- what there was in 2018, and is not

const refused = (names: ReadonlyArray<string>, refusal: Refusal): { readonly [name: string]: Function } =>
  Object.fromEntries(names.map((name) => [name, () => Effect.fail(refusal)]))

const refusals = {
  ...refused(
    ["rekey", "accept_rekey", "commit_rekey", "complete_rekey"],
    new Refusal(400, "NOT_NEEDED", "Keys are replaced by themselves, after 100 messages or a week")
  ),
  ...refused(
    ["complete_secret_chat"],
    new Refusal(400, "NOT_NEEDED", "Chats are completed by themselves: await_secret_chat waits for it")
  ),
  ...refused(
    [
      "phone_login",
      "complete_phone_login",
      "complete_2fa_login",
      "complete_signup",
      "bot_login",
      "logout",
      "import_authorization",
      "export_authorization"
    ],
    new Refusal(403, "METHOD_REFUSED", "The account is logged in, and stays so: scripts neither log in nor out")
  ),
  ...refused(
    ["request_call", "accept_call", "discard_call", "get_call", "get_call_status"],
    new Refusal(501, "NOT_SUPPORTED", "There is nothing here that could carry the sound of a call")
  )
}

export const functions: { readonly [name: string]: Function } = {
  get_self: (env) => Effect.map(Info.getUser(env, { _tag: "inputUserSelf" }), Info.user),

  get_info: Effect.fnUntraced(function*(env, args) {
    const chat = Peers.chatId(args[0])
    if (Result.isSuccess(chat)) {
      const known = yield* Effect.option(env.chats.get(chat.success))
      if (Option.isSome(known)) return LuaValue.table({ type: "secret_chat", SecretChat: chatTable(known.value) })
    }
    return yield* Info.get(env, args[0])
  }),
  get_full_info: (env, args) => Info.getFull(env, args[0]),
  get_dialogs: Effect.fnUntraced(function*(env, [limit]) {
    const most = limit === undefined || limit === null ? Info.maxDialogs : number(limit) ?? NaN
    if (!(Number.isInteger(most) && most >= 1)) return yield* Effect.fail(invalid("How many is a whole number from 1"))
    return yield* Info.dialogs(env, Math.min(most, Info.maxDialogs))
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
  ...refusals,

  upload: Effect.fnUntraced(function*(env, [given, name]) {
    const content = LuaValue.get(given, "content")
    const label = typeof name === "string" ? LuaValue.toDisplay(name) : undefined
    if (typeof content === "string") {
      return inputFile(yield* Files.upload(LuaValue.toBytes(content), { name: label ?? "file" }))
    }
    const path = typeof given === "string" ? given : LuaValue.get(given, "path")
    if (typeof path !== "string") {
      return yield* Effect.fail(invalid(`A path, or a table with content, is needed, not ${LuaValue.describe(given)}`))
    }
    const files = yield* Calls.filesOf(env.files)
    const { read, size } = yield* files.source(LuaValue.toText(path) ?? "")
    const last = LuaValue.toDisplay(path).split(/[\\/]/).at(-1) ?? "file"
    return inputFile(yield* Files.upload({ stream: read(0), size }, { name: label ?? last }))
  }),
  upload_encrypted: Effect.fnUntraced(function*({ files }, [given, name]) {
    const source = yield* Calls.fileOf(files, given)
    if (!("read" in source)) return given ?? null
    const file = yield* uploadEncryptedFile(source, { resume: false })
    return Drafts.uploaded(file, typeof name === "string" ? name : "")
  }),
  download: Effect.fnUntraced(function*(env, args) {
    const tooLarge = new Refusal(413, "FILE_TOO_LARGE", `More than ${maxDownload} bytes cannot be handed over`)
    const { content, size } = yield* incoming(env, args[0])
    if ((size ?? 0) > maxDownload) return yield* Effect.fail(tooLarge)
    let length = 0
    const pieces = yield* content.pipe(
      Stream.mapEffect((piece) => {
        length += piece.length
        return length > maxDownload
          ? Effect.fail(tooLarge)
          // The piece may be lent.
          : Effect.succeed(LuaValue.fromBytes(piece))
      }),
      Stream.runCollect
    )
    return pieces.join("")
  }),
  download_to_file: Effect.fnUntraced(function*(env, [message, path]) {
    const files = yield* Calls.filesOf(env.files)
    if (typeof path !== "string") return yield* Effect.fail(invalid(`A path is needed, not ${LuaValue.describe(path)}`))
    const file = yield* incoming(env, message)
    return yield* save(files, file, yield* files.target(LuaValue.toText(path) ?? ""))
  }),
  download_to_dir: Effect.fnUntraced(function*(env, [message, folder]) {
    const files = yield* Calls.filesOf(env.files)
    if (typeof folder !== "string") {
      return yield* Effect.fail(invalid(`The path of a folder is needed, not ${LuaValue.describe(folder)}`))
    }
    const file = yield* incoming(env, message)
    return yield* save(files, file, yield* files.targetIn(LuaValue.toText(folder) ?? "", file.name ?? "file"))
  }),

  get_updates: Effect.fnUntraced(function*({ inbox }, [asked]) {
    if (asked !== undefined && asked !== null && !LuaValue.isTable(asked)) {
      return yield* Effect.fail(invalid("A table with offset, limit, timeout is needed"))
    }
    const [offset, limit, timeout] = [["offset", 0], ["limit", 100], ["timeout", 0]].map(([name, fallback]) =>
      number(LuaValue.get(asked, name as string)) ?? fallback as number
    ) as [number, number, number]
    if (!(Number.isInteger(offset) && Number.isInteger(limit) && limit >= 1 && timeout >= 0 && timeout <= 3_600)) {
      return yield* Effect.fail(invalid("offset and limit are whole numbers, timeout is in seconds, up to 3600"))
    }
    return yield* inbox.get({ offset, limit: Math.min(limit, 100), timeout: timeout * 1_000 })
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
