/**
 * Uploading a file: reading, encrypting and sending its parts, several at a time.
 *
 * Parts are encrypted in order, for the cipher runs through all of them, and noted as done in order, so that what is
 * remembered is always "everything before this part".
 *
 * @since 1.0.0
 */
import * as Api from "@effect-mtproto/core/Api"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as FileKey from "@effect-mtproto/crypto/FileKey"
import type { AesKey } from "@effect-mtproto/crypto/MessageKey"
import type { Transport } from "@effect-mtproto/transport/Transport"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Pull from "effect/Pull"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Stream from "effect/Stream"
import * as EncryptedFile from "../EncryptedFile.ts"
import { FileError } from "../FileError.ts"
import * as FileProgress from "../FileProgress.ts"
import * as FileCipher from "../files/FileCipher.ts"
import * as Parts from "../files/Parts.ts"
import type { FileSource } from "../FileSource.ts"
import { type CallError, invoke } from "./fileCalls.ts"
import * as State from "./fileState.ts"
import { randomId } from "./send.ts"
import * as Tidy from "./tidy.ts"

/** @internal */
export interface Options {
  readonly concurrency?: number | undefined
  readonly resume?: string | false | undefined
}

/** An upload that has ended, and how to supply parts again that the server has lost. @internal */
export interface Finished<E, R> {
  readonly _tag: "Finished"
  readonly file: EncryptedFile.EncryptedFile
  /** Uploads part `from` again, or everything from there on. */
  readonly repair: (from: number, toEnd: boolean) => Effect.Effect<void, CallError | E, Crypto | Transport | R>
  /** Forgets the state of the upload. */
  readonly forget: Effect.Effect<void, FileError>
}

/** The encrypted parts of a source from one of them on; each is made when it is asked for. */
const encrypted = <E, R>(
  crypto: Crypto["Service"],
  source: FileSource<E, R>,
  plan: Parts.Plan,
  key: AesKey,
  from: { readonly index: number; readonly iv: Uint8Array }
): Stream.Stream<FileCipher.Part, E | FileError, R> =>
  Stream.transformPull(source.read(from.index * plan.partSize), (upstream) =>
    Effect.sync(() => {
      const encryptor = new FileCipher.Encryptor(crypto, plan, key, from)
      let ended = false
      const pull: Pull.Pull<readonly [FileCipher.Part], E | FileError> = Effect.suspend(() => {
        const part = encryptor.pull()
        if (Result.isFailure(part)) return Effect.fail(part.failure)
        if (part.success !== undefined) return Effect.succeed([part.success] as const)
        if (ended) return Cause.done()
        return Pull.matchEffect(upstream, {
          onSuccess: (pieces) => {
            for (const piece of pieces) encryptor.push(piece)
            return pull
          },
          onFailure: Effect.failCause,
          onDone: () => {
            ended = true
            encryptor.end()
            return pull
          }
        })
      })
      return pull
    }))

const save = (fileId: bigint, plan: Parts.Plan, part: FileCipher.Part) =>
  Effect.gen(function*() {
    const { bytes, index: filePart } = part
    const options = { index: filePart, release: [bytes] }
    const kept = yield* (plan.big
      ? invoke(
        Api.upload.saveBigFilePart({
          fileId,
          filePart,
          // The last part says how many there are, if that was not known before.
          fileTotalParts: plan.parts ?? (part.isLast ? filePart + 1 : -1),
          bytes
        }),
        options
      )
      : invoke(Api.upload.saveFilePart({ fileId, filePart, bytes }), options))
    if (!kept) return yield* Effect.fail(new FileError({ reason: "part-refused", part: filePart }))
    const { index, iv, length, nextIv } = part
    return { index, iv, length, nextIv }
  })

/**
 * Progress, and at the end the upload.
 *
 * @internal
 */
export const run = <E, R>(
  source: FileSource<E, R>,
  options: Options
): Stream.Stream<FileProgress.FileProgress | Finished<E, R>, CallError | E, Crypto | Transport | R> =>
  Stream.unwrap(Effect.gen(function*() {
    const crypto = yield* Crypto
    const plan = yield* Effect.fromResult(Parts.plan(source.size))
    const { partSize } = plan
    yield* Tidy.before(plan.size)
    const name = options.resume === false || !source.rereadable || plan.size === undefined
      ? undefined
      : options.resume ?? source.name
    const saved = name === undefined ? undefined : yield* State.uploads.load(name)
    const isUsable = saved !== undefined && saved.size === plan.size && saved.next <= plan.parts!
    const begun: State.UploadState = isUsable ? saved : fresh(crypto, plan.size ?? 0)
    const key: AesKey = { key: begun.key, iv: begun.iv }
    const { fileId } = begun
    let written = isUsable ? saved.next : undefined
    const remember = (state: State.UploadState) =>
      name === undefined || state.next === written
        ? Effect.void
        : Effect.tap(State.uploads.save(name, state), () => Effect.sync(() => void (written = state.next)))
    // Before the first part: parts without the key that they were encrypted with would be of no use.
    if (!isUsable) yield* remember(begun)

    let state = begun
    let transferred = Math.min(begun.next * partSize, plan.size ?? Infinity)
    let noted: State.Noted = { bytes: transferred, at: yield* Clock.currentTimeMillis }
    const vectors = new Map([[0, key.iv], [begun.next, begun.nextIv]])

    const parts = begun.next === plan.parts
      ? Stream.empty
      : encrypted(crypto, source, plan, key, { index: begun.next, iv: begun.nextIv })
    const concurrency = options.concurrency ?? Parts.concurrencyOf(partSize)
    const progress = parts.pipe(
      Stream.mapEffect((part) => save(fileId, plan, part), { concurrency }),
      Stream.mapEffect((part) =>
        Effect.flatMap(Clock.currentTimeMillis, (at) => {
          vectors.set(part.index + 1, part.nextIv)
          state = { ...state, next: part.index + 1, nextIv: part.nextIv }
          transferred += part.length
          const now = FileProgress.make(transferred, plan.size)
          if (!State.isDue(noted, transferred, at)) return Effect.succeed(now)
          noted = { bytes: transferred, at }
          return Effect.as(remember(state), now)
        })
      ),
      // After success too: it is also how a consumer ends that stops listening.
      Stream.onExit(() => Effect.ignore(Effect.suspend(() => remember(state))))
    )

    const finish = Stream.fromEffect(Effect.gen(function*() {
      yield* remember(state)
      const complete: Parts.Plan = { ...plan, size: transferred, parts: state.next }
      const keyFingerprint = FileKey.fingerprint(crypto, key)
      const finished: Finished<E, R> = {
        _tag: "Finished",
        file: EncryptedFile.make({
          size: transferred,
          key: Redacted.make(key, { label: "file key" }),
          place: {
            _tag: "Uploaded",
            input: plan.big
              ? { _tag: "inputEncryptedFileBigUploaded", id: fileId, parts: state.next, keyFingerprint }
              : {
                _tag: "inputEncryptedFileUploaded",
                id: fileId,
                parts: state.next,
                md5Checksum: "",
                keyFingerprint
              }
          }
        }),
        repair: (from, toEnd) => repair(crypto, source, complete, key, fileId, vectors, { from, toEnd, concurrency }),
        forget: name === undefined ? Effect.void : State.uploads.remove(name)
      }
      return finished
    }))
    return Stream.concat(progress, finish)
  }))

const fresh = (crypto: Crypto["Service"], size: number): State.UploadState => {
  const { iv, key } = FileKey.generate(crypto)
  return { v: 1, fileId: randomId(crypto), key, iv, size, next: 0, nextIv: iv }
}

/** Reads and encrypts again from the last part whose vector is known, and sends what is wanted. */
const repair = <E, R>(
  crypto: Crypto["Service"],
  source: FileSource<E, R>,
  plan: Parts.Plan,
  key: AesKey,
  fileId: bigint,
  vectors: ReadonlyMap<number, Uint8Array>,
  wanted: { readonly from: number; readonly toEnd: boolean; readonly concurrency: number }
): Effect.Effect<void, CallError | E, Crypto | Transport | R> =>
  Effect.suspend((): Effect.Effect<void, CallError | E, Transport | R> => {
    const { concurrency, from, toEnd } = wanted
    if (!source.rereadable || from >= plan.parts!) {
      return Effect.fail(new FileError({ reason: "part-missing", part: from }))
    }
    let index = from
    while (!vectors.has(index)) index--
    return encrypted(crypto, source, plan, key, { index, iv: vectors.get(index)! }).pipe(
      Stream.filter((part) => part.index >= from),
      (parts) => toEnd ? parts : Stream.take(parts, 1),
      Stream.mapEffect((part) => save(fileId, plan, part), { concurrency }),
      Stream.runDrain
    )
  })
