/**
 * Files as TDLib sends and shows them: one case for each kind of media that has a file.
 */
import * as Effect from "effect/Effect"
import { readFile } from "node:fs/promises"
import type * as Td from "tdlib-types"
import type { Client } from "./Tdlib.ts"

/** What a file is sent with, besides the content. */
export interface Extras {
  readonly entities?: ReadonlyArray<Td.textEntity$Input> | undefined
  readonly thumbnail?: { readonly path: string; readonly width: number; readonly height: number } | undefined
}

/** A kind of media: how TDLib is told to send it, and what is in the message it shows. */
export interface Kind {
  readonly name: string
  readonly extension: string
  readonly input: (path: string, caption: string, extras?: Extras) => Td.InputMessageContent$Input
  readonly file: (content: Td.MessageContent) => Td.file | undefined
  readonly hasCaption: boolean
  readonly caption: (content: Td.MessageContent) => Td.formattedText | undefined
  readonly hasThumbnail: boolean
  readonly thumbnail: (content: Td.MessageContent) => Td.file | undefined
  /** What TDLib shows of it, as in `shown`. */
  readonly look: (content: Td.MessageContent) => ReadonlyArray<number | string> | undefined
  /** What the other side should see of `content.<extension>`, sent with `input`. */
  readonly shown: ReadonlyArray<number | string>
}

const local = (path: string) => ({ _: "inputFileLocal", path }) as const
const text = (value: string, extras: Extras | undefined) =>
  ({ _: "formattedText", text: value, entities: extras?.entities ?? [] }) as const
const small = (extras: Extras | undefined) =>
  extras?.thumbnail === undefined ? undefined : {
    _: "inputThumbnail",
    thumbnail: local(extras.thumbnail.path),
    width: extras.thumbnail.width,
    height: extras.thumbnail.height
  } as const
/** TDLib's parser takes no `undefined`. */
const withThumbnail = (extras: Extras | undefined) => {
  const thumbnail = small(extras)
  return thumbnail === undefined ? {} : { thumbnail }
}

const bytesOf = (base64: string) => Buffer.from(base64, "base64").toString("hex")

/** A file of any type. */
export const document: Kind = {
  name: "document",
  extension: "bin",
  input: (path, caption, extras) => ({
    _: "inputMessageDocument",
    document: {
      _: "inputDocument",
      document: local(path),
      disable_content_type_detection: true,
      ...withThumbnail(extras)
    },
    caption: text(caption, extras)
  }),
  file: (content) => content._ === "messageDocument" ? content.document.document : undefined,
  hasCaption: true,
  caption: (content) => content._ === "messageDocument" ? content.caption : undefined,
  hasThumbnail: true,
  thumbnail: (content) => content._ === "messageDocument" ? content.document.thumbnail?.file : undefined,
  look: (content) => content._ === "messageDocument" ? [content.document.file_name] : undefined,
  shown: ["content.bin"]
}

/** A voice note: content that is opened, not only seen. */
export const voiceNote: Kind = {
  name: "voice note",
  extension: "ogg",
  input: (path, caption, extras) => ({
    _: "inputMessageVoiceNote",
    voice_note: local(path),
    duration: 2,
    waveform: Buffer.from([1, 2, 3, 4, 5]).toString("base64"),
    caption: text(caption, extras)
  }),
  file: (content) => content._ === "messageVoiceNote" ? content.voice_note.voice : undefined,
  hasCaption: true,
  caption: (content) => content._ === "messageVoiceNote" ? content.caption : undefined,
  hasThumbnail: false,
  thumbnail: () => undefined,
  look: (content) =>
    content._ === "messageVoiceNote" ? [content.voice_note.duration, bytesOf(content.voice_note.waveform)] : undefined,
  shown: [2, "0102030405"]
}

/** A photo. */
export const photo: Kind = {
  name: "photo",
  extension: "jpg",
  input: (path, caption, extras) => ({
    _: "inputMessagePhoto",
    photo: { _: "inputPhoto", photo: local(path), width: 320, height: 200, ...withThumbnail(extras) },
    caption: text(caption, extras)
  }),
  file: (content) => content._ === "messagePhoto" ? content.photo.sizes.at(-1)?.photo : undefined,
  hasCaption: true,
  caption: (content) => content._ === "messagePhoto" ? content.caption : undefined,
  hasThumbnail: true,
  thumbnail: (content) =>
    content._ === "messagePhoto" && content.photo.sizes.length > 1 ? content.photo.sizes[0]?.photo : undefined,
  look: (content) => {
    const size = content._ === "messagePhoto" ? content.photo.sizes.at(-1) : undefined
    return size === undefined ? undefined : [size.width, size.height]
  },
  shown: [320, 200]
}

/** A video. */
export const video: Kind = {
  name: "video",
  extension: "mp4",
  input: (path, caption, extras) => ({
    _: "inputMessageVideo",
    video: { _: "inputVideo", video: local(path), duration: 3, width: 320, height: 200, ...withThumbnail(extras) },
    caption: text(caption, extras)
  }),
  file: (content) => content._ === "messageVideo" ? content.video.video : undefined,
  hasCaption: true,
  caption: (content) => content._ === "messageVideo" ? content.caption : undefined,
  hasThumbnail: true,
  thumbnail: (content) => content._ === "messageVideo" ? content.video.thumbnail?.file : undefined,
  look: (content) =>
    content._ === "messageVideo" ? [content.video.duration, content.video.width, content.video.height] : undefined,
  shown: [3, 320, 200]
}

/** Every kind. TDLib does not look into the files of these, so any bytes will do. */
export const kinds: ReadonlyArray<Kind> = [
  document,
  photo,
  video,
  {
    name: "audio",
    extension: "mp3",
    input: (path, caption, extras) => {
      const thumbnail = small(extras)
      return {
        _: "inputMessageAudio",
        audio: {
          _: "inputAudio",
          audio: local(path),
          duration: 3,
          title: "A title",
          performer: "Somebody",
          ...thumbnail === undefined ? {} : { album_cover_thumbnail: thumbnail }
        },
        caption: text(caption, extras)
      }
    },
    file: (content) => content._ === "messageAudio" ? content.audio.audio : undefined,
    hasCaption: true,
    caption: (content) => content._ === "messageAudio" ? content.caption : undefined,
    hasThumbnail: true,
    thumbnail: (content) => content._ === "messageAudio" ? content.audio.album_cover_thumbnail?.file : undefined,
    look: (content) =>
      content._ === "messageAudio"
        ? [content.audio.duration, content.audio.title, content.audio.performer]
        : undefined,
    shown: [3, "A title", "Somebody"]
  },
  voiceNote,
  {
    name: "video note",
    extension: "mp4",
    input: (path, _caption, extras) => ({
      _: "inputMessageVideoNote",
      video_note: local(path),
      duration: 2,
      length: 240,
      ...withThumbnail(extras)
    }),
    file: (content) => content._ === "messageVideoNote" ? content.video_note.video : undefined,
    hasCaption: false,
    caption: () => undefined,
    hasThumbnail: true,
    thumbnail: (content) => content._ === "messageVideoNote" ? content.video_note.thumbnail?.file : undefined,
    look: (content) =>
      content._ === "messageVideoNote" ? [content.video_note.duration, content.video_note.length] : undefined,
    shown: [2, 240]
  },
  {
    name: "animation",
    extension: "mp4",
    input: (path, caption, extras) => ({
      _: "inputMessageAnimation",
      animation: {
        _: "inputAnimation",
        animation: local(path),
        duration: 2,
        width: 320,
        height: 200,
        ...withThumbnail(extras)
      },
      caption: text(caption, extras)
    }),
    file: (content) => content._ === "messageAnimation" ? content.animation.animation : undefined,
    hasCaption: true,
    caption: (content) => content._ === "messageAnimation" ? content.caption : undefined,
    hasThumbnail: true,
    thumbnail: (content) => content._ === "messageAnimation" ? content.animation.thumbnail?.file : undefined,
    look: (content) =>
      content._ === "messageAnimation"
        ? [content.animation.duration, content.animation.width, content.animation.height]
        : undefined,
    shown: [2, 320, 200]
  }
]

/** A sticker, which is a file of its own and belongs to no set. */
export const sticker: Kind = {
  name: "sticker",
  extension: "webp",
  input: (path, _caption, extras) => ({
    _: "inputMessageSticker",
    sticker: local(path),
    width: 512,
    height: 384,
    emoji: "\u{1F600}",
    ...withThumbnail(extras)
  }),
  file: (content) => content._ === "messageSticker" ? content.sticker.sticker : undefined,
  hasCaption: false,
  caption: () => undefined,
  hasThumbnail: true,
  thumbnail: (content) => content._ === "messageSticker" ? content.sticker.thumbnail?.file : undefined,
  look: (content) => content._ === "messageSticker" ? [content.sticker.width, content.sticker.height] : undefined,
  shown: [512, 384]
}

/** Downloads a file and reads it. */
export const download = Effect.fnUntraced(function*(client: Client, file: Td.file) {
  const done = yield* client.invoke({
    _: "downloadFile",
    file_id: file.id,
    priority: 1,
    offset: 0,
    limit: 0,
    synchronous: true
  })
  return yield* Effect.promise(() => readFile(done.local.path))
})

/**
 * Reads a thumbnail. It came inside the message, so there is nothing to download; but TDLib may still be writing it to the
 * disk, and then says so later.
 */
export const thumbnail = Effect.fnUntraced(function*(client: Client, file: Td.file) {
  const path = file.local.is_downloading_completed
    ? file.local.path
    : yield* client.updates.waitFor(
      `thumbnail ${file.id} on the disk`,
      (update) =>
        update._ === "updateFile" && update.file.id === file.id && update.file.local.is_downloading_completed
          ? update.file.local.path
          : undefined
    )
  return yield* Effect.promise(() => readFile(path))
})
