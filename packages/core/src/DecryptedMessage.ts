/**
 * The messages of a secret chat as programs see them: one type of message and one of service message, whatever the
 * layer of the chat.
 *
 * {@link toLayer} chooses the constructors that the peer's client understands, {@link fromWire} reads all that was ever
 * sent. The functions that make messages leave out what the sender fills in (`randomId`, `ttl`); what they return is a
 * {@link Draft} or a {@link ServiceDraft}.
 *
 * ```ts
 * import * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
 *
 * DecryptedMessage.message("see you at eight", { silent: true })
 * DecryptedMessage.setMessageTtl(60)
 * DecryptedMessage.deleteMessages([randomId])
 * ```
 *
 * Source: core.telegram.org/api/end-to-end, core.telegram.org/schema/end-to-end.
 *
 * @since 1.0.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import { currentMessage } from "./internal/secretCurrent.ts"
import { actionForLayer, actionLayer, messageForLayer } from "./internal/secretLayer.ts"
import * as SecretApi from "./SecretApi.ts"
import * as Tl from "./Tl.ts"
import type { TlError } from "./TlError.ts"
import * as TlJson from "./TlJson.ts"

// ----- schemas

/**
 * What a document is.
 *
 * @category schemas
 * @since 1.0.0
 */
export const DocumentAttribute = Tl.union("DocumentAttribute", [
  SecretApi.documentAttributeImageSize,
  SecretApi.documentAttributeAnimated,
  SecretApi.documentAttributeFilename,
  SecretApi.documentAttributeSticker,
  SecretApi.documentAttributeAudio,
  SecretApi.documentAttributeVideo
])

/**
 * @category models
 * @since 1.0.0
 */
export type DocumentAttribute = typeof DocumentAttribute.Type

/**
 * A formatted piece of the text.
 *
 * @category schemas
 * @since 1.0.0
 */
export const MessageEntity = SecretApi.MessageEntity

/**
 * @category models
 * @since 1.0.0
 */
export type MessageEntity = SecretApi.MessageEntity

const attributes = Tl.vector(DocumentAttribute)

/**
 * What is attached to a message. Videos, music, voice notes and animations are documents with attributes, as all
 * clients send them.
 *
 * @category schemas
 * @since 1.0.0
 */
export const DecryptedMessageMedia = Tl.union("DecryptedMessageMedia", [
  SecretApi.decryptedMessageMediaPhoto,
  Tl.narrow(SecretApi.decryptedMessageMediaDocument, { attributes }),
  Tl.narrow(SecretApi.decryptedMessageMediaExternalDocument, { attributes }),
  SecretApi.decryptedMessageMediaGeoPoint,
  SecretApi.decryptedMessageMediaVenue,
  SecretApi.decryptedMessageMediaContact,
  SecretApi.decryptedMessageMediaWebPage
])

/**
 * @category models
 * @since 1.0.0
 */
export type DecryptedMessageMedia = typeof DecryptedMessageMedia.Type

/**
 * What a service message does.
 *
 * @category schemas
 * @since 1.0.0
 */
export const DecryptedMessageAction = SecretApi.DecryptedMessageAction

/**
 * @category models
 * @since 1.0.0
 */
export type DecryptedMessageAction = SecretApi.DecryptedMessageAction

/**
 * An ordinary message.
 *
 * @category schemas
 * @since 1.0.0
 */
export const DecryptedMessage = Tl.narrow(SecretApi.decryptedMessage, { media: Tl.flag(9, DecryptedMessageMedia) })

/**
 * @category models
 * @since 1.0.0
 */
export type DecryptedMessage = typeof DecryptedMessage.Type

/**
 * A service message.
 *
 * @category schemas
 * @since 1.0.0
 */
export const DecryptedMessageService = SecretApi.decryptedMessageService

/**
 * @category models
 * @since 1.0.0
 */
export type DecryptedMessageService = SecretApi.decryptedMessageService

/**
 * Either of the two.
 *
 * @category schemas
 * @since 1.0.0
 */
export const AnyMessage = Tl.union("DecryptedMessage", [DecryptedMessage, DecryptedMessageService])

/**
 * @category models
 * @since 1.0.0
 */
export type AnyMessage = typeof AnyMessage.Type

/**
 * An ordinary message whose `randomId` and `ttl` may be left to the sender.
 *
 * @category models
 * @since 1.0.0
 */
export type Draft = Omit<DecryptedMessage, "randomId" | "ttl"> & Partial<Pick<DecryptedMessage, "randomId" | "ttl">>

/**
 * A service message whose `randomId` may be left to the sender.
 *
 * @category models
 * @since 1.0.0
 */
export type ServiceDraft =
  & Omit<DecryptedMessageService, "randomId">
  & Partial<Pick<DecryptedMessageService, "randomId">>

/**
 * What can be sent: an ordinary message or a service message, without what the chat adds itself.
 *
 * @category models
 * @since 1.0.0
 */
export type AnyDraft = Draft | ServiceDraft

// ----- making messages

/**
 * An ordinary message. `options` are the other fields of {@link DecryptedMessage}.
 *
 * @category constructors
 * @since 1.0.0
 */
export const message = (text: string, options?: Omit<Draft, "_tag" | "message">): Draft => ({
  ...options,
  _tag: "decryptedMessage",
  message: text
})

/**
 * A service message with any action.
 *
 * @category constructors
 * @since 1.0.0
 */
export const service = (action: DecryptedMessageAction): ServiceDraft => ({ _tag: "decryptedMessageService", action })

/**
 * Sets the self-destruct timer of the chat, for both sides; 0 switches it off.
 *
 * @category constructors
 * @since 1.0.0
 */
export const setMessageTtl = (ttlSeconds: number): ServiceDraft =>
  service({ _tag: "decryptedMessageActionSetMessageTTL", ttlSeconds })

/**
 * Tells that the content of messages was opened, which starts their timers.
 *
 * @category constructors
 * @since 1.0.0
 */
export const readMessages = (randomIds: ReadonlyArray<bigint>): ServiceDraft =>
  service({ _tag: "decryptedMessageActionReadMessages", randomIds })

/**
 * Deletes messages at the peer.
 *
 * @category constructors
 * @since 1.0.0
 */
export const deleteMessages = (randomIds: ReadonlyArray<bigint>): ServiceDraft =>
  service({ _tag: "decryptedMessageActionDeleteMessages", randomIds })

/**
 * Tells that a screenshot was taken; other clients send no ids.
 *
 * @category constructors
 * @since 1.0.0
 */
export const screenshotMessages = (randomIds: ReadonlyArray<bigint> = []): ServiceDraft =>
  service({ _tag: "decryptedMessageActionScreenshotMessages", randomIds })

/**
 * Deletes the whole history at the peer.
 *
 * @category constructors
 * @since 1.0.0
 */
export const flushHistory = (): ServiceDraft => service({ _tag: "decryptedMessageActionFlushHistory" })

/**
 * Asks for messages again, by their `outSeqNo`, both ends included.
 *
 * @category constructors
 * @since 1.0.0
 */
export const resend = (startSeqNo: number, endSeqNo: number): ServiceDraft =>
  service({ _tag: "decryptedMessageActionResend", startSeqNo, endSeqNo })

/**
 * Tells the highest layer that this side understands.
 *
 * @category constructors
 * @since 1.0.0
 */
export const notifyLayer = (layer: number = SecretApi.layer): ServiceDraft =>
  service({ _tag: "decryptedMessageActionNotifyLayer", layer })

/**
 * What {@link typing} can tell.
 *
 * @category models
 * @since 1.0.0
 */
export type Activity = SecretApi.SendMessageAction["_tag"] extends infer T
  ? T extends `sendMessage${infer Name}Action` ? Uncapitalize<Name> : never
  : never

/**
 * Tells what the user is doing. Other clients use `messages.setEncryptedTyping` instead.
 *
 * @category constructors
 * @since 1.0.0
 */
export const typing = (activity: Activity = "typing"): ServiceDraft => {
  const name = activity.charAt(0).toUpperCase() + activity.slice(1) as Capitalize<Activity>
  return service({ _tag: "decryptedMessageActionTyping", action: { _tag: `sendMessage${name}Action` } })
}

/**
 * Starts the exchange of a new key.
 *
 * @category constructors
 * @since 1.0.0
 */
export const requestKey = (exchangeId: bigint, gA: Uint8Array): ServiceDraft =>
  service({ _tag: "decryptedMessageActionRequestKey", exchangeId, gA })

/**
 * Answers {@link requestKey}.
 *
 * @category constructors
 * @since 1.0.0
 */
export const acceptKey = (exchangeId: bigint, gB: Uint8Array, keyFingerprint: bigint): ServiceDraft =>
  service({ _tag: "decryptedMessageActionAcceptKey", exchangeId, gB, keyFingerprint })

/**
 * Ends an exchange without a new key.
 *
 * @category constructors
 * @since 1.0.0
 */
export const abortKey = (exchangeId: bigint): ServiceDraft =>
  service({ _tag: "decryptedMessageActionAbortKey", exchangeId })

/**
 * Ends an exchange; the new key is used from the next message on.
 *
 * @category constructors
 * @since 1.0.0
 */
export const commitKey = (exchangeId: bigint, keyFingerprint: bigint): ServiceDraft =>
  service({ _tag: "decryptedMessageActionCommitKey", exchangeId, keyFingerprint })

/**
 * Nothing: it occupies a sequence number and acknowledges what was received.
 *
 * @category constructors
 * @since 1.0.0
 */
export const noop = (): ServiceDraft => service({ _tag: "decryptedMessageActionNoop" })

/**
 * The message that a draft becomes: what it leaves out is taken from `defaults`.
 *
 * @category combinators
 * @since 1.0.0
 */
export const complete = (
  draft: AnyDraft,
  defaults: { readonly randomId: bigint; readonly ttl: number }
): AnyMessage =>
  draft._tag === "decryptedMessage"
    ? { ...draft, randomId: draft.randomId ?? defaults.randomId, ttl: draft.ttl ?? defaults.ttl }
    : { ...draft, randomId: draft.randomId ?? defaults.randomId }

// ----- layers

/**
 * The peer's client is too old for what a message holds.
 *
 * @category errors
 * @since 1.0.0
 */
export class LayerError extends Schema.TaggedError<LayerError>()("LayerError", {
  /** The layer that was to be written. */
  layer: Schema.Int,
  /** The layer that can express it. */
  needed: Schema.Int,
  /** What cannot be expressed, in words. */
  feature: Schema.String
}) {
  override get message() {
    return `The peer's client speaks layer ${this.layer}, but ${this.feature} needs layer ${this.needed}`
  }
}

/**
 * The lowest layer that {@link toLayer} writes.
 *
 * @category constants
 * @since 1.0.0
 */
export const lowestLayer = 45

/**
 * The largest document that can be announced below layer 143, in bytes (2000 MiB).
 *
 * @category constants
 * @since 1.0.0
 */
export const maxOldDocumentSize = 2000n * 2n ** 20n

/**
 * The form of a message for a chat of this layer.
 *
 * What an old client cannot show is left out, as TDLib does: entities, `silent`, albums, the link preview switch. Where
 * leaving out would lose what the message is about, it is refused: documents over {@link maxOldDocumentSize} below layer
 * 143, and everything below layer {@link lowestLayer}. Entities that are not in the published schema are never written.
 *
 * @category conversions
 * @since 1.0.0
 */
export const toLayer = (
  layer: number,
  value: SecretApi.DecryptedMessage
): Result.Result<SecretApi.DecryptedMessage, LayerError> => {
  const current = fromWire(value)
  if (current._tag === "decryptedMessageService") {
    const needed = actionLayer(current.action)
    return layer < needed
      ? Result.fail(new LayerError({ layer, needed, feature: current.action._tag }))
      : Result.succeed({ ...current, action: actionForLayer(layer, current.action) })
  }
  if (layer < lowestLayer) return Result.fail(new LayerError({ layer, needed: lowestLayer, feature: "any message" }))
  const { media } = current
  if (
    layer < 143 && media?._tag === "decryptedMessageMediaDocument"
    && !(media.size >= 0n && media.size <= maxOldDocumentSize)
  ) {
    return Result.fail(new LayerError({ layer, needed: 143, feature: "a file of this size" }))
  }
  return Result.succeed(messageForLayer(layer, current))
}

/**
 * The current form of what was received, whatever constructors it came in.
 *
 * Videos and audios of old clients become documents with attributes. Bytes that only old forms have (`randomBytes`) are
 * dropped.
 *
 * @category conversions
 * @since 1.0.0
 */
export const fromWire = (value: SecretApi.DecryptedMessage): AnyMessage => {
  switch (value._tag) {
    case "decryptedMessageService":
      return value
    case "decryptedMessageService_8":
      return { _tag: "decryptedMessageService", randomId: value.randomId, action: value.action }
    default:
      return currentMessage(value)
  }
}

// ----- JSON

/**
 * A message in the JSON form of `TlJson`.
 *
 * @category conversions
 * @since 1.0.0
 */
export const toJson: (value: AnyMessage) => Schema.Json = TlJson.encode(AnyMessage)

const decodeJson = TlJson.decodeResult(SecretApi.DecryptedMessage)

/**
 * A draft from the JSON form of `TlJson`: `random_id`, `ttl` and the text may be left out, every constructor that was ever
 * sent is understood.
 *
 * @category conversions
 * @since 1.0.0
 */
export const fromJson = (json: unknown): Result.Result<AnyDraft, TlError> => {
  if (typeof json !== "object" || json === null) return Result.map(decodeJson(json), fromWire)
  const given = json as { readonly [key: string]: unknown }
  const has = (...keys: ReadonlyArray<string>) => keys.some((key) => given[key] !== undefined && given[key] !== null)
  const defaults = {
    ...has("random_id", "randomId") ? {} : { random_id: "0" },
    ...has("ttl") ? {} : { ttl: 0 },
    ...has("message") ? {} : { message: "" }
  }
  return Result.map(decodeJson({ ...given, ...defaults }), (wire): AnyDraft => {
    const { randomId, ...draft } = fromWire(wire)
    const named = "random_id" in defaults ? draft : { ...draft, randomId }
    if (named._tag === "decryptedMessageService" || !("ttl" in defaults)) return named
    const { ttl: _, ...withoutTtl } = named
    return withoutTtl
  })
}
