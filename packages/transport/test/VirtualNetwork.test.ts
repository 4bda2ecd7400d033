import * as Api from "@effect-mtproto/core/Api"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as TestCrypto from "@effect-mtproto/crypto/TestCrypto"
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { TestClock } from "effect/testing"
import * as Tracer from "effect/Tracer"
import * as MtprotoTransport from "../src/MtprotoTransport.ts"
import { Transport } from "../src/Transport.ts"
import { START } from "./utils/sessionPeer.ts"
import { store, VirtualNetwork } from "./utils/virtualNetwork.ts"

const crypto = TestCrypto.layer({ seed: "flapping" })

/** Deterministic numbers below a bound. */
const random = (seed: number) => {
  let state = seed >>> 0
  return (bound: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * bound)
  }
}

const start = Effect.gen(function*() {
  yield* TestClock.setTime(START)
  const net = new VirtualNetwork(yield* Crypto, yield* Clock.Clock)
  const context = yield* Layer.build(
    MtprotoTransport.layer({ apiId: 1, apiHash: Redacted.make("hash"), obfuscated: false, pingInterval: "30 seconds" })
      .pipe(
        Layer.provide(store),
        Layer.provide(net.dial)
      )
  )
  return { net, transport: Context.get(context, Transport) }
})

const peer: Api.InputEncryptedChat = { _tag: "inputEncryptedChat", chatId: 1, accessHash: 1n }
const call = (number: number) => Api.messages.readEncryptedHistory({ peer, maxDate: number })

describe("MtprotoTransport on a virtual network", () => {
  it.effect(
    "24 hours of a network that comes and goes lose no call and no update, double nothing, and are no busy loop",
    () =>
      Effect.gen(function*() {
        const { net, transport } = yield* start
        const received: Array<bigint> = []
        yield* Effect.forkScoped(Stream.runForEach(transport.updates, ({ confirm, update }) =>
          Effect.andThen(
            Effect.sync(() => {
              if (update._tag === "updateNewEncryptedMessage") received.push(update.message.randomId)
            }),
            confirm
          )))
        yield* TestClock.adjust("1 second")

        const next = random(24)
        const calls: Array<Fiber.Fiber<boolean, unknown>> = []
        const sent: Array<bigint> = []
        let forgotten = 0
        /** Calls go out and messages come in, spread over the time. */
        const pass = Effect.fnUntraced(function*(seconds: number) {
          const steps = 1 + next(4)
          for (let i = 0; i < steps; i++) {
            for (let n = next(4); n > 0; n--) {
              const number = calls.length + 1
              calls.push(yield* Effect.forkScoped(transport.invoke(call(number), { timeout: "2 days" })))
            }
            for (let n = next(3); n > 0; n--) sent.push(BigInt(net.send()))
            yield* TestClock.adjust(seconds * 1_000 / steps)
          }
        })

        const end = START + 24 * 3_600_000
        while ((yield* Clock.currentTimeMillis) < end) {
          net.set("up")
          yield* pass(1 + next(900))
          switch (next(5)) {
            case 0:
              net.drop()
              break
            case 1:
              net.server.forget()
              forgotten++
              net.drop()
              break
            case 2:
              net.set("silent")
              yield* pass(1 + next(600))
              break
            default:
              net.set("off")
              yield* pass(1 + next(1_200))
          }
        }
        net.set("up")
        yield* TestClock.adjust("5 minutes")

        const answers = yield* Fiber.joinAll(calls)
        assert.isAbove(answers.length, 300)
        assert.isTrue(answers.every((answer) => answer))
        for (let number = 1; number <= calls.length; number++) {
          const times = net.server.executed.get(number) ?? 0
          // only a server that has forgotten a session cannot know that it has executed a call
          assert.isTrue(times === 1 || (times > 1 && forgotten > 0), `call ${number} was executed ${times} times`)
        }
        assert.isAbove(sent.length, 200)
        assert.deepStrictEqual(received, sent)
        assert.strictEqual(net.receivedQueue.at(-1), net.qts)
        assert.deepStrictEqual(net.messages, [])
        // every minute of a day without a network would be 1440 attempts at most, 30 seconds apart
        assert.isBelow(net.dialled.length, 2_000)
      }).pipe(Effect.provide(crypto)),
    120_000
  )

  it.effect("all calls of one turn are one packet, also those that are made when others are answered", () =>
    Effect.gen(function*() {
      const { net, transport } = yield* start
      yield* TestClock.adjust("1 second")
      const before = net.packets.length
      const lane = (first: number) =>
        Effect.forEach([first, first + 100, first + 200], (number) => transport.invoke(call(number)))
      yield* Effect.all(Array.from({ length: 50 }, (_, i) => lane(i + 1)), { concurrency: "unbounded" })
      const packets = net.packets.slice(before)
      assert.strictEqual(net.server.executed.size, 150)
      assert.isAtLeast(packets[0]!, 50)
      assert.isAtMost(packets.length, 2 * 3)
    }).pipe(Effect.provide(crypto)))

  it.effect("a call is a span for whoever traces, and none for others", () =>
    Effect.gen(function*() {
      const { transport } = yield* start
      const names: Array<string> = []
      const tracer = Tracer.make({
        span: (options) => {
          names.push(`${options.name} ${options.kind}`)
          return new Tracer.NativeSpan(options)
        }
      })
      yield* transport.invoke(call(1))
      yield* Effect.provideService(transport.invoke(call(2)), Tracer.Tracer, tracer)
      assert.deepStrictEqual(names, ["MtprotoTransport.invoke client"])
    }).pipe(Effect.provide(crypto)))

  it.effect("confirmations are written 200 ms apart, and told to the server half a second later", () =>
    Effect.gen(function*() {
      const { net, transport } = yield* start
      yield* Effect.forkScoped(Stream.runForEach(transport.updates, ({ confirm }) => confirm))
      yield* TestClock.adjust("5 seconds")
      const before = net.receivedQueue.length
      for (let i = 0; i < 10; i++) {
        net.send()
        yield* TestClock.adjust("10 millis")
      }
      assert.strictEqual(net.receivedQueue.length, before)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(net.receivedQueue.slice(before), [net.qts])
    }).pipe(Effect.provide(crypto)))
})
