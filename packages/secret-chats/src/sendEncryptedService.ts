/**
 * The namesake program: give it a secret chat and a message; it serialises, encrypts, stores, sends, and answers with what
 * the server said.
 *
 * It needs exactly `Crypto`, `Transport` and `SecretChatStore`, and shares its chats with every other program, and with the
 * `SecretChats` layer, that was given the same store: messages of one chat keep one order, and concurrent sends share a
 * commit.
 *
 * **Example** (Setting the self-destruct timer of a chat)
 *
 * ```ts
 * import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
 * import { sendEncryptedService } from "@effect-mtproto/secret-chats/sendEncryptedService"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function*() {
 *   const outcome = yield* sendEncryptedService(-147286699, DecryptedMessage.setMessageTtl(60))
 *   yield* Effect.log(outcome)
 * }).pipe(
 *   Effect.catchTag("EncryptionDeclined", () => Effect.log("The other side does not want this chat"))
 * )
 * ```
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
 * Sends a message with `messages.sendEncryptedService`, which gives no push notification to the other side. It is meant for
 * service messages; ordinary ones are taken too.
 *
 * A text of more than 4096 UTF-16 units, or an action with more than 100 random ids, is sent as several messages, each when
 * the ones before it were taken. One message gives its outcome, several a non-empty array of them in order. If one of them
 * fails, `sent` of the error holds the outcomes of those before it.
 *
 * What is committed is sent even if the caller is interrupted, or the process is killed and started again.
 *
 * @category sending
 * @since 1.0.0
 */
export const sendEncryptedService: (
  peer: SecretPeer,
  message: DecryptedMessage.AnyDraft
) => Effect.Effect<
  Outcome | readonly [Outcome, Outcome, ...Array<Outcome>],
  SecretChatError,
  Crypto | Transport | SecretChatStore
> = Effect.fn("sendEncryptedService")(function*(peer, message) {
  return yield* Send.sendAll(peer, message, "service")
})

/**
 * The same, with every outcome as it happens. Messages that the consumer does not wait for are not sent.
 *
 * @category sending
 * @since 1.0.0
 */
export const sendEncryptedServiceStream = (
  peer: SecretPeer,
  message: DecryptedMessage.AnyDraft
): Stream.Stream<Outcome, SecretChatError, Crypto | Transport | SecretChatStore> =>
  Send.sendStream(peer, message, "service")
