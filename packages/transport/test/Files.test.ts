import * as Api from "@effect-mtproto/core/Api"
import * as RpcError from "@effect-mtproto/core/RpcError"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as Files from "../src/Files.ts"
import { Transport } from "../src/Transport.ts"

const KIB = 1_024
const location: Api.InputFileLocation = {
  _tag: "inputDocumentFileLocation",
  id: 1n,
  accessHash: 2n,
  fileReference: new Uint8Array(3),
  thumbSize: ""
}

const bytesOf = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 255)

/** A server that keeps parts and has one file. */
const server = (file: Uint8Array = new Uint8Array(0), answer?: Api.upload.File) => {
  const parts = new Map<number, Uint8Array>()
  const totals: Array<number> = []
  const requests: Array<Api.AnyRequest> = []
  let running = 0
  let most = 0
  const invoke = (request: Api.AnyRequest) =>
    Effect.gen(function*() {
      requests.push(request)
      most = Math.max(most, ++running)
      yield* Effect.yieldNow
      running--
      const params = request as unknown as {
        readonly _tag: string
        readonly filePart: number
        readonly bytes: Uint8Array
        readonly fileTotalParts: number
        readonly offset: bigint
        readonly limit: number
      }
      if (params._tag === "upload.getFile") {
        const from = Number(params.offset)
        return answer ??
          {
            _tag: "upload.file",
            type: { _tag: "storage.fileUnknown" },
            mtime: 0,
            bytes: file.slice(from, from + params.limit)
          }
      }
      parts.set(params.filePart, params.bytes.slice())
      if (params._tag === "upload.saveBigFilePart") totals.push(params.fileTotalParts)
      return true
    })
  return {
    requests,
    totals,
    most: () => most,
    received: () => Uint8Array.from([...parts].toSorted(([a], [b]) => a - b).flatMap(([, bytes]) => [...bytes])),
    provide: Effect.provideService(
      Transport,
      Transport.of({ invoke: invoke as unknown as Transport["Service"]["invoke"], updates: Stream.empty })
    )
  }
}

const join = (parts: ReadonlyArray<Uint8Array>): Uint8Array => Uint8Array.from(parts.flatMap((part) => [...part]))

describe("Files.upload", () => {
  it.effect("bytes, in parts", () =>
    Effect.gen(function*() {
      const { most, provide, received, requests } = server()
      const bytes = bytesOf(5 * KIB + 7)
      const progress: Array<Files.Progress> = []
      const options = {
        name: "a.bin",
        partSize: KIB,
        concurrency: 4,
        onProgress: (p: Files.Progress) => Effect.sync(() => progress.push(p))
      }
      const file = yield* Files.upload(bytes, { ...options, onProgress: (p) => Effect.asVoid(options.onProgress(p)) })
        .pipe(provide)
      assert.deepInclude(file, { _tag: "inputFile", parts: 6, name: "a.bin" })
      assert.deepStrictEqual(received(), bytes)
      assert.strictEqual(requests.length, 6)
      assert.strictEqual(most(), 4)
      assert.deepStrictEqual(progress.at(-1), { done: bytes.length, total: bytes.length })
    }))

  it.effect("so many parts at a time as make two megabytes, but 4 to 16", () =>
    Effect.gen(function*() {
      for (const [partKib, expected] of [[1, 16], [128, 16], [256, 8], [512, 4]] as const) {
        const { most, provide } = server()
        yield* Files.upload(new Uint8Array(20 * partKib * KIB), { name: "a.bin", partSize: partKib * KIB }).pipe(
          provide
        )
        assert.strictEqual(most(), expected)
      }
    }))

  it.effect("a stream, however it is cut, with and without its size", () =>
    Effect.gen(function*() {
      for (const length of [1, KIB - 1, KIB, KIB + 1, 4 * KIB]) {
        for (const chunk of [1_000, KIB, 3_000]) {
          for (const size of [undefined, length]) {
            const { provide, received, totals } = server()
            const bytes = bytesOf(length)
            const stream = Stream.fromIterable(
              Array.from({ length: Math.ceil(length / chunk) }, (_, i) => bytes.subarray(i * chunk, (i + 1) * chunk))
            )
            const file = yield* Files.upload({ stream, size }, { name: "b", partSize: KIB }).pipe(provide)
            assert.deepStrictEqual(received(), bytes)
            const parts = Math.ceil(length / KIB)
            assert.deepInclude(file, { _tag: size === undefined ? "inputFileBig" : "inputFile", parts })
            if (size === undefined) {
              assert.deepStrictEqual(totals.filter((total) => total !== -1), [parts])
            }
          }
        }
      }
    }))

  it.effect("large files in the other way", () =>
    Effect.gen(function*() {
      const { provide, totals } = server()
      const file = yield* Files.upload(new Uint8Array(10 * KIB * KIB + 1), { name: "c" }).pipe(provide)
      assert.deepInclude(file, { _tag: "inputFileBig", parts: 81 })
      assert.isTrue(totals.every((total) => total === 81))
    }))

  it.effect("what cannot be sent", () =>
    Effect.gen(function*() {
      const { provide } = server()
      const name = "d"
      const stream = Stream.succeed(new Uint8Array(2 * KIB))
      const reason = (source: Files.Source, options: Partial<Files.UploadOptions> = {}) =>
        Effect.map(
          Effect.flip(Files.upload(source, { name, partSize: KIB, ...options }).pipe(provide)),
          (error) => error._tag === "FilesError" ? error.reason : error._tag
        )
      assert.strictEqual(yield* reason(new Uint8Array(0)), "empty")
      assert.strictEqual(yield* reason({ stream: Stream.empty }), "empty")
      assert.strictEqual(yield* reason({ stream, size: 5 }), "size")
      assert.strictEqual(yield* reason({ stream, size: 5 * KIB }), "size")
      assert.strictEqual(yield* reason(new Uint8Array(3 * KIB), { maxParts: 2 }), "too-large")
      assert.strictEqual(yield* reason({ stream }, { maxParts: 1 }), "too-large")
      for (const partSize of [0, 1, 1_000, 3 * KIB, 1_024 * KIB, NaN]) {
        assert.strictEqual(yield* reason(new Uint8Array(1), { partSize }), "part-size")
      }
    }))
})

describe("Files.download", () => {
  const partSize = 4 * KIB

  it.effect("in order, with and without its size", () =>
    Effect.gen(function*() {
      for (const length of [0, 1, partSize, partSize + 1, 5 * partSize, 6 * partSize - 1]) {
        for (const size of [undefined, length]) {
          const bytes = bytesOf(length)
          const { provide, requests } = server(bytes)
          const parts = yield* Stream.runCollect(Files.download(location, { size, partSize })).pipe(provide)
          assert.deepStrictEqual(join(parts), bytes)
          if (size !== undefined) assert.strictEqual(requests.length, Math.ceil(length / partSize))
          else assert.isAtMost(requests.length, Math.ceil(length / partSize) + 6)
        }
      }
    }))

  it.effect("from somewhere on, with progress", () =>
    Effect.gen(function*() {
      const bytes = bytesOf(3 * partSize + 5)
      const { provide } = server(bytes)
      const done: Array<number> = []
      const onProgress = (progress: Files.Progress) =>
        Effect.sync(() => {
          done.push(progress.done)
        })
      const options = { size: bytes.length, offset: partSize, partSize, onProgress }
      const parts = yield* Stream.runCollect(Files.download(location, options)).pipe(provide)
      assert.deepStrictEqual(join(parts), bytes.slice(partSize))
      assert.deepStrictEqual(done, [2 * partSize, 3 * partSize, bytes.length])
    }))

  it.effect("what is wrong", () =>
    Effect.gen(function*() {
      const reason = (options: Files.DownloadOptions, bytes = new Uint8Array(3 * partSize), answer?: Api.upload.File) =>
        Effect.map(
          Effect.flip(
            Stream.runDrain(Files.download(location, { partSize, ...options })).pipe(server(bytes, answer).provide)
          ),
          (error) => error._tag === "FilesError" ? error.reason : error._tag
        )
      assert.strictEqual(yield* reason({ size: 5 }), "size")
      assert.strictEqual(yield* reason({ size: 4 * partSize }), "size")
      assert.strictEqual(yield* reason({ maxSize: partSize }), "too-large")
      assert.strictEqual(yield* reason({ size: 10, maxSize: 5 }), "too-large")
      for (const bad of [0, 1_024, 5_000, 2_048 * KIB]) {
        assert.strictEqual(yield* reason({ partSize: bad }), "part-size")
      }
      assert.strictEqual(yield* reason({ offset: 1 }), "part-size")
      const redirect: Api.upload.File = {
        _tag: "upload.fileCdnRedirect",
        dcId: 203,
        fileToken: new Uint8Array(0),
        encryptionKey: new Uint8Array(0),
        encryptionIv: new Uint8Array(0),
        fileHashes: []
      }
      assert.strictEqual(yield* reason({}, undefined, redirect), "cdn")
    }))

  it.effect("an old reference is an error of its own", () =>
    Effect.gen(function*() {
      const failure = RpcError.fromServer({ method: Api.upload.getFile, code: 400, message: "FILE_REFERENCE_EXPIRED" })
      const transport = Transport.of({ invoke: () => Effect.fail(failure as never), updates: Stream.empty })
      const recovered = yield* Stream.runDrain(Files.download(location)).pipe(
        Effect.as("unexpected"),
        Effect.catchTag("FileReferenceExpired", () => Effect.succeed("another reference is needed")),
        Effect.provideService(Transport, transport)
      )
      assert.strictEqual(recovered, "another reference is needed")
    }))
})
