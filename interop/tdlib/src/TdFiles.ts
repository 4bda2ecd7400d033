/**
 * Files as TDLib sends and shows them: one case for each kind of media that has a file.
 */
import * as Effect from "effect/Effect"
import { readFile } from "node:fs/promises"
import type * as Td from "tdlib-types"
import type { Client } from "./Tdlib.ts"

/** A kind of media: how TDLib is told to send it, and where the file is in the message it shows. */
export interface Kind {
  readonly name: string
  readonly extension: string
  readonly input: (path: string, caption: string) => Td.InputMessageContent$Input
  readonly file: (content: Td.MessageContent) => Td.file | undefined
  readonly hasCaption: boolean
  readonly caption: (content: Td.MessageContent) => string | undefined
}

const local = (path: string) => ({ _: "inputFileLocal", path }) as const
const text = (value: string) => ({ _: "formattedText", text: value, entities: [] }) as const

/** A file of any type. */
export const document: Kind = {
  name: "document",
  extension: "bin",
  input: (path, caption) => ({
    _: "inputMessageDocument",
    document: { _: "inputDocument", document: local(path), disable_content_type_detection: true },
    caption: text(caption)
  }),
  file: (content) => content._ === "messageDocument" ? content.document.document : undefined,
  hasCaption: true,
  caption: (content) => content._ === "messageDocument" ? content.caption.text : undefined
}

/** A voice note: content that is opened, not only seen. */
export const voiceNote: Kind = {
  name: "voice note",
  extension: "ogg",
  input: (path, caption) => ({
    _: "inputMessageVoiceNote",
    voice_note: local(path),
    duration: 2,
    waveform: Buffer.from([1, 2, 3, 4, 5]).toString("base64"),
    caption: text(caption)
  }),
  file: (content) => content._ === "messageVoiceNote" ? content.voice_note.voice : undefined,
  hasCaption: true,
  caption: (content) => content._ === "messageVoiceNote" ? content.caption.text : undefined
}

/** Every kind. TDLib does not look into the files of these, so any bytes will do. */
export const kinds: ReadonlyArray<Kind> = [
  document,
  {
    name: "photo",
    extension: "jpg",
    input: (path, caption) => ({
      _: "inputMessagePhoto",
      photo: { _: "inputPhoto", photo: local(path), width: 320, height: 200 },
      caption: text(caption)
    }),
    file: (content) => content._ === "messagePhoto" ? content.photo.sizes.at(-1)?.photo : undefined,
    hasCaption: true,
    caption: (content) => content._ === "messagePhoto" ? content.caption.text : undefined
  },
  {
    name: "video",
    extension: "mp4",
    input: (path, caption) => ({
      _: "inputMessageVideo",
      video: { _: "inputVideo", video: local(path), duration: 3, width: 320, height: 200 },
      caption: text(caption)
    }),
    file: (content) => content._ === "messageVideo" ? content.video.video : undefined,
    hasCaption: true,
    caption: (content) => content._ === "messageVideo" ? content.caption.text : undefined
  },
  {
    name: "audio",
    extension: "mp3",
    input: (path, caption) => ({
      _: "inputMessageAudio",
      audio: { _: "inputAudio", audio: local(path), duration: 3, title: "A title", performer: "Somebody" },
      caption: text(caption)
    }),
    file: (content) => content._ === "messageAudio" ? content.audio.audio : undefined,
    hasCaption: true,
    caption: (content) => content._ === "messageAudio" ? content.caption.text : undefined
  },
  voiceNote,
  {
    name: "video note",
    extension: "mp4",
    input: (path) => ({ _: "inputMessageVideoNote", video_note: local(path), duration: 2, length: 240 }),
    file: (content) => content._ === "messageVideoNote" ? content.video_note.video : undefined,
    hasCaption: false,
    caption: () => undefined
  },
  {
    name: "animation",
    extension: "mp4",
    input: (path, caption) => ({
      _: "inputMessageAnimation",
      animation: { _: "inputAnimation", animation: local(path), duration: 2, width: 320, height: 200 },
      caption: text(caption)
    }),
    file: (content) => content._ === "messageAnimation" ? content.animation.animation : undefined,
    hasCaption: true,
    caption: (content) => content._ === "messageAnimation" ? content.caption.text : undefined
  }
]

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
