/**
 * What occupies a sequence number: a message or a service message, in the one
 * current form that users see.
 *
 * Which constructor is written follows from the layer of the chat; what arrives
 * in an old one is read into the current form.
 *
 * @since 1.0.0
 */
import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import type * as SecretApi from "@effect-mtproto/core/SecretApi"
import * as Result from "effect/Result"

/**
 * An ordinary message.
 *
 * @since 1.0.0
 * @category models
 */
export const Message = DecryptedMessage.DecryptedMessage

/**
 * @since 1.0.0
 * @category models
 */
export type Message = DecryptedMessage.DecryptedMessage

/**
 * A service message.
 *
 * @since 1.0.0
 * @category models
 */
export type Service = DecryptedMessage.DecryptedMessageService

/**
 * What a service message does.
 *
 * @since 1.0.0
 * @category models
 */
export type Action = DecryptedMessage.DecryptedMessageAction

/**
 * @since 1.0.0
 * @category models
 */
export type Content = DecryptedMessage.AnyMessage

/**
 * @since 1.0.0
 * @category constructors
 */
export const service = (randomId: bigint, action: Action): Service => ({
  _tag: "decryptedMessageService",
  randomId,
  action
})

/**
 * "Delete this very message": what stands in the slot of a message that was
 * deleted before the peer had it.
 *
 * @since 1.0.0
 * @category constructors
 */
export const selfDelete = (randomId: bigint): Service =>
  service(randomId, { _tag: "decryptedMessageActionDeleteMessages", randomIds: [randomId] })

/**
 * The value to write for a peer of `layer`, or one sentence why its client is too
 * old for the content.
 *
 * @since 1.0.0
 * @category conversions
 */
export const toWire = (layer: number, content: Content): Result.Result<SecretApi.DecryptedMessage, string> =>
  Result.mapError(DecryptedMessage.toLayer(layer, content), (error) => error.message)

/**
 * The current form of what was read.
 *
 * @since 1.0.0
 * @category conversions
 */
export const fromWire: (value: SecretApi.DecryptedMessage) => Content = DecryptedMessage.fromWire
