/** Telethon 1.25.1 of Debian (layer 144), through every framing that it has. */
import { spawn } from "node:child_process"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import type { Account, Judge, Judgement } from "./Judge.ts"
import { equal, inbox, sameBytes, sample } from "./Judge.ts"
import * as Proxies from "./Proxies.ts"
import * as Restart from "./Restart.ts"

interface Text {
  readonly client: string
  readonly text: string
  readonly sender: number
}

interface Reply {
  readonly id?: number
  readonly result?: unknown
  readonly error?: string
  readonly event?: "text"
}

/** The Python process. */
export const start = (judge: Judge, script = "drive_telethon.py") => {
  const child = spawn(process.env["PYTHON"] ?? "/usr/bin/python3", [
    "-W",
    "ignore",
    join(import.meta.dirname, script)
  ], { stdio: ["pipe", "pipe", "inherit"] })
  judge.atEnd(() => child.kill())
  const texts = inbox<Text>()
  const waiting = new Map<number, (reply: Reply) => void>()
  createInterface({ input: child.stdout }).on("line", (line) => {
    const reply = JSON.parse(line) as Reply
    if (reply.event === "text") texts.push(reply as unknown as Text)
    else waiting.get(reply.id ?? -1)?.(reply)
  })
  child.on("exit", () => {
    for (const end of waiting.values()) end({ error: "the Python process ended" })
  })
  let last = 0
  const call = (command: string, parameters: object = {}): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const id = ++last
      waiting.set(id, (reply) => {
        waiting.delete(id)
        if (reply.error === undefined) resolve(reply.result)
        else reject(new Error(`${command}: ${reply.error}`))
      })
      child.stdin.write(`${JSON.stringify({ id, do: command, with: parameters })}\n`)
    })
  return { call, texts }
}

type Python = ReturnType<typeof start>

export const logIn = ({ call }: Python, client: string, account: Account) =>
  call("log_in", { client, phone: account.phone, code: account.code })

const works = async (judge: Judge, python: Python, how: string, proxy?: ReadonlyArray<unknown>): Promise<void> => {
  const client = `by ${how}`
  const account = await judge.account()
  await python.call("open_client", { client, how, ...(proxy === undefined ? {} : { proxy }) })
  equal(await logIn(python, client, account), Number(account.id), "the user")
  const other = await judge.account()
  await judge.run(judge.server.sendMessage(other.phone, account.phone, `by ${how}`))
  await python.texts.find("the update", ({ text }) => text === `by ${how}`)
  await python.call("close", { client })
}

const run = async (judge: Judge): Promise<void> => {
  const { check, server } = judge
  const folder = await mkdtemp(join(tmpdir(), "interop-telethon-"))
  judge.atEnd(() => rm(folder, { recursive: true, force: true }))
  const python = start(judge)
  const { call, texts } = python
  const ann = await judge.account()
  const bob = await judge.account({ username: "telethon_bob" })
  const heard = (client: string, text: string) =>
    texts.find(`"${text}"`, (event) => event.client === client && event.text === text)

  await call("setup", { key: server.publicKeyPem, host: server.host, port: server.port, dc: server.dcId })
  await call("open_client", { client: "ann" })
  await check("logs in by phone and code", async () => {
    equal(await logIn(python, "ann", ann), Number(ann.id), "the user")
  })
  await check("calls", async () => {
    equal(await call("me", { client: "ann" }), [Number(ann.id), ann.phone], "the user")
    equal(await call("config", { client: "ann" }), server.dcId, "the data centre")
  })
  await check("speaks its layer, and is answered in it", async () => {
    const [seen] = (await judge.run(server.calls("help.getConfig"))).filter(({ phone }) => phone === ann.phone)
    equal(seen?.layer, 144, "the layer")
  })
  await check("many calls at once", async () => {
    equal(await call("many", { client: "ann", count: 100 }), 100, "answers")
  })
  await check("an unknown method is an error", async () => {
    equal(await call("unknown", { client: "ann" }), "MethodInvalidError", "the error")
  })
  await call("open_client", { client: "bob" })
  await logIn(python, "bob", bob)
  await check("a message reaches another client", async () => {
    await call("send", { client: "ann", to: "telethon_bob", text: "hello from telethon" })
    equal((await heard("bob", "hello from telethon")).sender, Number(ann.id), "the sender")
  })
  await check("the answer to it comes back", async () => {
    await call("send", { client: "bob", to: Number(ann.id), text: "and back" })
    await heard("ann", "and back")
    equal(
      await call("history", { client: "ann", peer: "telethon_bob" }),
      ["and back", "hello from telethon"],
      "the history"
    )
    equal(await call("dialogs", { client: "ann" }), ["and back"], "the dialogs")
  })
  for (const size of [10, 700_000, 10_600_000]) {
    await check(`a file of ${size} bytes goes up and down`, async () => {
      const bytes = sample(size, 7)
      const from = join(folder, `${size}.bin`)
      const to = join(folder, `${size}.down`)
      await writeFile(from, bytes)
      await call("upload", { client: "ann", to: "telethon_bob", path: from })
      await call("download", { client: "bob", peer: Number(ann.id), path: to })
      sameBytes(await readFile(to), bytes, "the file")
    }, 60)
  }
  await check("goes on after its connection broke", async () => {
    await judge.run(server.faults.dropConnections(ann.phone))
    equal(await call("me", { client: "ann" }), [Number(ann.id), ann.phone], "the user")
    await judge.run(server.sendMessage(bob.phone, ann.phone, "after the break"))
    await heard("ann", "after the break")
  })
  for (const when of ["before", "after"] as const) {
    await check(`a connection that breaks ${when} a call was executed`, async () => {
      await judge.run(server.faults.disconnectOn("help.getNearestDc", when, { account: ann.phone }))
      equal(await call("nearest", { client: "ann" }), server.dcId, "the answer")
    })
  }
  const faults: ReadonlyArray<readonly [string, Parameters<Judge["run"]>[0]]> = [
    ["an answer that comes twice", server.faults.duplicateAnswer("help.getNearestDc")],
    ["a wrong salt", server.faults.badServerSalt({ account: ann.phone })],
    ["a message that is too old (16)", server.faults.badMessage(16, { account: ann.phone })],
    ["a wrong sequence number (32)", server.faults.badMessage(32, { account: ann.phone })],
    ["an internal error", server.faults.failNext("help.getNearestDc", { code: 500, type: "RPC_CALL_FAIL" })],
    ["a flood of one second", server.faults.failNext("help.getNearestDc", { code: 420, type: "FLOOD_WAIT_1" })],
    ["results that are all compressed", server.faults.gzip("always")],
    ["messages without containers", server.faults.containers(false)]
  ]
  for (const [what, fault] of faults) {
    await check(`survives ${what}`, async () => {
      await judge.run(fault)
      equal(await call("nearest", { client: "ann" }), server.dcId, "the answer")
    })
  }
  await judge.run(server.faults.gzip("auto"))
  await judge.run(server.faults.containers(true))
  await check("goes on from its session", async () => {
    const session = await call("save", { client: "ann" })
    await call("close", { client: "ann" })
    await call("open_client", { client: "ann again", session })
    equal(await call("me", { client: "ann again" }), [Number(ann.id), ann.phone], "the user")
    equal(await call("log_out", { client: "ann again" }), true, "logged out")
    equal((await judge.run(server.devices(ann.phone))).length, 0, "logins")
  })
  await check("logs in with a password", async () => {
    const account = await judge.account({ password: "correct horse" })
    await call("open_client", { client: "locked" })
    const wrong = await call("log_in", {
      client: "locked",
      phone: account.phone,
      code: account.code,
      password: "wrong"
    }).catch(String)
    equal(String(wrong).includes("PasswordHashInvalid"), true, "a wrong password is refused")
    equal(await call("password", { client: "locked", password: "correct horse" }), Number(account.id), "the user")
  })
  await check("logs in as a bot", async () => {
    const account = await judge.account({ botToken: "79:telethon" })
    await call("open_client", { client: "bot" })
    equal(await call("bot", { client: "bot", token: "79:telethon" }), [Number(account.id), true], "the user")
  })
  await check("is sent to the data centre of the account", async () => {
    const account = await judge.account({ dc: 4 })
    await call("open_client", { client: "far" })
    equal(await logIn(python, "far", account), Number(account.id), "the user")
    equal(await call("nearest", { client: "far" }), 4, "the data centre")
  })
  await check("goes on after the server was stopped and started", async () => {
    const before = await Restart.make(judge)
    const account = await before.account()
    const other = await before.account()
    await call("setup", {
      key: before.server.publicKeyPem,
      host: "127.0.0.1",
      port: before.server.port,
      dc: server.dcId
    })
    await call("open_client", { client: "steady" })
    await logIn(python, "steady", account)
    await before.stop()
    const after = await before.start()
    equal(await call("me", { client: "steady" }), [Number(account.id), account.phone], "the user")
    await judge.run(after.server.sendMessage(other.phone, account.phone, "after the start"))
    await heard("steady", "after the start")
    await call("close", { client: "steady" })
    await call("setup", { key: server.publicKeyPem, host: server.host, port: server.port, dc: server.dcId })
  }, 30)
  for (const how of ["abridged", "intermediate", "obfuscated"]) {
    await check(`framing: ${how}`, () => works(judge, python, how))
  }
  const proxy = await judge.open(Proxies.mtproto(judge.crypto, { server, domain: undefined }))
  for (const how of ["abridged", "intermediate", "padded"]) {
    const secret = `${how === "padded" ? "dd" : ""}${Proxies.secrets[0]![1]}`
    await check(`MTProto proxy, ${how}`, () => works(judge, python, `mtproxy ${how}`, [proxy.host, proxy.port, secret]))
  }
}

export const telethon: Judgement = { name: "telethon", server: { dcId: 2, otherDcs: [4] }, run }
