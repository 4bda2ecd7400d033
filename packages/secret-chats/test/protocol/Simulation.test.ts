import type { Event } from "@effect-mtproto/secret-chats/protocol/Events"
import { assert, describe, it } from "@effect/vitest"
import { calm, type Device, type Faults, World } from "./world.ts"

const harsh: Faults = {
  crash: 0.02,
  loseFrame: 0.1,
  repeatFrame: 0.1,
  reorder: 0.3,
  loseAnswer: 0.1,
  refuse: 0.03,
  delete: 0.1,
  week: 0.02
}

/** Fewer faults and more talk: keys are replaced often. */
const busy: Faults = {
  crash: 0.004,
  loseFrame: 0.02,
  repeatFrame: 0.05,
  reorder: 0.1,
  loseAnswer: 0.03,
  refuse: 0.01,
  delete: 0.05,
  week: 0.004
}

const of = <Tag extends Event["_tag"]>(device: Device, tag: Tag) =>
  device.disk.events.filter((e): e is Extract<Event, { readonly _tag: Tag }> => e._tag === tag)

/** What `from` has said is what `to` has heard, once and in order. */
const compare = (from: Device, to: Device): number => {
  const heard = of(to, "NewMessage")
  const byIndex = new Map(heard.map((e) => [e.index, e]))
  assert.strictEqual(byIndex.size, heard.length, "no number is shown twice")
  assert.deepStrictEqual(heard.map((e) => e.index), heard.map((e) => e.index).toSorted((a, b) => a - b), "in order")
  assert.strictEqual(new Set(heard.map((e) => e.randomId)).size, heard.length, "no message is shown twice")
  const delivered = of(from, "MessageDelivered").map((e) => e.index)
  assert.strictEqual(new Set(delivered).size, delivered.length, "no delivery is told twice")
  const failed = new Set(of(from, "MessageFailed").map((e) => e.index))
  let count = 0
  for (const [index, versions] of from.disk.sealed) {
    const original = versions[0]!
    const shown = byIndex.get(index)
    if (original.record.kind === "message") {
      count++
      if (versions.length === 1) {
        assert.isDefined(shown, `${from.name} ${index} is not lost`)
        assert.isFalse(failed.has(index))
        assert.include(delivered, index)
      }
      if (shown !== undefined) {
        assert.strictEqual(shown.message.message, original.text)
        assert.strictEqual(shown.randomId, original.record.randomId)
      }
    } else assert.isUndefined(shown, `${from.name} ${index} is not a message`)
    assert.isAtMost(versions.length, 2, "a content is replaced at most once")
    if (versions.length === 2) assert.notInclude(delivered, index)
  }
  assert.strictEqual(from.disk.sealed.size, from.state!.sequence.myOut, "every number was given once")
  assert.strictEqual(to.state!.sequence.myIn, from.state!.sequence.myOut, "everything has arrived")
  return count
}

const run = (seed: number, faults: Faults, turns: number, trace?: (line: string) => void) => {
  const world = new World(seed, faults)
  world.trace = trace
  world.start()
  world.handshake()
  const firstKey = world.alice.state!.keyHash
  for (let i = 0; i < turns; i++) world.turn(true)
  world.settle()
  const { alice, bob } = world
  assert.strictEqual(alice.phase, "Ready", JSON.stringify(alice.state!.phase))
  assert.strictEqual(bob.phase, "Ready", JSON.stringify(bob.state!.phase))
  const messages = compare(alice, bob) + compare(bob, alice)
  assert.deepStrictEqual(alice.state!.keys!.current, bob.state!.keys!.current, "the keys agree")
  for (const { state } of [alice, bob]) {
    assert.strictEqual(state!.keys!.previous, undefined, "no old key is left")
    assert.strictEqual(state!.keys!.exchange._tag, "Idle", "no exchange hangs")
  }
  assert.deepStrictEqual(alice.state!.keyHash, firstKey, "the picture stays")
  assert.deepStrictEqual(bob.state!.keyHash, firstKey, "the picture is the same")
  for (const device of [alice, bob]) {
    assert.deepStrictEqual(device.state!.inbox.pending, [])
    assert.strictEqual(device.disk.pending.size, 0)
    assert.isAtMost(device.state!.outbox.records.length, 2, "what was acknowledged is forgotten")
    assert.strictEqual(device.state!.layers.his, 144)
  }
  return {
    messages,
    rekeys: of(alice, "Rekeyed").length,
    collisions:
      [...alice.disk.sealed.values(), ...bob.disk.sealed.values()].filter(([first]) =>
        first!.text === "decryptedMessageActionRequestKey"
      ).length - of(alice, "Rekeyed").length,
    crashes: world.crashes,
    lost: world.lost
  }
}

/** Runs a seed; if it fails, the seed is in the message. */
const replayable = <A>(seed: number, use: () => A): A => {
  try {
    return use()
  } catch (error) {
    if (error instanceof Error) error.message = `seed ${seed}: ${error.message}`
    throw error
  }
}

const seeds = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i)

describe("two devices and a hostile server", () => {
  const first = Number(process.env["SIMULATION_SEED"] ?? 1)
  const runs = Number(process.env["SIMULATION_RUNS"] ?? 60)

  const simulate = (name: string, faults: Faults, turns: number, runs: number) => {
    const total = { messages: 0, rekeys: 0, collisions: 0, crashes: 0, lost: 0 }
    for (const seed of seeds(first, runs)) {
      const result = replayable(seed, () => run(seed, faults, turns))
      for (const key of ["messages", "rekeys", "collisions", "crashes", "lost"] as const) total[key] += result[key]
    }
    console.log(
      `simulation, ${name}: ${runs} runs, ${total.messages} messages, ${total.rekeys} new keys ` +
        `(${total.collisions} exchanges given up), ${total.crashes} crashes, ${total.lost} lost frames, 0 violations`
    )
    return total
  }

  it("end with the same conversation on both sides", () => {
    const total = simulate("harsh", harsh, 600, runs)
    // the faults did happen
    if (runs < 50) return
    assert.isAbove(total.messages, 50 * runs)
    assert.isAbove(total.rekeys, runs / 2)
    assert.isAbove(total.collisions, runs / 2)
    assert.isAbove(total.crashes, 5 * runs)
    assert.isAbove(total.lost, 5 * runs)
  }, 3_600_000)

  it("end with the same conversation and the same keys, after many of them", () => {
    const total = simulate("busy", busy, 3000, Math.ceil(runs / 5))
    if (runs >= 50) assert.isAbove(total.rekeys, runs / 5)
  }, 3_600_000)

  it("without faults nothing is asked for twice, and nothing is replaced", () => {
    for (const seed of seeds(1, 10)) {
      replayable(seed, () => {
        const world = new World(seed, calm)
        world.start()
        world.handshake()
        for (let i = 0; i < 2000; i++) world.turn(true)
        world.settle()
        for (const [from, to] of [[world.alice, world.bob], [world.bob, world.alice]] as const) {
          compare(from, to)
          assert.deepStrictEqual(of(from, "MessagesMissing"), [])
          assert.isTrue([...from.disk.sealed.values()].every((versions) => versions.length === 1))
          assert.isAbove(of(from, "Rekeyed").length, 0)
        }
      })
    }
  }, 120_000)

  it("a chat that one side ends is over for both, whenever it is", () => {
    for (const seed of seeds(1, 40)) {
      replayable(seed, () => {
        const world = new World(seed, { ...harsh, week: 0 })
        world.start()
        const before = world.random.below(400)
        for (let i = 0; i < before; i++) world.turn(true)
        const who = world.random.chance(0.5) && world.bob.phase !== "none" ? world.bob : world.alice
        while (who.phase !== "Closed") who.guard(() => who.step({ _tag: "Discard", deleteHistory: false }))
        world.settle()
        for (const device of [world.alice, world.bob]) {
          if (device.phase === "none") continue
          assert.strictEqual(device.phase, "Closed")
          assert.strictEqual(of(device, "ChatClosed").length, 1)
          assert.strictEqual(device.state!.keys, undefined)
          assert.strictEqual(device.disk.outbox.size, 0)
          assert.strictEqual(device.disk.pending.size, 0)
        }
      })
    }
  }, 120_000)
})
