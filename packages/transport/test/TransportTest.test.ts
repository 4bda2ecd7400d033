import * as Api from "@effect-mtproto/core/Api"
import * as RpcError from "@effect-mtproto/core/RpcError"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Stream from "effect/Stream"
import { Transport, TransportError } from "../src/Transport.ts"
import * as TransportTest from "../src/TransportTest.ts"

const request = (version: number) => Api.messages.getDhConfig({ version, randomLength: 0 })
const answer = { _tag: "messages.dhConfigNotModified", random: new Uint8Array(0) } as const
const typing = (chatId: number): Api.Update => ({ _tag: "updateEncryptedChatTyping", chatId })

const withTest = <A, E>(
  title: string,
  handler: TransportTest.Handler,
  run: (services: {
    readonly transport: Transport["Service"]
    readonly test: TransportTest.TransportTest["Service"]
  }) => Effect.Effect<A, E>
) =>
  it.effect(title, () =>
    Effect.gen(function*() {
      return yield* run({ transport: yield* Transport, test: yield* TransportTest.TransportTest })
    }).pipe(Effect.provide(TransportTest.layer(handler))))

describe("TransportTest", () => {
  withTest(
    "answers by the function and remembers the requests",
    () => Effect.succeed(answer),
    ({ test, transport }) =>
      Effect.gen(function*() {
        assert.deepStrictEqual(yield* transport.invoke(request(1)), answer)
        yield* test.handle((next) => Effect.fail(TransportTest.unexpected(next)))
        const error = yield* Effect.flip(transport.invoke(request(2)))
        assert.deepInclude(error, { _tag: "RpcError", type: "METHOD_INVALID", method: "messages.getDhConfig" })
        assert.deepStrictEqual(yield* test.requests, [request(1), request(2)])
      })
  )

  withTest(
    "gives typed errors",
    (next) => Effect.fail(RpcError.make("RANDOM_LENGTH_INVALID", { method: next._tag })),
    ({ transport }) =>
      Effect.gen(function*() {
        const caught = yield* transport.invoke(request(1)).pipe(
          Effect.catchTag("RandomLengthInvalid", (error) => Effect.succeed(error.code))
        )
        assert.strictEqual(caught, 400)
      })
  )

  it.effect("calls of one chain are handled one after the other", () =>
    Effect.gen(function*() {
      const latch = yield* Latch.make(false)
      const log: Array<string> = []
      const layer = TransportTest.layer((next) =>
        Effect.gen(function*() {
          const { version } = next as ReturnType<typeof request>
          log.push(`begin ${version}`)
          if (version === 1) yield* latch.await
          log.push(`end ${version}`)
          return answer
        })
      )
      yield* Effect.gen(function*() {
        const transport = yield* Transport
        const first = yield* Effect.forkChild(transport.invoke(request(1), { chain: "a" }), { startImmediately: true })
        const second = yield* Effect.forkChild(transport.invoke(request(2), { chain: "a" }), { startImmediately: true })
        yield* transport.invoke(request(3), { chain: "b" })
        yield* latch.open
        yield* Fiber.join(first)
        yield* Fiber.join(second)
      }).pipe(Effect.provide(layer))
      assert.deepStrictEqual(log, ["begin 1", "begin 3", "end 3", "end 1", "begin 2", "end 2"])
    }))

  withTest(
    "updates come in order, and again after a restart until they are confirmed",
    () => Effect.succeed(answer),
    ({ test, transport }) =>
      Effect.gen(function*() {
        for (const n of [1, 2, 3]) yield* test.push(typing(n), { date: n })
        const first = yield* Stream.runCollect(Stream.take(transport.updates, 3))
        assert.deepStrictEqual(first.map(({ date, update }) => [date, update]), [1, 2, 3].map((n) => [n, typing(n)]))
        yield* first[2]!.confirm
        assert.deepStrictEqual(yield* test.confirmed, [])
        yield* first[0]!.confirm
        assert.deepStrictEqual(yield* test.confirmed, [typing(1)])
        yield* test.restart
        const second = yield* Stream.runCollect(Stream.take(transport.updates, 2))
        assert.deepStrictEqual(second.map(({ update }) => update), [typing(2), typing(3)])
      })
  )

  withTest("fails as it is told", () => Effect.succeed(answer), ({ test, transport }) =>
    Effect.gen(function*() {
      const error = new TransportError({ reason: "closed", detail: "enough" })
      yield* test.fail(error)
      assert.deepStrictEqual(yield* Effect.flip(transport.invoke(request(1))), error)
      assert.deepStrictEqual(yield* Effect.flip(Stream.runDrain(transport.updates)), error)
    }))
})
