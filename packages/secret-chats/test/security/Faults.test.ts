/** Requirements 33 to 35 of `docs/security.md`: faults, determinism, other implementations. */
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as Frame from "@effect-mtproto/crypto/Frame"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import type { Event } from "@effect-mtproto/secret-chats/protocol/Events"
import * as Machine from "@effect-mtproto/secret-chats/protocol/Machine"
import * as Sequence from "@effect-mtproto/secret-chats/protocol/Sequence"
import * as Wrapper from "@effect-mtproto/secret-chats/protocol/Wrapper"
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Layer, Result } from "effect"
import { readFileSync } from "node:fs"
import * as Core from "../protocol/support.ts"
import { type Device, type Faults, World } from "../protocol/world.ts"

const hostile: Faults = {
  crash: 0.03,
  loseFrame: 0.12,
  repeatFrame: 0.12,
  reorder: 0.3,
  loseAnswer: 0.1,
  refuse: 0.02,
  delete: 0.05,
  week: 0.02
}

const of = <Tag extends Event["_tag"]>(device: Device, tag: Tag) =>
  device.disk.events.filter((event): event is Extract<Event, { readonly _tag: Tag }> => event._tag === tag)

const simulate = (seed: number, turns: number, discard = false) => {
  const trace: Array<string> = []
  const world = new World(seed, hostile)
  world.trace = (line) => trace.push(line)
  world.start()
  for (let i = 0; i < turns; i++) world.turn(true)
  if (discard) {
    const who = world.random.chance(0.5) && world.bob.phase !== "none" ? world.bob : world.alice
    while (who.phase !== "Closed") who.guard(() => who.step({ _tag: "Discard", deleteHistory: false }))
  }
  world.settle()
  return { world, trace }
}

/** What one has said and the other has shown; what was deleted or refused on the way may be missing. */
const transcript = (from: Device, to: Device) => {
  const shown = of(to, "NewMessage")
  assert.deepStrictEqual(
    shown.map(({ index }) => index),
    [...new Set(shown.map(({ index }) => index))].toSorted((a, b) => a - b),
    "once, and in order"
  )
  for (const { index, message } of shown) assert.strictEqual(message.message, from.disk.sealed.get(index)![0]!.text)
  const numbers = new Set(shown.map(({ index }) => index))
  for (const [index, versions] of from.disk.sealed) {
    if (versions[0]!.record.kind === "message" && versions.length === 1) assert.isTrue(numbers.has(index), "not lost")
  }
  return shown.length
}

describe("two peers and a server that loses, repeats, reorders and delays, with a crash at any store write", () => {
  it("R33 end with the same transcript on both sides", { timeout: 60_000 }, () => {
    let messages = 0
    let crashes = 0
    for (let seed = 33_000; seed < 33_012; seed++) {
      const { world } = simulate(seed, 500)
      const { alice, bob } = world
      if (alice.phase !== "Ready" || bob.phase !== "Ready") continue
      messages += transcript(alice, bob) + transcript(bob, alice)
      crashes += world.crashes
      assert.deepStrictEqual(alice.state!.keys!.current, bob.state!.keys!.current, `seed ${seed}: the keys agree`)
    }
    assert.isAbove(messages, 200)
    assert.isAbove(crashes, 50)
  })

  it("R33 or with both closed", { timeout: 60_000 }, () => {
    for (let seed = 33_100; seed < 33_120; seed++) {
      const { world } = simulate(seed, 200, true)
      for (const device of [world.alice, world.bob]) {
        if (device.phase !== "none") assert.strictEqual(device.phase, "Closed", `seed ${seed}`)
      }
    }
  })
})

describe("determinism", () => {
  it("R34 a seed gives the same run, step by step; another seed another one", () => {
    const first = simulate(34, 400)
    const second = simulate(34, 400)
    assert.isAbove(first.trace.length, 200)
    assert.deepStrictEqual(first.trace, second.trace)
    assert.deepStrictEqual(first.world.alice.disk.events, second.world.alice.disk.events)
    assert.notDeepEqual(simulate(35, 400).trace, first.trace)
  })

  it("R34 the core has neither clock nor chance of its own", () => {
    const clock = Date.now
    const chance = Math.random
    const ready = Core.ready("creator")
    const forbidden = () => {
      throw new Error("not deterministic")
    }
    Date.now = forbidden
    Math.random = forbidden
    try {
      const run = () => {
        const entropy = new Uint8Array(Machine.entropyBytes).fill(5)
        let state = ready
        const outputs: Array<unknown> = []
        for (let i = 1n; i < 110n; i++) {
          const stepped = Machine.step(state, { _tag: "Send", content: Core.text(i), via: "message" }, {
            now: 5,
            entropy
          })
          state = Result.getOrThrow(stepped).state
          outputs.push(Result.getOrThrow(stepped).outputs)
        }
        return { state, outputs }
      }
      assert.deepStrictEqual(run(), run())
    } finally {
      Date.now = clock
      Math.random = chance
    }
  })
})

describe("TDLib", () => {
  interface Recorded {
    readonly fromOriginator: boolean
    readonly key: string
    readonly ciphertext: string
    readonly plaintext: string
    readonly padding: number
  }
  const load = (name: string): ReadonlyArray<Recorded> =>
    JSON.parse(readFileSync(new URL(`../../../crypto/test/fixtures/${name}`, import.meta.url), "utf8"))
  const hex = (text: string) => new Uint8Array(Buffer.from(text, "hex"))
  const frames = [...load("tdlibFrames.json"), ...load("tdlibMediaFrames.json")]

  it.live("R35 frames that TDLib has written open, and are written again to the same bytes", () =>
    Effect.gen(function*() {
      const crypto = Context.get(yield* Layer.build(NodeCrypto.layer), Crypto)
      assert.isAtLeast(frames.length, 80)
      for (const { ciphertext, fromOriginator, key: bytes, padding, plaintext } of frames) {
        const key = SharedKey.make(crypto, hex(bytes))
        const opened = Frame.open(crypto, { keys: [key], fromCreator: fromOriginator, frame: hex(ciphertext) })
        const { payload } = Result.getOrThrow(opened)
        const again = Frame.seal(crypto, {
          key,
          fromCreator: fromOriginator,
          payload,
          padding: hex(plaintext).slice(-padding)
        })
        assert.strictEqual(Buffer.from(again).toString("hex"), ciphertext)
      }
    }))

  it("R35 what is in them is taken in by the core, each at its number, without a violation", () => {
    let shown = 0
    for (const { fromOriginator, padding, plaintext } of frames) {
      const bytes = hex(plaintext)
      const payload = bytes.subarray(4, bytes.length - padding)
      const wrapper = Result.getOrThrow(Wrapper.read(payload))
      assert.isDefined(wrapper.content, "every content is understood")
      const role = fromOriginator ? "acceptor" : "creator"
      const { inIndex, outIndex } = Result.getOrThrow(Sequence.fromWire(role, wrapper))
      const ready = Core.ready(role)
      // so far along that it is this frame's turn
      const records = Array.from({ length: 1 }, (_, i) => ({ ...ready.outbox.records[0]!, index: inIndex + i }))
      const state = {
        ...ready,
        sequence: { myIn: outIndex, myOut: inIndex + 1, hisIn: inIndex, inOrderLayer: 0 },
        outbox: { ...ready.outbox, records },
        inbox: { ...ready.inbox, seen: outIndex }
      }
      const stepped = Core.step(state, {
        _tag: "Received",
        payload,
        key: ready.keys!.current.fingerprint,
        randomId: wrapper.content!.randomId,
        date: 5
      })
      const action = wrapper.content!._tag === "decryptedMessageService" ? wrapper.content!.action._tag : ""
      // A step of a key exchange, or a request to send again, belongs to a conversation that is not this one.
      if (/Resend|AcceptKey|CommitKey/.test(action)) continue
      assert.isUndefined(Core.violated(stepped), action)
      assert.strictEqual(stepped.state.sequence.myIn, outIndex + 1)
      shown += stepped.events.filter(({ _tag }) => _tag === "NewMessage").length
    }
    assert.isAbove(shown, 20)
  })

  it("R35 the live tier is there: `npm run interop:tdlib` drives TDLib itself against a server on this machine", () => {
    const { scripts } = JSON.parse(readFileSync(new URL("../../../../package.json", import.meta.url), "utf8"))
    assert.include(scripts["interop:tdlib"], "interop/tdlib/run.mjs")
    const readme = readFileSync(new URL("../../../../interop/tdlib/README.md", import.meta.url), "utf8")
    assert.include(readme, "TDLib")
  })
})
