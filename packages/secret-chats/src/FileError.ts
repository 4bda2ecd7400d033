/**
 * What can go wrong with the file of a message, besides what can go wrong with the message.
 *
 * @since 1.0.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Outcome } from "./Outcome.ts"

/**
 * Why a file could not be sent or received.
 *
 * Before anything is sent:
 *
 * - `empty`: a file must have at least one byte
 * - `too-large`: more than 8000 parts of 512 KiB, 4,194,304,000 bytes
 * - `source-changed`: the source gave fewer or more bytes than it said
 * - `source-consumed`: a source that can be read once only would have to be read again
 *
 * From the server:
 *
 * - `part-missing`: the server lacks a part of the upload, and it could not be supplied again; `part` says which
 * - `part-refused`: the server does not take a part; `type` says why
 * - `unavailable`: the server does not have the file, or no longer (`FILE_ID_INVALID`, `LOCATION_INVALID`,
 *   `FILE_REFERENCE_EXPIRED`, …)
 * - `other-datacenter`: the file is kept in data centre `dc`, which this transport does not reach
 *
 * Of a file that was received:
 *
 * - `no-file`: the message has no file, or the server sent none with it
 * - `key-invalid`: key and initialisation vector are not 32 bytes each
 * - `key-fingerprint`: the file on the server was encrypted with another key than the message says
 * - `size-mismatch`: the file on the server cannot have the size that the message says
 * - `answer-invalid`: the server gave more or fewer bytes than were asked for
 *
 * On this machine:
 *
 * - `target-exists`: there is a file already where this one was to be put
 * - `target-changed`: somebody else has touched the file while it was being written
 * - `state`: the saved state of a transfer cannot be read or written
 *
 * @category models
 * @since 1.0.0
 */
export const FileErrorReason = Schema.Literals([
  "empty",
  "too-large",
  "source-changed",
  "source-consumed",
  "part-missing",
  "part-refused",
  "unavailable",
  "other-datacenter",
  "no-file",
  "key-invalid",
  "key-fingerprint",
  "size-mismatch",
  "answer-invalid",
  "target-exists",
  "target-changed",
  "state"
])

/**
 * @category models
 * @since 1.0.0
 */
export type FileErrorReason = typeof FileErrorReason.Type

const sentences: { readonly [reason in FileErrorReason]: string } = {
  empty: "The file is empty, and empty files cannot be sent",
  "too-large": "The file is larger than 4,194,304,000 bytes",
  "source-changed": "The file did not have the size that was announced",
  "source-consumed": "The file would have to be read again, but its source can be read only once",
  "part-missing": "The server lacks a part of the file",
  "part-refused": "The server refused a part of the file",
  unavailable: "The server does not have the file",
  "other-datacenter": "The file is kept in another data centre",
  "no-file": "The message has no file",
  "key-invalid": "The message has no usable key for its file",
  "key-fingerprint": "The file on the server was encrypted with another key",
  "size-mismatch": "The file on the server does not have the size that the message says",
  "answer-invalid": "The server answered with a piece of the file of the wrong size",
  "target-exists": "There is a file already where this one was to be put",
  "target-changed": "Somebody else has changed the file while it was being written",
  state: "The saved state of the transfer cannot be used"
}

/**
 * The file of a message could not be sent or received. Holds no key and no name of a file.
 *
 * @category errors
 * @since 1.0.0
 */
export class FileError extends Schema.TaggedError<FileError>("@effect-mtproto/secret-chats/FileError")("FileError", {
  reason: FileErrorReason,
  /** Number of the part, from 0. */
  part: Schema.optionalKey(Schema.Int),
  /** Number of the data centre. */
  dc: Schema.optionalKey(Schema.Int),
  /** What the server said: code and string. */
  code: Schema.optionalKey(Schema.Int),
  type: Schema.optionalKey(Schema.String),
  cause: Schema.optionalKey(Schema.Defect()),
  /** Of an album: the outcomes of the messages before. */
  sent: Schema.Array(Outcome).pipe(Schema.withConstructorDefault(Effect.succeed([])))
}) {
  override get message(): string {
    const part = this.part === undefined ? "" : `, part ${this.part}`
    const dc = this.dc === undefined ? "" : `, number ${this.dc}`
    const said = this.type === undefined ? "" : ` (${this.code} ${this.type})`
    const sent = this.sent.length === 0 ? "" : `; ${this.sent.length} sent before`
    return sentences[this.reason] + part + dc + said + sent
  }
}
