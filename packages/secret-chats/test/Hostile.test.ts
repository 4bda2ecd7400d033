import type * as Api from "@effect-mtproto/core/Api"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { TestClock } from "effect/testing"
import { eventually, settle } from "./support/Peers.ts"
import { Relay } from "./support/Relay.ts"
import { chatOf, restartable } from "./support/Restartable.ts"

/** Small, seeded, good enough to choose what goes wrong. */
const dice = (seed: number) => {
  let state = seed >>> 0
  return (sides: number): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % sides
  }
}

const seeds = process.env["HOSTILE_SEEDS"]?.split(",").map(Number) ?? [1, 2, 3, 4, 5, 6]

/** What became of the texts of one side, as the sender was told. */
const ledger = () => ({
  taken: new Set<string>(),
  kept: new Set<string>(),
  refused: new Set<string>(),
  bursts: [] as Array<string>
})

/** Lets the virtual clock run, so that every pause ends soon. */
const pump = Effect.forever(Effect.andThen(settle, TestClock.adjust("500 millis")))

describe("two people, two files, and a server and a disk that do what they want", () => {
  it.effect.each(seeds)(
    "seed %d: everything arrives once and in order, or was refused",
    (seed) =>
      Effect.gen(function*() {
        const roll = dice(seed)
        const relay = new Relay()
        relay.repeats = "relayed"
        const alice = yield* restartable(relay, 1n)
        const bob = yield* restartable(relay, 2n, { accept: "allow" })
        const clock = yield* Effect.forkScoped(pump)
        const chatId = yield* chatOf(alice.peer(), bob.peer())
        const sides = [
          { name: "a", me: alice, other: bob, ...ledger() },
          { name: "b", me: bob, other: alice, ...ledger() }
        ] as const

        // The way from the server to a device: some updates are lost, some come twice.
        const push = relay.push.bind(relay)
        let lossy = true
        relay.push = (device, update: Api.Update) => {
          const luck = lossy && update._tag === "updateNewEncryptedMessage" ? roll(12) : 5
          if (luck === 0) return
          push(device, update)
          if (luck === 1) push(device, update)
        }
        const methods = ["messages.sendEncrypted", "messages.sendEncryptedService"]

        const send = Effect.fnUntraced(function*(side: typeof sides[number]) {
          const burst = `${side.name}${String(side.bursts.length).padStart(3, "0")}`
          side.bursts.push(burst)
          const texts = Array.from({ length: 1 + roll(5) }, (_, i) => `${burst}.${i}`)
          const { chats } = side.me.peer()
          yield* Effect.forEach(
            texts,
            (text) =>
              Effect.map(Effect.exit(chats.sendText(chatId, text)), (exit) => {
                if (Exit.isSuccess(exit)) side.taken.add(text)
                else {
                  const error = exit.cause.reasons.find((reason) => reason._tag === "Fail")?.error as
                    | { readonly _tag: string }
                    | undefined
                  // A store that failed leaves it open.
                  if (error?._tag === "TransportError") side.kept.add(text)
                  if (error?._tag === "DataInvalid") side.refused.add(text)
                }
              }),
            { concurrency: "unbounded", discard: true }
          )
        })

        // A store that fails while the program starts keeps it from starting, which is another matter.
        const restart = (me: typeof alice) =>
          Effect.suspend(() => {
            me.faults.onCommit = () => undefined
            return me.restart
          })

        for (let round = 0; round < 40; round++) {
          const side = sides[roll(2)]!
          const method = methods[roll(4) === 0 ? 1 : 0]!
          switch (roll(9)) {
            case 0:
              yield* restart(side.me)
              break
            case 1:
              relay.fail(method, { loseAnswer: true })
              break
            case 2:
              relay.fail(method, { transport: "timeout" })
              break
            case 3:
              relay.fail(method, { code: 400, type: "DATA_INVALID" })
              break
            case 4:
              relay.fail(method, { code: 500, type: "MSG_WAIT_FAILED" })
              break
            case 5: {
              const nth = side.me.faults.commits + 1 + roll(3)
              const when = roll(2) === 0 ? "before" : "after"
              side.me.faults.onCommit = (n) => n === nth ? when : undefined
              break
            }
            case 6: {
              // Stopped in the middle of sending.
              yield* Effect.forkScoped(send(side))
              yield* Effect.yieldNow
              for (let i = roll(20); i > 0; i--) yield* Effect.yieldNow
              yield* restart(side.me)
              break
            }
            default:
              break
          }
          yield* send(side)
        }

        // Quiet: nothing goes wrong any more, and both sides say a last word.
        lossy = false
        relay.heal()
        for (const { me } of sides) me.faults.onCommit = () => undefined
        yield* settle
        for (const { me, name } of sides) yield* me.peer().chats.sendText(chatId, `${name}999.end`)
        for (const { me } of sides) yield* me.peer().chats.noop(chatId)
        yield* eventually(
          () => sides.every(({ name, other }) => other.texts().includes(`${name}999.end`)),
          sides.map(({ other }) => other.texts().slice(-3).join(" ")).join(" | ")
        )
        for (const { kept, me, other, refused, taken } of sides) {
          const texts = other.texts()
          assert.deepStrictEqual(texts, texts.toSorted(), "in order")
          assert.strictEqual(new Set(texts).size, texts.length, "once")
          const history = yield* me.peer().chats.messages(chatId, { limit: 1000 })
          const failed = history.flatMap((m) => m.outgoing && m.state === "failed" ? [m.message.message] : [])
          assert.deepStrictEqual(failed.filter((text) => taken.has(text)), [], "taken is not failed")
          // What was kept could still be refused when it was sent again.
          const due = [...taken, ...[...kept].filter((text) => !failed.includes(text))]
          assert.deepStrictEqual(due.filter((text) => !texts.includes(text)), [], "nothing lost")
          assert.deepStrictEqual([...refused, ...failed].filter((text) => texts.includes(text)), [], "nothing refused")
        }
        assert.deepStrictEqual(
          yield* alice.peer().chats.keyPicture(chatId),
          yield* bob.peer().chats.keyPicture(chatId)
        )
        clock.interruptUnsafe()
      }),
    { timeout: 60_000 }
  )
})
