import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const MAIN = fileURLToPath(new URL("../src/main.ts", import.meta.url))

/** Runs the command; `until` says when its output is enough, and it is interrupted then. */
const run = (args: ReadonlyArray<string>, until: (output: string) => boolean) =>
  Effect.callback<{ readonly output: string; readonly code: number | null }>((resume) => {
    const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"] })
    let output = ""
    const read = (chunk: Buffer): void => {
      const before = output
      output += chunk.toString()
      if (until(output) && !until(before)) child.kill("SIGINT")
    }
    child.stdout.on("data", read)
    child.stderr.on("data", read)
    child.on("close", (code) => resume(Effect.succeed({ output, code })))
    return Effect.sync(() => void child.kill("SIGKILL"))
  })

describe("the command", () => {
  it.live("prints where it listens, its key and its accounts, and runs until it is interrupted", () =>
    Effect.gen(function*() {
      const args = ["--account", "+15550001:54321:Ann Lee", "--account", "15550002", "--dc", "4"]
      const { code, output } = yield* run(args, (text) => text.includes("15550002: user"))
      assert.match(output, /Telegram test server: 127\.0\.0\.1:\d+, data centre 4/)
      assert.include(output, "-----BEGIN RSA PUBLIC KEY-----")
      assert.match(output, /\+15550001: user \d+, login code 54321/)
      assert.match(output, /\+15550002: user \d+, login code \d{5}/)
      assert.strictEqual(code, 130)
    }))
  it.live("keeps everything in a folder, if it is given one", () =>
    Effect.gen(function*() {
      const folder = yield* Effect.acquireRelease(
        Effect.promise(() => mkdtemp(join(tmpdir(), "test-server-"))),
        (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
      )
      const args = ["--data", join(folder, "kept"), "--other-dc", "4", "--account", "15550001"]
      const first = yield* run(args, (text) => text.includes("15550001: user"))
      assert.match(first.output, /data centre 4/)
      const second = yield* run(args, (text) => text.includes("15550001: user"))
      const code = /login code (\d{5})/
      assert.strictEqual(code.exec(second.output)?.[1], code.exec(first.output)?.[1])
      assert.strictEqual(second.code, 130)
    }).pipe(Effect.scoped))
  it.live("says what is wrong with its arguments", () =>
    Effect.gen(function*() {
      for (
        const [args, text] of [
          [["--port", "99999"], "--port"],
          [["--dc", "0"], "--dc"],
          [["--other-dc", "x"], "Expected"],
          [["--account", "x"], "a phone number has 5 to 15 digits"]
        ] as const
      ) {
        const { code, output } = yield* run(args, () => false)
        assert.notStrictEqual(code, 0)
        assert.include(output, text)
      }
    }))
})
