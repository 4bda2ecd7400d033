/**
 * Sending an ordinary message: text, a place, a contact, a web page.
 *
 * It needs exactly `Crypto`, `Transport` and `SecretChatStore`; see `sendEncryptedService` for how programs share chats.
 *
 * @since 1.0.0
 */
import type * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import type { Transport } from "@effect-mtproto/transport/Transport"
import * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import * as Send from "./internal/send.ts"
import type { Outcome } from "./Outcome.ts"
import type { SecretChatError } from "./SecretChatError.ts"
import type { SecretChatStore } from "./SecretChatStore.ts"
import type { SecretPeer } from "./SecretPeer.ts"

/**
 * Sends a message with `messages.sendEncrypted`; the other side is notified, silently if the message says so.
 *
 * A text of more than 4096 UTF-16 units is sent as several messages, each when the ones before it were taken: entities are
 * cut with it, media goes with the first. One message gives its outcome, several a non-empty array of them in order. If one
 * of them fails, `sent` of the error holds the outcomes of those before it.
 *
 * A message without `ttl` gets the self-destruct timer of the chat.
 *
 * @category sending
 * @since 1.0.0
 */
export const sendEncrypted: (
  peer: SecretPeer,
  message: DecryptedMessage.AnyDraft
) => Effect.Effect<
  Outcome | readonly [Outcome, Outcome, ...Array<Outcome>],
  SecretChatError,
  Crypto | Transport | SecretChatStore
> = Effect.fn("sendEncrypted")(function*(peer, message) {
  return yield* Send.sendAll(peer, message, "message")
})

/**
 * The same, with every outcome as it happens. Messages that the consumer does not wait for are not sent.
 *
 * @category sending
 * @since 1.0.0
 */
export const sendEncryptedStream = (
  peer: SecretPeer,
  message: DecryptedMessage.AnyDraft
): Stream.Stream<Outcome, SecretChatError, Crypto | Transport | SecretChatStore> =>
  Send.sendStream(peer, message, "message")
