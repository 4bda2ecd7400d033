import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { Agent, request } from "node:http"
import { connect } from "node:net"
import { dirname, join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { makeRandom } from "./random.ts"
import * as Support from "./support.ts"

const CONNECTIONS = 16
const ROUNDS = 8

interface Process {
  readonly port: number
  readonly kill: () => Promise<void>
}

/** A gateway that ends without a word when it is told to. */
const startProcess = async (telegram: Support.Telegram, filename: string, port: number): Promise<Process> => {
  const { dcId, host, port: telegramPort, publicKeyPem: pem } = telegram
  const child = spawn(
    process.execPath,
    [
      fileURLToPath(new URL("fixtures/process.ts", import.meta.url)),
      JSON.stringify({ dcId, filename, host, pem, port, telegramPort })
    ],
    // started twice: the second time it need not be compiled
    {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, NODE_COMPILE_CACHE: join(dirname(filename), "compiled") }
    }
  )
  const [line] = await Promise.race([
    once(createInterface(child.stdout), "line"),
    once(child, "exit").then(() => Promise.reject(new Error("the gateway has ended")))
  ])
  return {
    port: Number(line),
    kill: async () => {
      const gone = once(child, "exit")
      child.kill("SIGKILL")
      await gone
    }
  }
}

interface Asked {
  readonly path: string
  readonly body: string
  readonly key: string | undefined
}

interface Answer {
  readonly status: number
  readonly body: any
}

/** A whole request over a connection that is kept; what has gone wrong on the way is the code of the error. */
const ask = (agent: Agent, port: number, { body, key, path }: Asked): Promise<Answer | string> =>
  new Promise((resolve) => {
    const headers = {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      ...key === undefined ? {} : { "idempotency-key": key }
    }
    const sent = request({ agent, host: "127.0.0.1", port, path, method: "POST", headers }, (response) => {
      let text = ""
      response.on("data", (chunk) => {
        text += chunk
      })
      response.once("end", () => resolve({ status: response.statusCode!, body: JSON.parse(text) }))
      response.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "broken"))
    })
    sent.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "broken"))
    sent.end(body)
  })

/** Says so much of a request, and is gone. */
const cut = (port: number, { body, key, path }: Asked, whole: boolean): Promise<void> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1")
    socket.once("error", () => resolve())
    socket.once("close", () => resolve())
    socket.once("connect", () => {
      const head = `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\n${key === undefined ? "" : `idempotency-key: ${key}\r\n`}\r\n`
      socket.write(head + (whole ? body : body.slice(0, body.length - 2)), () => socket.destroy())
    })
  })

/** What may have become of a text. */
type Fate =
  /** An answer said so, and which message it is. */
  | { readonly _tag: "Sent"; readonly index: number; readonly randomId: string }
  /** An answer said that it is not sent, or it was never asked for in whole. */
  | { readonly _tag: "Refused" }
  /** Nobody has said anything. */
  | { readonly _tag: "Unknown" }

describe("under load, with faults in the middle", () => {
  it.live("what is answered is true: sent once and in order, or not at all", () =>
    Effect.gen(function*() {
      const telegram = yield* Support.server
      const folder = yield* Support.folder
      const filename = join(folder, "ann.db")
      const listening = yield* Support.start(telegram, join(folder, "bob.db"))
      let current: Process = yield* Effect.promise(() => startProcess(telegram, filename, 0))
      yield* Effect.addFinalizer(() => Effect.promise(() => current.kill()))
      const { port } = current
      let alive: Promise<unknown> = Promise.resolve()
      const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS })
      yield* Effect.addFinalizer(() => Effect.sync(() => agent.destroy()))
      const call = (path: string, params: unknown) =>
        Effect.promise(async () => {
          const answer = await ask(agent, port, { path, body: JSON.stringify(params), key: undefined })
          assert.isTrue(typeof answer !== "string" && answer.body.ok, JSON.stringify(answer))
          return (answer as Answer).body.result
        })
      const temporary = yield* call("/phonelogin", { phone: "+15550001" })
      const code = yield* telegram.loginCode("+15550001")
      const ann = `/user${yield* call(`/user${temporary}/completephonelogin`, { code })}`
      const bob = yield* Support.logIn(telegram, listening, "+15550002")
      const { chat_id } = yield* call(`${ann}/requestSecretChat`, { user: "+15550002" })
      yield* Support.hear(listening, bob, (update) => update.chat?._ === "encryptedChatRequested")
      yield* listening.call(`${bob}/acceptSecretChat`, { peer: chat_id })
      yield* Support.until(call(`${ann}/getSecretChat`, { peer: chat_id }), ({ state }) => state === "ready")

      const fates = new Map<string, Fate>()
      const wrong: Array<string> = []
      const counts: Record<string, number> = {}
      const count = (what: string) => {
        counts[what] = (counts[what] ?? 0) + 1
      }
      const sending = (text: string, key: string | undefined): Asked => ({
        path: `${ann}/messages.sendEncrypted`,
        body: JSON.stringify({ peer: chat_id, message: { _: "decryptedMessage", message: text } }),
        key
      })

      /** Asks until there is an answer that says something. */
      const insist = async (asked: Asked): Promise<Answer> => {
        while (true) {
          const answer = await ask(agent, port, asked)
          if (typeof answer !== "string") {
            const { body: { parameters }, status } = answer
            if (status < 500 && parameters?.type !== "REQUEST_UNDER_WAY") return answer
            count(`${status} ${parameters?.type}`)
          } else {
            count(answer)
            if (answer === "ECONNREFUSED") await alive
          }
          await new Promise((resolve) => setTimeout(resolve, 30))
        }
      }
      const fateOf = ({ body, status }: Answer): Fate => {
        if (status !== 200) {
          count(`${status} ${body.parameters.type}`)
          return { _tag: "Refused" }
        }
        if (body.result.chat_id !== chat_id) wrong.push(`an answer of another chat: ${JSON.stringify(body)}`)
        return { _tag: "Sent", index: body.result.index, randomId: body.result.random_id }
      }

      const work = async (connection: number) => {
        const random = makeRandom(connection + 1)
        for (let round = 0; round < ROUNDS; round++) {
          const text = `${connection}/${round}`
          const key = `key-${text}`
          const what = random.below(100)
          if (what < 40) {
            fates.set(text, fateOf(await insist(sending(text, key))))
          } else if (what < 55) {
            // the same once more, and once more at the same time
            const [first, second] = await Promise.all([insist(sending(text, key)), insist(sending(text, key))])
            const third = await insist(sending(text, key))
            const bodies = new Set([first, second, third].map(({ body }) => JSON.stringify(body)))
            if (bodies.size > 1) wrong.push(`${text}: ${[...bodies].join(" and ")}`)
            fates.set(text, fateOf(first))
            const other = await insist(sending(`${text} with the key of another`, key))
            fates.set(`${text} with the key of another`, fateOf(other))
          } else if (what < 65) {
            // without a key nobody can ask again
            const answer = await ask(agent, port, sending(text, undefined))
            fates.set(
              text,
              typeof answer === "string" || answer.status >= 500 ? { _tag: "Unknown" } : fateOf(answer)
            )
          } else if (what < 75) {
            await cut(port, sending(text, key), false)
            fates.set(text, { _tag: "Refused" })
          } else if (what < 85) {
            await cut(port, sending(text, key), true)
            fates.set(text, { _tag: "Unknown" })
          } else if (what < 95) {
            // gone before the answer, and back to ask for it
            await cut(port, sending(text, key), true)
            fates.set(text, fateOf(await insist(sending(text, key))))
          } else {
            const asked = sending(text, key)
            const bad = random.below(2) === 0
              ? { ...asked, body: asked.body.replace(`"peer":${chat_id}`, "\"peer\":5") }
              : { ...asked, body: asked.body.replace("\"decryptedMessage\"", "\"decryptedMassage\"") }
            fates.set(text, fateOf(await insist(bad)))
          }
        }
      }

      const method = "messages.sendEncrypted"
      yield* Effect.all([
        Effect.promise(() => Promise.all(Array.from({ length: CONNECTIONS }, (_, i) => work(i)))),
        Effect.gen(function*() {
          const { faults } = telegram
          yield* telegram.awaitCalls(method, 10)
          yield* faults.dropConnections("+15550001")
          yield* faults.failNext(method, { code: 500, type: "INTERNAL_SERVER_ERROR" })
          yield* telegram.awaitCalls(method, 20)
          yield* faults.failNext(method, { code: 400, type: "DATA_INVALID", times: 3 })
          yield* faults.disconnectOn(method, "after")
          yield* telegram.awaitCalls(method, 40)
          // as the power would have it
          yield* Effect.promise(async () => {
            const revived = current.kill().then(() => startProcess(telegram, filename, port))
            alive = revived
            current = await revived
          })
          const calls = yield* telegram.callCount(method)
          yield* telegram.awaitCalls(method, calls + 10)
          yield* faults.dropConnections("+15550001")
          yield* faults.dropConnections("+15550002")
          yield* faults.dropAnswer(method)
          yield* faults.disconnectOn(method, "before")
        })
      ], { concurrency: "unbounded" })

      yield* Effect.promise(() => insist(sending("the last", "the last")))
      yield* Support.until(
        listening.call(`${bob}/getSecretMessages`, { peer: chat_id, limit: 1 }),
        ([newest]) => newest.message.message === "the last"
      )
      const history: ReadonlyArray<any> = yield* listening.call(`${bob}/getSecretMessages`, {
        peer: chat_id,
        limit: 1000,
        order: "oldest-first"
      })
      const texts = history.map(({ message }) => message.message as string)

      assert.deepStrictEqual(wrong, [])
      // each once
      assert.deepStrictEqual(texts.filter((text, i) => texts.indexOf(text) !== i), [])
      const arrived = new Map(history.map((one) => [one.message.message as string, one]))
      const untrue = [...fates].filter(([text, fate]) =>
        fate._tag === "Sent"
          ? arrived.get(text)?.random_id !== fate.randomId
          : fate._tag === "Refused" && arrived.has(text)
      )
      assert.deepStrictEqual(untrue, [])
      assert.deepStrictEqual(texts.filter((text) => text !== "the last" && !fates.has(text)), [])
      // in the order in which they were accepted: that of their numbers, and that of each connection
      const numbered = [...fates].flatMap(([text, fate]) => fate._tag === "Sent" ? [[text, fate.index] as const] : [])
      assert.deepStrictEqual(
        texts.filter((text) => fates.get(text)?._tag === "Sent"),
        numbered.toSorted(([, a], [, b]) => a - b).map(([text]) => text)
      )
      for (let connection = 0; connection < CONNECTIONS; connection++) {
        const mine = texts.filter((text) => fates.get(text)?._tag === "Sent" && text.startsWith(`${connection}/`))
        const rounds = mine.map((text) => Number(text.split("/")[1]))
        assert.deepStrictEqual(rounds, rounds.toSorted((a, b) => a - b))
      }
      // and it was a load, with faults
      assert.isAbove(numbered.length, CONNECTIONS * ROUNDS / 2)
      assert.isAtLeast(counts["400 DATA_INVALID"] ?? 0, 1)
      assert.isAtLeast(counts["422 IDEMPOTENCY_KEY_REUSED"] ?? 0, 1)
      assert.isAtLeast(counts["ECONNREFUSED"] ?? 0, 1)
      // nothing is left to be sent
      const queued = (yield* call(`${ann}/getSecretMessages`, { peer: chat_id, limit: 1000 })).filter(
        ({ state }: any) => state === "queued"
      )
      assert.deepStrictEqual(queued, [])
    }).pipe(Effect.scoped))
})
