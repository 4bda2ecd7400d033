/** Old constructors of the end-to-end schema -> the current ones. */
import type { DecryptedMessage, DecryptedMessageMedia, DocumentAttribute } from "../DecryptedMessage.ts"
import type * as SecretApi from "../SecretApi.ts"

type Document = Extract<DecryptedMessageMedia, { readonly _tag: "decryptedMessageMediaDocument" }>

export const currentMessage = (
  value: Exclude<
    SecretApi.DecryptedMessage,
    SecretApi.decryptedMessageService | SecretApi.decryptedMessageService_8
  >
): DecryptedMessage => {
  switch (value._tag) {
    case "decryptedMessage":
    case "decryptedMessage_45": {
      const { media, ...others } = value
      const current = media === undefined ? undefined : currentMedia(media)
      return { ...others, _tag: "decryptedMessage", ...current === undefined ? {} : { media: current } }
    }
    case "decryptedMessage_8":
    case "decryptedMessage_17": {
      const { message, randomId } = value
      const media = currentMedia(value.media)
      const ttl = value._tag === "decryptedMessage_17" ? value.ttl : 0
      return { _tag: "decryptedMessage", randomId, ttl, message, ...media === undefined ? {} : { media } }
    }
  }
}

/** Undefined for `decryptedMessageMediaEmpty`, which only said that there is no media. */
export const currentMedia = (media: SecretApi.DecryptedMessageMedia): DecryptedMessageMedia | undefined => {
  switch (media._tag) {
    case "decryptedMessageMediaEmpty":
      return undefined
    case "decryptedMessageMediaPhoto_8":
      return { ...media, _tag: "decryptedMessageMediaPhoto", caption: "" }
    case "decryptedMessageMediaVideo_8":
    case "decryptedMessageMediaVideo_17":
    case "decryptedMessageMediaVideo": {
      const { duration, h, w } = media
      return document(media, {
        mimeType: media._tag === "decryptedMessageMediaVideo_8" ? "video/mp4" : media.mimeType,
        attributes: [{ _tag: "documentAttributeVideo", duration, w, h }],
        caption: media._tag === "decryptedMessageMediaVideo" ? media.caption : ""
      })
    }
    case "decryptedMessageMediaAudio_8":
    case "decryptedMessageMediaAudio":
      return document({ ...media, thumb: new Uint8Array(0), thumbW: 0, thumbH: 0 }, {
        mimeType: media._tag === "decryptedMessageMediaAudio_8" ? "audio/ogg" : media.mimeType,
        // This constructor carried voice notes only.
        attributes: [{ _tag: "documentAttributeAudio", voice: true, duration: media.duration }],
        caption: ""
      })
    case "decryptedMessageMediaDocument_8":
      return document(media, {
        mimeType: media.mimeType,
        attributes: media.fileName === "" ? [] : [{ _tag: "documentAttributeFilename", fileName: media.fileName }],
        caption: ""
      })
    case "decryptedMessageMediaDocument_45":
      return document(media, {
        mimeType: media.mimeType,
        attributes: media.attributes.map(currentAttribute),
        caption: media.caption
      })
    case "decryptedMessageMediaDocument":
    case "decryptedMessageMediaExternalDocument":
      return { ...media, attributes: media.attributes.map(currentAttribute) }
    default:
      return media
  }
}

const document = (
  file: Pick<Document, "thumb" | "thumbW" | "thumbH" | "key" | "iv"> & { readonly size: number },
  content: Pick<Document, "mimeType" | "attributes" | "caption">
): Document => ({
  _tag: "decryptedMessageMediaDocument",
  thumb: file.thumb,
  thumbW: file.thumbW,
  thumbH: file.thumbH,
  size: BigInt(file.size),
  key: file.key,
  iv: file.iv,
  ...content
})

const currentAttribute = (attribute: SecretApi.DocumentAttribute): DocumentAttribute => {
  switch (attribute._tag) {
    case "documentAttributeSticker_23":
      return { _tag: "documentAttributeSticker", alt: "", stickerset: { _tag: "inputStickerSetEmpty" } }
    case "documentAttributeVideo_23":
      return { ...attribute, _tag: "documentAttributeVideo" }
    case "documentAttributeAudio_23":
    case "documentAttributeAudio_45":
      return { ...attribute, _tag: "documentAttributeAudio" }
    default:
      return attribute
  }
}
