/**
 * Updates that nobody wants, as an account in busy groups gets them while a program has secret chats alone: what one of
 * them costs from its bytes until it is counted. The peer's part is reading it, and nothing else of what it does then.
 */
import * as Api from "@effect-mtproto/core/Api"
import * as Updates from "@effect-mtproto/transport/Updates"
import * as UpdatesDriver from "@effect-mtproto/transport/UpdatesDriver"
import * as Effect from "effect/Effect"
import { notStrictEqual, strictEqual } from "node:assert/strict"
import { type Bench } from "../lib/Bench.ts"
import * as Mtcute from "../lib/Mtcute.ts"
import { named } from "../lib/Versions.ts"
import * as Fixtures from "../tl/fixtures.ts"

const START = 10

/** A message of an ordinary chat with its senders. */
const make = (pts: number, users: number): Api.Updates => {
  const updates = Fixtures.updates(1, users) as Extract<Api.Updates, { readonly _tag: "updates" }>
  const [update] = updates.updates as [Api.updateNewChannelMessage]
  return { ...updates, updates: [{ ...update, _tag: "updateNewMessage", pts }] }
}

export const run = async (bench: Bench): Promise<void> => {
  const mtcute = await Mtcute.loadBinary()
  for (const users of [1, 10]) {
    const bytes = Api.Updates.encode(make(START, users)).slice()
    const other = Api.Updates.encode(make(START + 1, users))
    const at = bytes.findIndex((byte, i) => byte !== other[i])
    const view = new DataView(bytes.buffer)
    let stored = 0
    let asked = 0
    await Effect.gen(function*() {
      const driver = yield* UpdatesDriver.make({
        store: { setUpdateState: ({ pts }) => Effect.sync(() => void (stored = pts)) },
        now: () => performance.now(),
        getState: Effect.never,
        getDifference: () =>
          Effect.sync(() => {
            asked++
            return { _tag: "updates.differenceEmpty", date: 1, seq: 0 } as const
          }),
        receivedQueue: () => Effect.void,
        options: { wanted: new Set(Updates.ofSecretChats) }
      })
      driver.start({ pts: START, qts: 1, date: 1, seq: 0 })
      yield* Effect.sleep("10 millis")
      let pts = START
      const count = (): void => {
        view.setInt32(at, ++pts, true)
        driver.onBody(bytes)
      }
      yield* Effect.promise(() =>
        bench.compare({
          name: `an update of ${bytes.length} B that nobody wants`,
          unit: "µs",
          ours: count,
          peers: [
            { name: `reading it alone, ${named("@mtcute/core")}`, run: () => mtcute.read(bytes), goal: 1 },
            { name: "reading it alone, ours", run: () => Api.Updates.decode(bytes) }
          ],
          check: () => {
            count()
            strictEqual((mtcute.read(bytes) as { readonly updates: ReadonlyArray<any> }).updates[0].pts, pts)
          }
        })
      )
      yield* Effect.sleep("300 millis")
      // everything was counted, and nothing was missed
      strictEqual(stored, pts)
      notStrictEqual(stored, START)
      strictEqual(asked, 1)
    }).pipe(Effect.scoped, Effect.runPromise)
  }
}
