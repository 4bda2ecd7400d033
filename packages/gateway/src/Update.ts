/**
 * What programs are told, as JSON: what happens in secret chats, see `SecretUpdate`, and every other update of the account.
 *
 * @since 1.0.0
 */
import * as ApiSchema from "@effect-mtproto/core/ApiSchema"
import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import * as TlJson from "@effect-mtproto/core/TlJson"
import type { SecretChatEvent } from "@effect-mtproto/secret-chats/SecretChats"
import * as SecretUpdate from "@effect-mtproto/secret-chats/SecretUpdate"
import * as OtherUpdates from "@effect-mtproto/transport/OtherUpdates"
import type { TransportUpdate } from "@effect-mtproto/transport/Transport"
import type * as Schema from "effect/Schema"
import * as LooseTl from "./LooseTl.ts"

type JsonObject = { readonly [key: string]: Schema.Json }

const decrypted = (
  message: SecretUpdate.NewMessage["message"]["decryptedMessage"]
): Schema.Json => {
  if (message._tag === "decryptedMessage") return DecryptedMessage.toJson(message)
  const { randomId = 0n, ...rest } = message
  const { random_id, ...json } = DecryptedMessage.toJson({ ...rest, randomId }) as JsonObject
  return message.randomId === undefined ? json : { ...json, random_id: random_id! }
}

/**
 * The update for an event; `undefined` for what is not told.
 *
 * @category conversions
 * @since 1.0.0
 */
export const fromEvent = (happening: Pick<SecretChatEvent, "chatId" | "event">): JsonObject | undefined => {
  const update = SecretUpdate.fromEvent(happening)
  if (update === undefined) return undefined
  if (update._tag !== "updateNewEncryptedMessage") return LooseTl.toJson(update) as JsonObject
  const { decryptedMessage, ...message } = update.message
  return {
    _: update._tag,
    message: { ...LooseTl.toJson(message) as JsonObject, decrypted_message: decrypted(decryptedMessage) }
  }
}

const makeEncoders = () => ({
  update: TlJson.encode(ApiSchema.type("Update")),
  user: TlJson.encode(ApiSchema.type("User")),
  chat: TlJson.encode(ApiSchema.type("Chat"))
})
/** Made when first needed: the schema of the whole layer is a long text. */
let encoders: ReturnType<typeof makeEncoders> | undefined

/**
 * An update that is not about secret chats, as it stands in the inbox: `update`, and the `users` and `chats` that it names, as
 * far as Telegram told of them.
 *
 * @category conversions
 * @since 1.0.0
 */
export const fromOther = (other: Pick<TransportUpdate, "update" | "users" | "chats">): JsonObject => {
  const { chat, update, user } = encoders ??= makeEncoders()
  const { chats, users } = OtherUpdates.about(other)
  return {
    update: update(other.update),
    ...users.length === 0 ? {} : { users: users.map(user) },
    ...chats.length === 0 ? {} : { chats: chats.map(chat) }
  }
}
