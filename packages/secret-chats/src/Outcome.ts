/**
 * What sending one message came to.
 *
 * @since 1.0.0
 */
import * as Schema from "effect/Schema"
import * as Events from "./protocol/Events.ts"

/**
 * The server took the message. The message is stored, encrypted and numbered; the peer's confirmation comes later, as the
 * event `MessageDelivered` with the same `randomId`.
 *
 * `_tag` and `date` (unix seconds) are the server's answer; the rest says which message it was: `randomId` is its name on
 * both sides, to be used in read, delete and screenshot actions, and `index` its number among our messages of this chat,
 * starting at 0.
 *
 * @category models
 * @since 1.0.0
 */
export interface Outcome {
  readonly _tag: "messages.sentEncryptedMessage" | "messages.sentEncryptedFile"
  readonly chatId: number
  readonly randomId: bigint
  readonly index: number
  readonly date: number
  readonly file?: Events.FileReference
}

/**
 * @category schemas
 * @since 1.0.0
 */
export const Outcome: Schema.Codec<Outcome, any> = Schema.Struct({
  _tag: Schema.Literals(["messages.sentEncryptedMessage", "messages.sentEncryptedFile"]),
  chatId: Schema.Int,
  randomId: Schema.BigInt,
  index: Schema.Int,
  date: Schema.Int,
  file: Schema.optionalKey(Events.FileReference)
})
