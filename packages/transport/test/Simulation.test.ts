import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as TestCrypto from "@effect-mtproto/crypto/TestCrypto"
import { assert, layer } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Calls from "../src/Calls.ts"
import { Peer, QUERY, type Received } from "./utils/sessionPeer.ts"
import { SimulatedServer } from "./utils/simulatedServer.ts"

const literal = <const Tag extends string>(tag: Tag) => Schema.Struct({ _tag: Schema.Literal(tag) })

const Step = Schema.Union([
  Schema.Struct({ _tag: Schema.Literal("call"), repeatable: Schema.Boolean, chained: Schema.Boolean }),
  Schema.Struct({
    _tag: Schema.Literal("wait"),
    millis: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 20_000 }))
  }),
  literal("up"),
  literal("down"),
  literal("break"),
  literal("forget"),
  literal("refuse"),
  literal("silence")
])
type Step = typeof Step.Type

interface Submitted {
  readonly number: number
  readonly repeatable: boolean
  readonly chained: boolean
}

/** Client and server, and the network between them. */
class World {
  readonly peer: Peer
  readonly server: SimulatedServer
  readonly calls = Calls.make({ maxInFlight: 4 })
  readonly submitted = new Map<Calls.Call, Submitted>()
  readonly outcomes = new Map<Calls.Call, Calls.Outcome>()
  /** Packets on the way to the server. */
  wire: Array<ReadonlyArray<Received>> = []
  forgotten = false
  broken = false
  number = 0

  constructor(crypto: Crypto["Service"]) {
    this.peer = new Peer(crypto)
    this.server = new SimulatedServer(this.peer)
    this.calls.bind(this.peer.now, this.peer.session)
    this.peer.attach()
  }

  step(step: Step): void {
    switch (step._tag) {
      case "call": {
        const call = this.calls.submit(this.peer.now, {
          body: QUERY(++this.number),
          repeatable: step.repeatable,
          chain: step.chained ? "chain" : undefined,
          floodWaitLimit: 0,
          deadline: Infinity
        })
        this.submitted.set(call, { number: this.number, repeatable: step.repeatable, chained: step.chained })
        break
      }
      case "wait":
        this.peer.now += step.millis
        break
      case "up": {
        const packet = this.wire.shift()
        if (packet !== undefined) this.server.receive(packet)
        break
      }
      case "down": {
        const next = this.server.outbox.shift()
        if (next === undefined) break
        this.peer.session.receive(
          this.peer.now,
          this.peer.seal({
            msgId: next.message.msgId,
            seqNo: next.content ? 1 : 0,
            body: next.message.body,
            sessionId: next.sessionId
          })
        )
        break
      }
      case "break":
        this.broken = true
        this.wire = []
        this.peer.session.detach()
        this.server.reconnect()
        this.peer.attach()
        break
      case "forget":
        this.forgotten = true
        this.server.forget()
        break
      case "refuse":
        this.server.refuse++
        break
      case "silence":
        this.server.silent++
    }
    this.settle()
  }

  /** What the driver of a session does. */
  settle(): void {
    for (let i = 0; i < 50; i++) {
      for (const event of this.peer.events()) {
        if (event._tag === "Close") {
          this.step({ _tag: "break" })
        } else if ("query" in event) {
          const outcome = this.calls.handle(this.peer.now, event)
          if (outcome === undefined) continue
          assert.isFalse(this.outcomes.has(outcome.call), "one outcome only")
          this.outcomes.set(outcome.call, outcome)
        }
      }
      for (const outcome of this.calls.poll(this.peer.now)) {
        assert.isFalse(this.outcomes.has(outcome.call), "one outcome only")
        this.outcomes.set(outcome.call, outcome)
      }
      for (const packet of this.peer.session.poll(this.peer.now)) this.wire.push(this.peer.open(packet))
      const wakeAt = Math.min(this.calls.wakeAt(), this.peer.session.wakeAt())
      if (wakeAt > this.peer.now) return
    }
    assert.fail("a busy loop")
  }

  /** From now on the network is good. */
  finish(): void {
    for (let i = 0; i < 1_000 && this.outcomes.size < this.submitted.size; i++) {
      while (this.wire.length > 0) this.step({ _tag: "up" })
      while (this.server.outbox.length > 0) this.step({ _tag: "down" })
      this.step({ _tag: "wait", millis: 1_000 })
    }
  }

  check(): void {
    /** Whether an earlier call of the chain did not succeed. */
    let chainBroken = false
    for (const [call, { chained, number, repeatable }] of this.submitted) {
      const outcome = this.outcomes.get(call)
      const executed = this.server.executed.get(number) ?? 0
      if (outcome?._tag === "Success") {
        assert.strictEqual(outcome.result[3], number, "its own answer")
        assert.isAtLeast(executed, 1)
      } else if (outcome?._tag === "Error") {
        assert.isTrue(chained && chainBroken && outcome.message === "MSG_WAIT_FAILED")
      } else {
        assert.strictEqual(outcome?._tag, "Uncertain", `call ${number} has an outcome`)
        assert.isTrue(!repeatable && (this.forgotten || this.broken), `call ${number} is uncertain`)
      }
      if (chained && outcome?._tag !== "Success") chainBroken = true
      if (!repeatable || !this.forgotten) assert.isAtMost(executed, 1, `call ${number}`)
    }
    const chain = new Set([...this.submitted.values()].filter((call) => call.chained).map((call) => call.number))
    const order = [...this.server.executed.keys()].filter((number) => chain.has(number))
    assert.deepStrictEqual(order, order.toSorted((a, b) => a - b), "the order of the chain")
  }
}

layer(TestCrypto.layer({ seed: "simulation" }))("Session and Calls against a simulated server", (it) => {
  it.effect.prop(
    "every call has one outcome, its own answer, is in its order, and is not executed twice if it must not be",
    [Arbitrary.array(Arbitrary.schema(Step), { maxLength: 80 })],
    ([steps]) =>
      Effect.gen(function*() {
        const world = new World(yield* Crypto)
        for (const step of steps) world.step(step)
        world.finish()
        world.check()
      }),
    { arbitrary: { runs: 500 } }
  )
})
