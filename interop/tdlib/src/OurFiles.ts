/**
 * Files as we send and see them: for each kind of media what we write, and what we read of it.
 */
import type * as DecryptedMessage from "@effect-mtproto/core/DecryptedMessage"
import * as EncryptedFile from "@effect-mtproto/secret-chats/EncryptedFile"
import type { FileSource } from "@effect-mtproto/secret-chats/FileSource"
import * as Media from "@effect-mtproto/secret-chats/Media"
import type * as Events from "@effect-mtproto/secret-chats/protocol/Events"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import { createHash } from "node:crypto"
import { ensure, equal, fail } from "./Checks.ts"
import type { EventMissing, Mark } from "./EventLog.ts"
import type { OurChat } from "./OurChat.ts"

/** A message with a file. */
export type Received = Extract<Events.Event, { readonly _tag: "NewMessage" }>

/** A kind of media, as we write it; what belongs to it is the same as in the kind of `TdFiles` that has its name. */
export interface Kind {
  readonly kind: Media.Kind
  readonly make: (extras: Media.Common) => Media.FileMedia
}

/** Every kind, by the name that it has in `TdFiles`. */
export const kinds: { readonly [name: string]: Kind } = {
  document: { kind: "document", make: (extras) => Media.document({ ...extras, fileName: "content.bin" }) },
  photo: { kind: "photo", make: (extras) => Media.photo({ ...extras, width: 320, height: 200 }) },
  video: { kind: "video", make: (extras) => Media.video({ ...extras, duration: 3, width: 320, height: 200 }) },
  audio: {
    kind: "audio",
    make: (extras) => Media.audio({ ...extras, duration: 3, title: "A title", performer: "Somebody" })
  },
  "voice note": {
    kind: "voice",
    make: ({ caption }) => Media.voice({ caption, duration: 2, waveform: Uint8Array.of(1, 2, 3, 4, 5) })
  },
  "video note": {
    kind: "videoNote",
    make: ({ thumbnail }) => Media.videoNote({ thumbnail, duration: 2, length: 240 })
  },
  animation: {
    kind: "animation",
    make: (extras) => Media.animation({ ...extras, duration: 2, width: 320, height: 200 })
  },
  sticker: {
    kind: "sticker",
    make: ({ thumbnail }) => Media.stickerFile({ thumbnail, width: 512, height: 384, emoji: "\u{1F600}" })
  }
}

const find = <Tag extends DecryptedMessage.DocumentAttribute["_tag"]>(
  attributes: ReadonlyArray<DecryptedMessage.DocumentAttribute>,
  tag: Tag
) =>
  attributes.find((attribute) => attribute._tag === tag) as
    | Extract<DecryptedMessage.DocumentAttribute, { readonly _tag: Tag }>
    | undefined

/** What we read of a medium, in the order of `shown` of `TdFiles`. */
export const look = (media: DecryptedMessage.DecryptedMessageMedia): ReadonlyArray<unknown> => {
  if (media._tag === "decryptedMessageMediaPhoto") return [media.w, media.h]
  if (media._tag !== "decryptedMessageMediaDocument") return [media._tag]
  const video = find(media.attributes, "documentAttributeVideo")
  const audio = find(media.attributes, "documentAttributeAudio")
  const image = find(media.attributes, "documentAttributeImageSize")
  switch (Media.kindOf(media)) {
    case "video":
    case "animation":
      return [video?.duration, video?.w, video?.h]
    case "videoNote":
      return [video?.duration, video?.w]
    case "audio":
      return [audio?.duration, audio?.title, audio?.performer]
    case "voice":
      return [audio?.duration, Buffer.from(audio?.waveform ?? []).toString("hex")]
    case "sticker":
      return [image?.w, image?.h]
    default:
      return [Media.fileName(media)]
  }
}

/** The medium of a message that came with a file. */
export const mediaOf = ({ message: { media } }: Received) =>
  media?._tag === "decryptedMessageMediaPhoto" || media?._tag === "decryptedMessageMediaDocument" ? media : undefined

/** Waits for a message with a file. */
export const receive = (
  chat: OurChat,
  options?: { readonly since?: Mark; readonly accept?: (received: Received) => boolean }
): Effect.Effect<Received, EventMissing> =>
  chat.peer.events.waitFor(
    `file in chat ${chat.id}`,
    ({ chatId, event }) =>
      chatId === chat.id && event._tag === "NewMessage" && mediaOf(event) !== undefined &&
        (options?.accept ?? (() => true))(event)
        ? event
        : undefined,
    { since: options?.since, within: "30 seconds" }
  )

/** Waits for a message with a file that has this caption. */
export const receiveCaption = (chat: OurChat, caption: string) =>
  receive(chat, { accept: (received) => mediaOf(received)?.caption === caption })

/** Downloads the file of a message. */
export const download = (chat: OurChat, file: EncryptedFile.HasFile) =>
  Effect.map(Stream.runCollect(chat.peer.chats.download(file)), (pieces) => new Uint8Array(Buffer.concat(pieces)))

/** Sends a file, and waits until the server has the message. */
export const send = <E>(
  chat: OurChat,
  message: Media.FileMedia | Media.FileDraft,
  file: FileSource<E> | EncryptedFile.EncryptedFile
) => chat.peer.chats.sendFile(chat.id, message, file)

/** The fingerprint that the protocol wants for the key of a file: two numbers out of an MD5, one XOR the other. */
export const fingerprint = (key: Uint8Array, iv: Uint8Array): number => {
  const digest = createHash("md5").update(key).update(iv).digest()
  return digest.readInt32LE(0) ^ digest.readInt32LE(4)
}

/** SHA-256, in hex. */
export const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")

/** Checks that what was received is what was sent. */
export const sameBytes = (found: Uint8Array, expected: Uint8Array) =>
  equal([found.length, digest(found)], [expected.length, digest(expected)], "bytes")

/** Checks key, fingerprint and both sizes of a file that TDLib sent. */
export const wellDescribed = Effect.fnUntraced(function*(received: Received, size: number) {
  const media = mediaOf(received)
  const { file } = received
  if (media === undefined || file === undefined) return yield* fail("no file")
  yield* equal([media.key.length, media.iv.length], [32, 32], "key and vector")
  yield* equal(Number(media.size), size, "size of the content")
  yield* equal(Number(file.size), Math.ceil(size / 16) * 16, "stored size")
  yield* equal(file.keyFingerprint, fingerprint(media.key, media.iv), "key fingerprint")
  const known = EncryptedFile.from(received)
  yield* ensure(Result.isSuccess(known), "the file is not usable")
})
