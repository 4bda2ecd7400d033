import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn, spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import * as Support from "./support.ts"

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** The curl lines of the README, each with the comment above it. */
const lines = (): ReadonlyArray<{ readonly comment: string; readonly command: string }> => {
  const found: Array<{ readonly comment: string; readonly command: string }> = []
  for (const [, block] of readFileSync(here("../README.md"), "utf8").matchAll(/```sh\n([\s\S]*?)```/g)) {
    let comment = ""
    for (const line of block!.split("\n")) {
      if (line.startsWith("#")) comment = line
      else if (line.startsWith("curl")) found.push({ comment, command: line })
    }
  }
  return found
}

/** The login of the README, in steps; what the answers hold is put into what follows. */
const login = (): ReadonlyArray<string> =>
  [...readFileSync(here("../README.md"), "utf8").matchAll(/^\$ (curl http:\/\/127\.0\.0\.1:9503.*)$/gm)].map(
    ([, command]) => command!.replace("http://127.0.0.1:9503", "$GATEWAY")
  )

const hasCurl = spawnSync("curl", ["--version"]).status === 0

/** Runs a line of a shell; what it says. */
const shell = (line: string) =>
  Effect.callback<string>((resume) => {
    const child = spawn("bash", ["-c", line], { cwd: here(".."), stdio: ["ignore", "pipe", "ignore"] })
    let text = ""
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString()
    })
    child.once("close", (code) =>
      resume(code === 0 ? Effect.succeed(text) : Effect.die(new Error(`${line} ended with ${code}`))))
    return Effect.sync(() =>
      child.kill()
    )
  })

describe("the page at /docs", () => {
  it.live("shows calls that work, typed in as they stand", ({ skip }) =>
    Effect.gen(function*() {
      if (!hasCurl) {
        console.warn("curl is not installed: the calls of the page are NOT tried")
        return skip()
      }
      const { ann, bob, chatId, client, telegram } = yield* Support.world()
      const bot = `7001:${"A".repeat(35)}`
      yield* telegram.createAccount({ phone: "+15557001", firstName: "Robot", botToken: bot })
      yield* telegram.createAccount({ phone: "+15550003", firstName: "Cay", code: "12345" })
      const { body: page } = yield* client.fetch("/docs")
      const commands = [...page.matchAll(/<pre>(curl .*?)<\/pre>/gs)].map(([, text]) =>
        (text as string).replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code))
      )
      assert.isAbove(commands.length, 30)
      const folder = yield* Support.folder
      const form = new FormData()
      form.set("peer", String(chatId))
      form.set("file", new Blob(["bytes"]), "a.txt")
      const sent = yield* client.fetch(`${ann}/sendEncryptedFile`, { method: "POST", body: form })
      const randomId = sent.body.result.random_id
      yield* Support.hear(client, bob, (update) => update.message?.random_id === randomId)
      // to be declined, and to be forgotten
      const { chat_id: asked } = yield* client.call(`${ann}/requestSecretChat`, { user: "+15550002" })
      yield* Support.hear(client, bob, (update) => update.chat?.id === asked)
      const temporary = yield* client.call("/phonelogin", { phone: "+15550003" })
      const variables = (chat: number) =>
        `export GATEWAY=${client.base} ANN=${ann} BOB=${bob} BOT=/bot${bot} CHAT=${chat} RANDOM_ID=${randomId}`
      const last: Array<string> = []
      for (const command of commands) {
        // not possible here, or for ever
        if (/complete(?:2FALogin|signup)|\/events"/.test(command)) continue
        if (/logOut"/.test(command)) {
          last.push(command)
          continue
        }
        const line = command.replace("TEMPORARY", temporary).replace("-o file", `-o ${folder}/file`)
        const chat = /(?:decline|discard|forget)SecretChat/.test(command) ? asked : chatId
        const text = yield* shell(`${variables(chat)}\n${line}`)
        if (/downloadEncrypted/.test(command)) assert.strictEqual(readFileSync(`${folder}/file`, "utf8"), "bytes")
        else if (/metrics/.test(command)) assert.include(text, "gateway_requests_total")
        else assert.strictEqual(JSON.parse(text).ok, true, `${command}\n${text}`)
        if (/setWebhook/.test(command)) yield* client.call(`${ann}/deleteWebhook`)
      }
      assert.strictEqual(last.length, 1)
      assert.strictEqual(JSON.parse(yield* shell(`${variables(chatId)}\n${last[0]}`)).ok, true)
    }).pipe(Effect.scoped))
})

describe("the README", () => {
  it.live("shows calls that work, typed in as they stand", ({ skip }) =>
    Effect.gen(function*() {
      if (!hasCurl) {
        console.warn("curl is not installed: the calls of the README are NOT tried")
        return skip()
      }
      const child = yield* Effect.acquireRelease(
        Effect.sync(() =>
          spawn(process.execPath, [here("../src/main.ts"), "--", "--test-server", "--port", "0"], {
            stdio: ["ignore", "pipe", "inherit"],
            env: { PATH: process.env["PATH"] }
          })
        ),
        (started) =>
          Effect.promise(() =>
            new Promise<void>((resolve) => {
              started.once("exit", () => resolve())
              started.kill("SIGTERM")
            })
          )
      )
      const exports = yield* Effect.promise(() =>
        new Promise<string>((resolve, reject) => {
          let text = ""
          child.stdout.on("data", (chunk: Buffer) => {
            text += chunk.toString()
            const line = /^export .*$/m.exec(text)?.[0]
            if (line !== undefined && text.includes("/docs")) resolve(line)
          })
          child.once("exit", (code) => reject(new Error(`the gateway ended with ${code}: ${text}`)))
        })
      )
      const all = lines()
      assert.isAbove(all.length, 12)
      for (const { command, comment } of all) {
        const run = yield* shell(`${exports}\n${command}`)
        const answer = JSON.parse(run)
        if (/refused/.test(comment)) {
          assert.strictEqual(answer.ok, false, run)
          assert.strictEqual(answer.parameters.type, "BOT_METHOD_INVALID")
        } else assert.strictEqual(answer.ok, true, `${command}\n${run}`)
      }
      // asked once more, the request with a key has the same answer; Bob has seen everything
      const once = all.find(({ command }) => command.includes("Idempotency-Key"))!
      const [first, second] = [0, 1].map(() =>
        spawnSync("bash", ["-c", `${exports}\n${once.command}`], { encoding: "utf8" }).stdout
      )
      assert.strictEqual(first, second)

      const known: Array<readonly [string, string]> = []
      const steps = login()
      assert.strictEqual(steps.length, 3)
      for (const [i, step] of steps.entries()) {
        const command = known.reduce((text, [name, value]) => text.replace(name, value), step)
        const { stdout } = spawnSync("bash", ["-c", `${exports}\n${command}`], { encoding: "utf8" })
        const { ok, result } = JSON.parse(stdout)
        assert.isTrue(ok, stdout)
        if (i === 2) assert.strictEqual(result.state, "ready")
        else known.push([["TEMPORARY", "1000:SECRET"][i]!, result])
      }
    }).pipe(Effect.scoped))
})
