/**
 * What can be attached to a message, one function for each kind, in the forms in which official clients write it.
 *
 * A photo is a medium of its own; every other file (video, video note, music, voice note, animation, anything) is a document
 * whose attributes say what it is. What these functions return has no key, initialisation vector and size yet: those belong
 * to the file, and `sendEncryptedFile` fills them in. Places, contacts, web pages and stickers of a set have no file; they
 * go with `sendEncrypted`.
 *
 * Thumbnails are small JPEG images that travel inside the message.
 *
 * ```ts
 * import * as Media from "@effect-mtproto/secret-chats/Media"
 *
 * Media.photo({ width: 1280, height: 720, caption: "The harbour" })
 * Media.voice({ duration: 4, waveform })
 * Media.geoPoint({ latitude: 59.33, longitude: 18.07 })
 * ```
 *
 * Source: core.telegram.org/schema/end-to-end; which attributes go with which kind: TDLib.
 *
 * @since 1.0.0
 */
import type * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"

type MediaOf<Tag extends DecryptedMessage.DecryptedMessageMedia["_tag"]> = Extract<
  DecryptedMessage.DecryptedMessageMedia,
  { readonly _tag: Tag }
>

/** What belongs to the file and not to what it shows. */
type OfFile = "key" | "iv" | "size"

/**
 * A photo without the description of its file.
 *
 * @category models
 * @since 1.0.0
 */
export type Photo = Omit<MediaOf<"decryptedMessageMediaPhoto">, OfFile>

/**
 * A document without the description of its file.
 *
 * @category models
 * @since 1.0.0
 */
export type Document = Omit<MediaOf<"decryptedMessageMediaDocument">, OfFile>

/**
 * What `sendEncryptedFile` takes. A whole `decryptedMessageMediaPhoto` or `…Document` will do too; its key, initialisation
 * vector and size are replaced.
 *
 * @category models
 * @since 1.0.0
 */
export type FileMedia = Photo | Document

/**
 * A message with a file, whose description (key, initialisation vector, size) is left to the sender. Without a text, its
 * entities refer to the caption.
 *
 * @category models
 * @since 1.0.0
 */
export type FileDraft = Omit<DecryptedMessage.Draft, "media"> & { readonly media: FileMedia }

/**
 * A small picture of the content.
 *
 * @category models
 * @since 1.0.0
 */
export interface Thumbnail {
  /** A JPEG image, at most some kilobytes. */
  readonly jpeg: Uint8Array
  readonly width: number
  readonly height: number
}

/**
 * @category models
 * @since 1.0.0
 */
export interface Common {
  /** Shown below the file. The entities of the message refer to it if the message has no text. */
  readonly caption?: string | undefined
  readonly thumbnail?: Thumbnail | undefined
}

/**
 * @category models
 * @since 1.0.0
 */
export interface FileOptions extends Common {
  readonly fileName?: string | undefined
  readonly mimeType?: string | undefined
}

const thumb = (thumbnail: Thumbnail | undefined) => ({
  thumb: thumbnail?.jpeg ?? new Uint8Array(0),
  thumbW: thumbnail?.width ?? 0,
  thumbH: thumbnail?.height ?? 0
})

// ----- messages

/**
 * A message with a medium: for `sendEncryptedFile` if it has a file, for `sendEncrypted` if not. `options` are the other
 * fields of `decryptedMessage`.
 *
 * ```ts
 * Media.message(Media.photo({ width, height, caption: "bold" }), {
 *   entities: [{ _tag: "messageEntityBold", offset: 0, length: 4 }],
 *   silent: true
 * })
 * ```
 *
 * @category messages
 * @since 1.0.0
 */
export const message = <M extends FileMedia | DecryptedMessage.DecryptedMessageMedia>(
  media: M,
  options?: Omit<DecryptedMessage.Draft, "_tag" | "media" | "message"> & { readonly text?: string | undefined }
): Omit<DecryptedMessage.Draft, "media"> & { readonly media: M } => {
  const { text = "", ...fields } = options ?? {}
  return { ...fields, _tag: "decryptedMessage", message: text, media }
}

// ----- files

/**
 * A JPEG photo; `width` and `height` in pixels.
 *
 * @category files
 * @since 1.0.0
 */
export const photo = (options: Common & { readonly width: number; readonly height: number }): Photo => ({
  _tag: "decryptedMessageMediaPhoto",
  ...thumb(options.thumbnail),
  w: options.width,
  h: options.height,
  caption: options.caption ?? ""
})

/**
 * Any file.
 *
 * @category files
 * @since 1.0.0
 */
export const document = (
  options: FileOptions & { readonly attributes?: ReadonlyArray<DecryptedMessage.DocumentAttribute> | undefined } = {}
): Document => ({
  _tag: "decryptedMessageMediaDocument",
  ...thumb(options.thumbnail),
  mimeType: options.mimeType ?? "application/octet-stream",
  attributes: [
    ...options.fileName === undefined || options.fileName === ""
      ? []
      : [{ _tag: "documentAttributeFilename", fileName: options.fileName } as const],
    ...options.attributes ?? []
  ],
  caption: options.caption ?? ""
})

/**
 * @category models
 * @since 1.0.0
 */
export interface VideoOptions extends FileOptions {
  /** Seconds. */
  readonly duration: number
  /** Pixels. */
  readonly width: number
  readonly height: number
}

/**
 * A video, MPEG-4 unless `mimeType` says otherwise.
 *
 * @category files
 * @since 1.0.0
 */
export const video = (options: VideoOptions): Document =>
  document({
    ...options,
    mimeType: options.mimeType ?? "video/mp4",
    attributes: [{
      _tag: "documentAttributeVideo",
      duration: options.duration,
      w: options.width,
      h: options.height
    }]
  })

/**
 * A round video message; `length` is its diameter in pixels. Clients older than layer 66 show a video.
 *
 * @category files
 * @since 1.0.0
 */
export const videoNote = (
  options: Omit<Common, "caption"> & { readonly duration: number; readonly length: number }
): Document =>
  document({
    thumbnail: options.thumbnail,
    mimeType: "video/mp4",
    attributes: [{
      _tag: "documentAttributeVideo",
      roundMessage: true,
      duration: options.duration,
      w: options.length,
      h: options.length
    }]
  })

/**
 * A video without sound that is played again and again, MPEG-4 or GIF.
 *
 * @category files
 * @since 1.0.0
 */
export const animation = (
  options: FileOptions & Partial<Pick<VideoOptions, "duration" | "width" | "height">>
): Document => {
  const { duration = 0, height: h = 0, mimeType = "video/mp4", width: w = 0 } = options
  return document({
    ...options,
    mimeType,
    attributes: [
      ...duration > 0 && mimeType === "video/mp4"
        ? [{ _tag: "documentAttributeVideo", duration, w, h } as const]
        : w > 0 && h > 0
        ? [{ _tag: "documentAttributeImageSize", w, h } as const]
        : [],
      { _tag: "documentAttributeAnimated" }
    ]
  })
}

/**
 * Music; the thumbnail is the cover.
 *
 * @category files
 * @since 1.0.0
 */
export const audio = (
  options: FileOptions & {
    /** Seconds. */
    readonly duration: number
    readonly title?: string | undefined
    readonly performer?: string | undefined
  }
): Document =>
  document({
    ...options,
    mimeType: options.mimeType ?? "audio/mpeg",
    attributes: [{
      _tag: "documentAttributeAudio",
      duration: options.duration,
      // Official clients write both or none.
      ...options.title === undefined && options.performer === undefined
        ? {}
        : { title: options.title ?? "", performer: options.performer ?? "" }
    }]
  })

/**
 * A voice note, Opus in an OGG container unless `mimeType` says otherwise; `waveform` is 5 bits a sample, packed.
 *
 * @category files
 * @since 1.0.0
 */
export const voice = (
  options: Omit<FileOptions, "thumbnail" | "fileName"> & {
    /** Seconds. */
    readonly duration: number
    readonly waveform?: Uint8Array | undefined
  }
): Document =>
  document({
    caption: options.caption,
    mimeType: options.mimeType ?? "audio/ogg",
    attributes: [{
      _tag: "documentAttributeAudio",
      voice: true,
      duration: options.duration,
      waveform: options.waveform ?? new Uint8Array(0)
    }]
  })

/**
 * A sticker of no set, sent as a file: WebP unless `mimeType` says otherwise. `emoji` is what it stands for.
 *
 * @category files
 * @since 1.0.0
 */
export const stickerFile = (
  options: {
    readonly width: number
    readonly height: number
    readonly emoji?: string | undefined
    readonly mimeType?: string | undefined
    readonly thumbnail?: Thumbnail | undefined
  }
): Document =>
  document({
    thumbnail: options.thumbnail,
    mimeType: options.mimeType ?? "image/webp",
    attributes: [
      { _tag: "documentAttributeImageSize", w: options.width, h: options.height },
      {
        _tag: "documentAttributeSticker",
        alt: options.emoji ?? "",
        stickerset: { _tag: "inputStickerSetEmpty" }
      }
    ]
  })

// ----- what has no file

/**
 * A sticker of a set, by reference to the document of the server that it is.
 *
 * @category references
 * @since 1.0.0
 */
export const sticker = (options: {
  readonly id: bigint
  readonly accessHash: bigint
  readonly dcId: number
  /** Bytes. */
  readonly size: number
  /** Pixels. */
  readonly width: number
  readonly height: number
  /** The short name of the set. */
  readonly set: string
  /** What it stands for. */
  readonly emoji?: string | undefined
  readonly mimeType?: string | undefined
}): MediaOf<"decryptedMessageMediaExternalDocument"> => ({
  _tag: "decryptedMessageMediaExternalDocument",
  id: options.id,
  accessHash: options.accessHash,
  date: 0,
  mimeType: options.mimeType ?? "image/webp",
  size: options.size,
  thumb: { _tag: "photoSizeEmpty", type: "t" },
  dcId: options.dcId,
  attributes: [
    { _tag: "documentAttributeImageSize", w: options.width, h: options.height },
    {
      _tag: "documentAttributeSticker",
      alt: options.emoji ?? "",
      stickerset: { _tag: "inputStickerSetShortName", shortName: options.set }
    }
  ]
})

/**
 * A place, in degrees.
 *
 * @category places and people
 * @since 1.0.0
 */
export const geoPoint = (options: {
  readonly latitude: number
  readonly longitude: number
}): MediaOf<"decryptedMessageMediaGeoPoint"> => ({
  _tag: "decryptedMessageMediaGeoPoint",
  lat: options.latitude,
  long: options.longitude
})

/**
 * A place with a name. `provider` (such as `foursquare`) and `venueId` say where more is known of it.
 *
 * @category places and people
 * @since 1.0.0
 */
export const venue = (options: {
  readonly latitude: number
  readonly longitude: number
  readonly title: string
  readonly address: string
  readonly provider?: string | undefined
  readonly venueId?: string | undefined
}): MediaOf<"decryptedMessageMediaVenue"> => ({
  _tag: "decryptedMessageMediaVenue",
  lat: options.latitude,
  long: options.longitude,
  title: options.title,
  address: options.address,
  provider: options.provider ?? "",
  venueId: options.venueId ?? ""
})

/**
 * Somebody's telephone number. `userId` is 0 unless it is known and fits into 32 bits.
 *
 * @category places and people
 * @since 1.0.0
 */
export const contact = (options: {
  readonly phoneNumber: string
  readonly firstName: string
  readonly lastName?: string | undefined
  readonly userId?: number | undefined
}): MediaOf<"decryptedMessageMediaContact"> => ({
  _tag: "decryptedMessageMediaContact",
  phoneNumber: options.phoneNumber,
  firstName: options.firstName,
  lastName: options.lastName ?? "",
  userId: options.userId ?? 0
})

/**
 * A page to be previewed. The other side asks the server for the preview, so the server learns the address then.
 *
 * @category references
 * @since 1.0.0
 */
export const webPage = (url: string): MediaOf<"decryptedMessageMediaWebPage"> => ({
  _tag: "decryptedMessageMediaWebPage",
  url
})

// ----- reading

/**
 * The kinds of media.
 *
 * @category models
 * @since 1.0.0
 */
export type Kind =
  | "photo"
  | "video"
  | "videoNote"
  | "animation"
  | "audio"
  | "voice"
  | "sticker"
  | "document"
  | "geoPoint"
  | "venue"
  | "contact"
  | "webPage"

/**
 * What a medium is to the user. An animation may have the attributes of a video, and a sticker those of an image: the more
 * special one counts.
 *
 * @category reading
 * @since 1.0.0
 */
export const kindOf = (media: DecryptedMessage.DecryptedMessageMedia | FileMedia): Kind => {
  switch (media._tag) {
    case "decryptedMessageMediaPhoto":
      return "photo"
    case "decryptedMessageMediaGeoPoint":
      return "geoPoint"
    case "decryptedMessageMediaVenue":
      return "venue"
    case "decryptedMessageMediaContact":
      return "contact"
    case "decryptedMessageMediaWebPage":
      return "webPage"
    case "decryptedMessageMediaExternalDocument":
    case "decryptedMessageMediaDocument":
      return kindOfDocument(media.attributes)
  }
}

const kindOfDocument = (attributes: ReadonlyArray<DecryptedMessage.DocumentAttribute>): Kind => {
  let kind: Kind = "document"
  for (const attribute of attributes) {
    switch (attribute._tag) {
      case "documentAttributeSticker":
        return "sticker"
      case "documentAttributeAnimated":
        kind = "animation"
        break
      case "documentAttributeAudio":
        if (kind === "document") kind = attribute.voice === true ? "voice" : "audio"
        break
      case "documentAttributeVideo":
        if (kind === "document") kind = attribute.roundMessage === true ? "videoNote" : "video"
        break
    }
  }
  return kind
}

/**
 * The name that the sender gave to a file. It comes from the other side: do not use it as a path.
 *
 * @category reading
 * @since 1.0.0
 */
export const fileName = (media: DecryptedMessage.DecryptedMessageMedia | FileMedia): string | undefined => {
  if (!("attributes" in media)) return undefined
  const found = media.attributes.find((attribute) => attribute._tag === "documentAttributeFilename")
  return found?.fileName
}

/**
 * The thumbnail of a photo or document, if it has one.
 *
 * @category reading
 * @since 1.0.0
 */
export const thumbnail = (media: DecryptedMessage.DecryptedMessageMedia | FileMedia): Thumbnail | undefined =>
  "thumbH" in media && media.thumb.length > 0
    ? { jpeg: media.thumb, width: media.thumbW, height: media.thumbH }
    : undefined
