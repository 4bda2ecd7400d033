/**
 * Messages that are TL already: for interfaces whose users serialise them by themselves.
 *
 * The bytes are those of a `DecryptedMessage` in any of its constructors, or of a `decryptedMessageLayer` around one, of which
 * only the message counts: layer and numbers are those of the chat. What is encrypted already is refused, for it cannot be right:
 * the key and the numbers of a chat are in its store only, and a frame from elsewhere would end the chat.
 *
 * @since 1.0.0
 */
import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import * as SecretApi from "@effect-mtproto/core/SecretApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import * as Result from "effect/Result"
import { MessageInvalid } from "./SecretChatError.ts"

const decodeMessage = TlCodec.decodeResult(SecretApi.DecryptedMessage)
const decodeLayer = TlCodec.decodeResult(SecretApi.DecryptedMessageLayer)

/** How much can be a message; also what one call to the server can carry. */
const MAX_BYTES = 1_048_576

/**
 * The message that is serialised. Its `random_id` is kept unless it is 0.
 *
 * @category conversions
 * @since 1.0.0
 */
export const fromBytes = (data: Uint8Array): Result.Result<DecryptedMessage.AnyDraft, MessageInvalid> => {
  const invalid = (problem: string) => Result.fail(new MessageInvalid({ path: ["data"], problem, sent: [] }))
  if (data.length > MAX_BYTES) return invalid(`more than ${MAX_BYTES} bytes`)
  const wrapped = decodeLayer(data)
  const found = Result.isSuccess(wrapped) ? Result.succeed(wrapped.success.message) : decodeMessage(data)
  if (Result.isFailure(found)) {
    return invalid(
      "this is no serialised DecryptedMessage. What is encrypted already cannot be sent: key and numbers of the chat are kept here"
    )
  }
  const { randomId, ...rest } = DecryptedMessage.fromWire(found.success)
  return Result.succeed(randomId === 0n ? rest : { ...rest, randomId })
}
