/**
 * TDLib sends files to TDLib: judges how the server keeps parts, and gives them out.
 */
import * as Effect from "effect/Effect"
import { createHash, randomBytes } from "node:crypto"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { check, equal, scenario } from "../Checks.ts"
import * as TdChat from "../TdChat.ts"
import * as TdFiles from "../TdFiles.ts"
import * as TdPair from "../TdPair.ts"
import { World } from "../World.ts"

const KiB = 1024

/** 10 MiB + 1 is the first size that travels as a big file. */
const sizes: ReadonlyArray<readonly [name: string, bytes: number]> = [
  ["1 byte", 1],
  ["511 KiB", 511 * KiB],
  ["512 KiB", 512 * KiB],
  ["10 MiB + 1 byte", 10 * KiB * KiB + 1]
]

const digest = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")

const play = Effect.gen(function*() {
  const { directory } = yield* World
  const { one, two } = yield* check("files: a chat between two TDLibs", TdPair.make("files"), "30 seconds")

  const pass = Effect.fnUntraced(function*(kind: TdFiles.Kind, name: string, bytes: Uint8Array) {
    const path = join(directory, `${name.replace(/\W/g, "-")}.${kind.extension}`)
    yield* Effect.promise(() => writeFile(path, bytes))
    const since = two.client.updates.mark()
    const message = yield* TdChat.submit(one, kind.input(path, name))
    const { content, file } = yield* TdChat.receive(two, kind.name, (found) => {
      const of = kind.file(found.content)
      return of === undefined ? undefined : { content: found.content, file: of }
    }, since)
    if (kind.hasCaption) yield* equal(kind.caption(content)?.text, name, "caption")
    yield* TdChat.sent(one, message)
    const received = yield* TdFiles.download(two.client, file)
    yield* equal([received.length, digest(received)], [bytes.length, digest(bytes)], "bytes")
  })

  for (const [name, length] of sizes) {
    yield* check(
      `files: a document of ${name}`,
      pass(TdFiles.document, `size ${name}`, randomBytes(length)),
      "30 seconds"
    )
  }
  for (const kind of TdFiles.kinds) {
    yield* check(`files: ${kind.name}`, pass(kind, `kind ${kind.name}`, randomBytes(20_000)))
  }
})

/** Files between TDLibs. */
export const serverFiles = scenario("files", Effect.scoped(play))
