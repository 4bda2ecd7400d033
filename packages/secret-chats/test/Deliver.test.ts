import type { Event } from "@effect-mtproto/secret-chats/protocol/Events"
import * as Events from "@effect-mtproto/secret-chats/protocol/Events"
import { layerMemory, SecretChatStore } from "@effect-mtproto/secret-chats/SecretChatStore"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import * as Deliver from "../src/internal/deliver.ts"
import type { Engine, StoredEvent, Subscriber } from "../src/internal/engine.ts"
import { settle } from "./support/Peers.ts"

const event = (n: number): Event => ({ _tag: "MessageSent", randomId: BigInt(n), index: n, date: n })

const setup = Effect.gen(function*() {
  const store = yield* SecretChatStore
  let readings = 0
  const engine: Engine = {
    store: {
      ...store,
      events: (page) => {
        readings++
        return store.events(page)
      }
    },
    actors: new Map(),
    subscribers: new Set<Subscriber>(),
    wakes: new Map(),
    horizon: 0,
    alarms: new Set(),
    tookIn: 0,
    computations: new Set(),
    dh: undefined
  }
  let version = 0
  /** Commits events as the engine does; `quiet`: as another process does. */
  const commit = Effect.fnUntraced(function*(...ns: ReadonlyArray<number>) {
    const { events } = yield* store.commit({
      chatId: 1,
      expected: version++,
      chat: { phase: "ready", wakeAt: undefined, head: new Uint8Array(1) },
      changes: ns.map((n) => ({ _tag: "AppendEvent", data: Events.encode(event(n)) }))
    })
    return events.map((id, i): StoredEvent => ({ id, chatId: 1, event: event(ns[i]!) }))
  })
  const tell = (events: ReadonlyArray<StoredEvent> | undefined) => {
    for (const subscriber of engine.subscribers) subscriber.onStored(events)
  }
  const found: Array<readonly [id: bigint | undefined, n: number]> = []
  const reader = yield* Effect.forkChild(
    Stream.runForEach(Deliver.stream(engine), ({ event, id }) =>
      Effect.sync(() => {
        if (event._tag === "MessageSent") found.push([id, event.index])
      }))
  )
  yield* settle
  return { commit, tell, found, reader, readings: () => readings }
})

describe("handing out events", () => {
  it.effect("what follows what was handed out last is handed on without a look into the store", () =>
    Effect.gen(function*() {
      const { commit, found, reader, readings, tell } = yield* setup
      for (const events of [[1, 2], [3], [4, 5, 6]]) {
        tell(yield* commit(...events))
        yield* settle
      }
      assert.deepStrictEqual(found, [1, 2, 3, 4, 5, 6].map((n) => [BigInt(n), n]))
      assert.strictEqual(readings(), 1)
      yield* Fiber.interrupt(reader)
    }).pipe(Effect.provide(layerMemory)))

  it.effect("told of in any order, with some that only the store knows, each is handed out once and in order", () =>
    Effect.gen(function*() {
      const { commit, found, reader, tell } = yield* setup
      const first = yield* commit(1)
      const second = yield* commit(2, 3)
      tell(second)
      tell(first)
      yield* settle
      // of another process, of which nobody tells
      yield* commit(4)
      const third = yield* commit(5)
      tell(third)
      tell(yield* commit(6))
      yield* settle
      tell(third)
      tell(yield* commit(7))
      tell(undefined)
      tell(yield* commit(8))
      yield* settle
      assert.deepStrictEqual(found, [1, 2, 3, 4, 5, 6, 7, 8].map((n) => [BigInt(n), n]))
      yield* Fiber.interrupt(reader)
    }).pipe(Effect.provide(layerMemory)))
})
