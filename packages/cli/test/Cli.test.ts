import { Account, Cli } from "@effect-mtproto/cli"
import { LuaHost, LuaScript } from "@effect-mtproto/lua"
import { TestServer } from "@effect-mtproto/test-server"
import { Login } from "@effect-mtproto/transport"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Redacted } from "effect"
import { Command } from "effect/cli"
import { TestConsole } from "effect/testing"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const folder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "secret-chats-cli-"))),
  (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
)

const scriptIn = (path: string, source: string) =>
  Effect.sync(() => {
    const file = join(path, "script.lua")
    writeFileSync(file, source)
    return file
  })

/** The command in a process of its own. */
const execute = (args: ReadonlyArray<string>, input: string, during: (child: ChildProcess) => void = () => {}) =>
  Effect.callback<{ readonly status: number | null; readonly stdout: string; readonly stderr: string }>((resume) => {
    const child = spawn(process.execPath, [fileURLToPath(new URL("../src/main.ts", import.meta.url)), ...args])
    let stdout = ""
    let stderr = ""
    child.stdout.setEncoding("utf8").on("data", (text) => stdout += text)
    child.stderr.setEncoding("utf8").on("data", (text) => stderr += text)
    child.on("close", (status) => resume(Effect.succeed({ status, stdout, stderr })))
    child.stdin.end(input)
    during(child)
    return Effect.sync(() => child.kill())
  })

/** The command in this process: what it wrote, and how it failed. */
const inHere = Effect.fnUntraced(function*(
  args: ReadonlyArray<string>,
  env: { readonly [name: string]: string } = {}
) {
  const run = Command.runWith(Cli.command, { version: Cli.version })
  const result = yield* Effect.result(
    Effect.provideService(run(args), ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(env))
  )
  return {
    failed: result._tag === "Failure",
    errors: (yield* TestConsole.errorLines).join("\n"),
    lines: (yield* TestConsole.logLines).join("\n")
  }
}, Effect.provide(NodeServices.layer))

describe("secret-chats lua", () => {
  it.live("runs a script against the server in the process, and Bob writes what is typed", () =>
    Effect.gen(function*() {
      const script = fileURLToPath(new URL("../../../examples/lua/ping-pong.lua", import.meta.url))
      const { status, stderr, stdout } = yield* execute(
        ["lua", "--test-server", "--seconds", "300", script],
        "hello\nping\n"
      )
      assert.strictEqual(stderr, "")
      assert.strictEqual(status, 0)
      assert.match(stdout, /^Bob reads: pong$/m)
    }))

  it.live("who reads no further ends it, without a word", () =>
    Effect.gen(function*() {
      const script = yield* scriptIn(yield* folder, "for i = 1, 500 do print(('x'):rep(100)) end sleep(600)")
      const { status, stderr } = yield* execute(["lua", "--test-server", "--seconds", "300", script], "", (child) => {
        child.stdout!.once("data", () => child.stdout!.destroy())
      })
      assert.strictEqual(stderr, "")
      assert.strictEqual(status, 130)
    }))

  it.live("a script that is no Lua is named with its line", () =>
    Effect.gen(function*() {
      const script = yield* scriptIn(yield* folder, "print('never')\nlocal = 1\n")
      const { errors, failed, lines } = yield* inHere(["lua", "--test-server", "--seconds", "300", script])
      assert.strictEqual(errors, "script.lua:2: <name> expected near '='")
      assert.isTrue(failed)
      assert.notInclude(lines, "never")
    }).pipe(Effect.provide(TestConsole.layer)))

  it.effect("says what is missing", () =>
    Effect.gen(function*() {
      const script = yield* scriptIn(yield* folder, "")
      assert.include((yield* inHere(["lua", "/no/such/file.lua"])).errors, "/no/such/file.lua")
      assert.include((yield* inHere(["lua", script])).errors, "TELEGRAM_API_ID")
      const named = { TELEGRAM_API_ID: "1", TELEGRAM_API_HASH: "x" }
      const { errors, failed } = yield* inHere(["lua", script], named)
      assert.include(errors, "VAULT_PASSPHRASE")
      assert.isTrue(failed)
      for (const memory of ["0", "15", "4097", "x"]) {
        assert.isTrue((yield* inHere(["lua", "--memory", memory, script])).failed, memory)
      }
      const { errors: odd } = yield* inHere(["lua", script], { ...named, TELEGRAM_API_ID: "secret" })
      assert.strictEqual(odd.trim().split("\n").at(-1), "TELEGRAM_API_ID has to be a whole number, see my.telegram.org")
    }))

  it.effect("says which store cannot be used, and why", () =>
    Effect.gen(function*() {
      const path = yield* folder
      const script = yield* scriptIn(path, "")
      const env = { TELEGRAM_API_ID: "1", TELEGRAM_API_HASH: "x", VAULT_PASSPHRASE: "p" }
      const failsWith = (store: string) =>
        Effect.map(inHere(["lua", "--store", store, script], env), ({ errors }) => errors.trim().split("\n").at(-1)!)
      const noDatabase = join(path, "notes.txt")
      writeFileSync(noDatabase, "these are notes, and no database at all\n".repeat(100))
      const said = yield* failsWith(noDatabase)
      assert.include(said, `The store ${noDatabase} cannot be used: `)
      assert.include(said, "not a database")
      assert.include(yield* failsWith(path), `The store ${path} cannot be used: `)
      const below = join(noDatabase, "account.db")
      assert.include(yield* failsWith(below), `The store ${below} cannot be used: `)
    }))
})

describe("Account", () => {
  it.live("is logged in once, sealed in its file, and goes on from it", () =>
    Effect.gen(function*() {
      const path = yield* folder
      const file = join(path, "deeper", "account.db")
      const server = yield* TestServer.make()
      yield* server.createAccount({ phone: "+15550001", firstName: "Annabel" })
      const account = (key: number) =>
        Account.layer({
          file,
          secret: { key: Redacted.make(new Uint8Array(32).fill(key)) },
          transport: {
            apiId: 12345,
            apiHash: Redacted.make("0123456789abcdef0123456789abcdef"),
            datacenters: [{ id: server.dcId, host: server.host, port: server.port }],
            publicKeys: server.publicKeys
          },
          accept: "ask"
        })
      yield* Login.phone({
        phone: Redacted.make("+15550001"),
        code: () => Effect.map(server.loginCode("+15550001"), Redacted.make)
      }).pipe(Effect.provide(account(1)))

      const printed: Array<string> = []
      yield* Effect.andThen(
        Account.logIn,
        LuaScript.run(LuaScript.make("x.lua", "print(get_self().first_name)"), {
          print: (line) => Effect.sync(() => void printed.push(line))
        })
      ).pipe(
        Effect.provide(Layer.provideMerge(LuaHost.layer({ limits: { time: "5 minutes" } }), account(1)))
      )
      assert.deepStrictEqual(printed, ["Annabel"])

      const error = yield* Effect.flip(Effect.provide(Account.logIn, account(2)))
      assert.strictEqual(error._tag, "VaultError")
      assert.strictEqual(statSync(join(path, "deeper")).mode & 0o777, 0o700)
      for (const name of readdirSync(join(path, "deeper"))) {
        const bytes = readFileSync(join(path, "deeper", name)).toString("latin1")
        for (const secret of ["Annabel", "15550001"]) assert.notInclude(bytes, secret)
      }
    }).pipe(Effect.provide(NodeServices.layer)))

  it.live("nobody is asked where nobody is", () =>
    Effect.gen(function*() {
      const server = yield* TestServer.make()
      const error = yield* Effect.flip(Effect.provide(
        Account.logIn,
        Account.layer({
          file: join(yield* folder, "account.db"),
          secret: { key: Redacted.make(new Uint8Array(32).fill(7)) },
          transport: {
            apiId: 12345,
            apiHash: Redacted.make("0123456789abcdef0123456789abcdef"),
            datacenters: [{ id: server.dcId, host: server.host, port: server.port }],
            publicKeys: server.publicKeys
          },
          accept: "ask"
        })
      ))
      assert.strictEqual(error._tag, "NotLoggedIn")
    }).pipe(Effect.provide(NodeServices.layer)))
})
