import * as Api from "@effect-mtproto/core/Api"
import * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import * as Login from "@effect-mtproto/transport/Login"
import { Transport } from "@effect-mtproto/transport/Transport"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Redacted } from "effect"
import { spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import { layer } from "./kill/client.ts"
import { eventually } from "./support/Peers.ts"

const sender = fileURLToPath(new URL("./kill/sender.ts", import.meta.url))

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => Fs.mkdtempSync(Path.join(Os.tmpdir(), "secret-chats-kill-"))),
  (folder) => Effect.sync(() => Fs.rmSync(folder, { recursive: true, force: true }))
)

interface Ended {
  readonly signal: string | null
  readonly code: number | null
  readonly out: string
}

/** Runs the sender; with `afterMillis` it is killed that long after it has begun to send. */
const run = (argument: unknown, killAt: string, afterMillis?: number): Effect.Effect<Ended> =>
  Effect.callback<Ended>((resume) => {
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", sender, JSON.stringify(argument)], {
      env: { ...process.env, KILL_AT: killAt },
      stdio: ["ignore", "pipe", "pipe"]
    })
    let out = ""
    const listen = (chunk: Buffer) => {
      out += chunk.toString()
      if (afterMillis !== undefined && out.includes("sending")) setTimeout(() => child.kill("SIGKILL"), afterMillis)
    }
    child.stdout.on("data", listen)
    child.stderr.on("data", (chunk: Buffer) => {
      out += chunk.toString()
    })
    child.on("close", (code, signal) => resume(Effect.succeed({ code, signal, out })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

const numbers = (count: number): ReadonlyArray<string> => Array.from({ length: count }, (_, i) => String(i))

/**
 * Where the program is killed, one run after the other on the same file: at a point that it counts to itself (see
 * `kill/sender.ts`), or `@n` milliseconds after it has begun to send. `KILL_POINTS` puts others in their place.
 */
const points = (process.env["KILL_POINTS"] ??
  "before-commit:1 after-commit:1 before-call:1 after-call:1 start before-commit:2 after-commit:2 before-call:2 " +
    "after-call:3 before-commit:3 after-commit:4 before-call:6 after-call:7 before-call:11 after-commit:7 " +
    "@0 @3 @9 @25 @60").split(" ")

describe("a program that is killed", () => {
  it.live("sends every message once and in order, wherever it was killed", () =>
    Effect.gen(function*() {
      const folder = yield* temporaryFolder
      const server = yield* TestServer.make()
      yield* server.createAccount({ phone: "+15550001", firstName: "Ann" })
      yield* server.createAccount({ phone: "+15550002", firstName: "Bob" })
      const address = { host: server.host, port: server.port, dcId: server.dcId, publicKeyPem: server.publicKeyPem }
      const logIn = (phone: string) =>
        Login.phone({ phone: Redacted.make(phone), code: () => Effect.map(server.loginCode(phone), Redacted.make) })

      const bob = yield* Layer.build(layer(address, Path.join(folder, "bob.db"), { accept: "allow" }))
      yield* Effect.provideContext(logIn("+15550002"), bob)
      const received: Array<string> = []
      yield* Effect.forkScoped(
        Context.get(bob, SecretChats.SecretChats).runEvents(({ event }) =>
          Effect.sync(() => {
            if (event._tag === "NewMessage") received.push(event.message.message)
          })
        )
      )

      const filename = Path.join(folder, "ann.db")
      const chatId = yield* Effect.gen(function*() {
        yield* logIn("+15550001")
        const chats = yield* SecretChats.SecretChats
        const transport = yield* Transport
        const found = yield* transport.invoke(Api.contacts.resolvePhone({ phone: "15550002" }))
        const user = found.users.find((other) => other._tag === "user")!
        const chat = yield* chats.request(user)
        yield* chats.awaitReady(chat.chatId)
        return chat.chatId
      }).pipe(Effect.provide(layer(address, filename)))

      const count = 20 * points.length
      const argument = { address, filename, chatId, count }
      for (const killAt of points) {
        const { out, signal } = yield* killAt.startsWith("@")
          ? run(argument, "never", Number(killAt.slice(1)))
          : run(argument, killAt)
        assert.strictEqual(signal, "SIGKILL", `${killAt} ended differently: ${out}`)
        // What has arrived so far is a beginning of the whole, without a hole or a repetition.
        assert.deepStrictEqual(received, numbers(received.length), `after ${killAt}`)
      }
      const last = yield* run(argument, "never")
      assert.deepInclude(last, { code: 0, signal: null }, last.out)
      yield* eventually(() => received.length >= count, `${count} messages, not ${received.length}`)
      assert.deepStrictEqual(received, numbers(count))
    }), { timeout: 180_000 })
})
