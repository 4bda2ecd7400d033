import * as Api from "@effect-mtproto/core/Api"
import * as SqliteClient from "@effect-mtproto/sql-sqlite/SqliteClient"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import * as OtherUpdates from "../src/OtherUpdates.ts"
import * as SessionStore from "../src/SessionStore.ts"
import { Transport, type TransportUpdate } from "../src/Transport.ts"
import { type Client, logIn, makeClient } from "./utils/live.ts"

const ANN = "15550001"
const BOB = "15550002"

/** Ordinary messages that a client gets, one by one; everything else is confirmed. */
const letters = Effect.fnUntraced(function*(client: Client) {
  const services = yield* Effect.provide(Layer.build(OtherUpdates.layer()), client.context)
  const queue = yield* Queue.unbounded<TransportUpdate>()
  yield* Effect.forkScoped(Stream.runForEach(Context.get(services, Transport).updates, ({ confirm }) => confirm))
  yield* Effect.forkScoped(Stream.runForEach(
    Context.get(services, OtherUpdates.OtherUpdates).updates,
    (one) => one.update._tag === "updateNewMessage" ? Queue.offer(queue, one) : one.confirm
  ))
  return Queue.take(queue)
})

const textOf = ({ update }: TransportUpdate) =>
  update._tag === "updateNewMessage" && update.message._tag === "message" ? update.message.message : undefined

describe("OtherUpdates", () => {
  it.live("over a network: who is named comes along, and after a restart what was not confirmed", () =>
    Effect.gen(function*() {
      const sql = yield* Layer.build(SqliteClient.layer({ filename: ":memory:" }))
      const store = SessionStore.layerUnsealedSql().pipe(Layer.provide(Layer.succeedContext(sql)))
      const server = yield* TestServer.TestServer
      yield* server.createAccount({ phone: ANN, firstName: "Ann" })
      yield* server.createAccount({ phone: BOB, firstName: "Bob" })
      const ann = yield* makeClient()
      yield* logIn(ann, ANN)
      const { users } = yield* ann.transport.invoke(Api.contacts.resolvePhone({ phone: BOB }))
      const [user] = users as ReadonlyArray<Api.user>
      const write = (message: string) =>
        ann.transport.invoke(Api.messages.sendMessage({
          peer: { _tag: "inputPeerUser", userId: user!.id, accessHash: user!.accessHash! },
          message,
          randomId: BigInt(message.length)
        }))
      yield* Effect.scoped(Effect.gen(function*() {
        const bob = yield* makeClient({}, store)
        yield* logIn(bob, BOB)
        const take = yield* letters(bob)
        // from the first state on: what was there before a login is no update
        while ((yield* bob.store.updateState) === undefined) yield* Effect.sleep(5)
        yield* write("1")
        yield* write("22")
        const first = yield* take
        assert.strictEqual(textOf(first), "1")
        assert.deepStrictEqual(
          OtherUpdates.about(first).users.map((one) => one._tag === "user" && one.firstName),
          ["Ann"]
        )
        yield* first.confirm
        assert.strictEqual(textOf(yield* take), "22")
      }))
      // while nobody is there
      yield* write("333")
      const take = yield* letters(yield* makeClient({}, store))
      assert.deepStrictEqual([textOf(yield* take), textOf(yield* take)], ["22", "333"])
      yield* write("4444")
      assert.strictEqual(textOf(yield* take), "4444")
    }).pipe(Effect.scoped, Effect.provide(TestServer.layer())))
})
