/**
 * `npm run kill [-- --kills N --seed S]`: two real programs with sealed SQLite files talk through the test server, and one of
 * them, or both, are killed (SIGKILL) at random moments: while they start, while they talk, in the middle of whatever they
 * do. At the end their histories must agree: everything that either has said is at the other side, once and in order.
 *
 * Ends with `kill: N kills, M messages, 0 violations`. The seed fixes the plan, not what the programs are at when it strikes.
 */
import * as Api from "@effect-mtproto/core/Api"
import * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import * as Login from "@effect-mtproto/transport/Login"
import { Transport } from "@effect-mtproto/transport/Transport"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { type Address, layer } from "../packages/secret-chats/test/kill/client.ts"
import type { Argument, Transcript } from "../packages/secret-chats/test/kill/talker.ts"
import { launch, type Launched } from "../packages/secret-chats/test/support/processes.ts"

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "200" },
    seed: { type: "string", default: String(Date.now() & 0x3fffffff) }
  }
})
const kills = Number(values.kills)
if (!Number.isSafeInteger(kills) || kills < 1) {
  process.stderr.write("--kills takes a whole number\n")
  process.exit(2)
}

const talker = new URL("../packages/secret-chats/test/kill/talker.ts", import.meta.url)

const kill = ({ child }: Launched) =>
  Effect.callback<void>((resume) => {
    if (child.exitCode !== null || child.signalCode !== null) return resume(Effect.void)
    child.once("close", () => resume(Effect.void))
    child.kill("SIGKILL")
  })

/** Waits until a program has said something with a line end, which is its whole text if it goes on to say nothing. */
const says = (running: Launched, accept: (out: string) => boolean, minutes: number) =>
  Effect.gen(function*() {
    for (let waited = 0; !accept(running.out()); waited += 10) {
      if (running.child.exitCode !== null) return yield* Effect.die(new Error(`it has ended: ${running.out()}`))
      if (waited > minutes * 60_000) return yield* Effect.die(new Error(`it does not go on: ${running.out()}`))
      yield* Effect.sleep("10 millis")
    }
  })

const people = ["ann", "bob"] as const
const phones = { ann: "+15550001", bob: "+15550002" }

const program = Effect.gen(function*() {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "kill-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )
  const server = yield* TestServer.make()
  const address: Address = {
    host: server.host,
    port: server.port,
    dcId: server.dcId,
    publicKeyPem: server.publicKeyPem
  }
  for (const name of people) yield* server.createAccount({ phone: phones[name], firstName: name })
  const filename = (name: string) => join(folder, `${name}.db`)
  const logIn = (name: (typeof people)[number]) =>
    Login.phone({
      phone: Redacted.make(phones[name]),
      code: () => Effect.map(server.loginCode(phones[name]), Redacted.make)
    })

  // `local`: each has a vault in a file of its own
  const chatId = yield* Effect.gen(function*() {
    yield* logIn("ann")
    const chats = yield* SecretChats.SecretChats
    const transport = yield* Transport
    yield* Effect.forkScoped(
      Effect.andThen(logIn("bob"), Effect.never).pipe(
        Effect.provide(layer(address, filename("bob"), { accept: "allow" }), { local: true })
      )
    )
    yield* server.awaitCalls("auth.signIn", 2)
    const found = yield* transport.invoke(Api.contacts.resolvePhone({ phone: phones.bob }))
    const user = found.users.find((other) => other._tag === "user")!
    const chat = yield* chats.request(user)
    yield* chats.awaitReady(chat.chatId)
    return chat.chatId
  }).pipe(Effect.provide(layer(address, filename("ann")), { local: true }), Effect.scoped)

  const talk = (name: string, finish = false) =>
    launch(talker, { address, filename: filename(name), chatId, name, finish } satisfies Argument)
  const running = { ann: talk("ann"), bob: talk("bob") }
  yield* Effect.addFinalizer(() => Effect.forEach(people, (name) => kill(running[name]), { discard: true }))
  for (let done = 0; done < kills;) {
    const dice = yield* Random.nextIntBetween(0, 10)
    const victims = dice === 0 ? people : [people[dice % 2]!]
    // one in five dies while it starts, the others while they talk
    if (yield* Effect.map(Random.nextIntBetween(0, 5), (n) => n > 0)) {
      for (const name of victims) yield* says(running[name], (out) => out.includes("talking"), 5)
    }
    yield* Effect.sleep(yield* Random.nextIntBetween(0, 250))
    for (const name of victims) {
      const { child, out } = running[name]
      if (child.exitCode !== null) return yield* Effect.die(new Error(`${name} has ended by itself: ${out()}`))
      yield* kill(running[name])
      running[name] = talk(name)
      done++
    }
    if (done % 50 === 0) process.stdout.write(`${done} kills\n`)
  }
  for (const name of people) {
    yield* kill(running[name])
    running[name] = talk(name, true)
  }
  const transcripts = yield* Effect.forEach(
    people,
    (name) =>
      Effect.map(says(running[name], (out) => out.endsWith("}\n"), 5), () => {
        const out = running[name].out()
        return JSON.parse(out.slice(out.indexOf("{"))) as Transcript
      }),
    { concurrency: 2 }
  )
  const [ann, bob] = transcripts as [Transcript, Transcript]

  const violations: Array<string> = []
  const compare = (what: string, sent: ReadonlyArray<string>, expected: ReadonlyArray<string>): void => {
    const at = expected.findIndex((text, i) => text !== sent[i])
    if (at === -1 && sent.length === expected.length) return
    violations.push(`${what}: ${sent.length} and not ${expected.length}; from ${at} on ${sent.slice(at, at + 4)}`)
  }
  for (const [name, one, other] of [["ann", ann, bob], ["bob", bob, ann]] as const) {
    const numbers = one.outgoing.map((_, i) => i + 1 === one.outgoing.length ? "the last word" : `${name} ${i}`)
    compare(`what ${name} has said`, one.outgoing, numbers)
    compare(`what the other side has of ${name}`, other.incoming, one.outgoing)
    if (one.state !== "ready") violations.push(`the chat of ${name} is ${one.state}`)
  }
  for (const violation of violations) process.stdout.write(`${violation}\n`)
  const messages = ann.outgoing.length + bob.outgoing.length
  process.stdout.write(`kill: ${kills} kills, ${messages} messages, ${violations.length} violations\n`)
  return violations.length
})

process.stdout.write(`seed ${values.seed}\n`)
const violations = await Effect.runPromise(program.pipe(Effect.scoped, Random.withSeed(values.seed)))
process.exit(violations > 0 ? 1 : 0)
