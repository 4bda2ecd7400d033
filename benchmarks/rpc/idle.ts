/** Many clients in one process that have a connection and a key each, and nothing to do: what one of them holds. */
import * as Api from "@effect-mtproto/core/Api"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as MtprotoTransport from "@effect-mtproto/transport/MtprotoTransport"
import * as SessionStore from "@effect-mtproto/transport/SessionStore"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Clients from "./clients.ts"
import type { Address } from "./server.ts"

/** So many of them connect at the same time. */
const AT_ONCE = 8
/** What the first ones take along (code, pools, the heap that the engine keeps) is not theirs. */
const FIRST = 20

const { address, count, who } = JSON.parse(process.argv[2]!) as {
  readonly who: "ours" | "mtcute"
  readonly address: Address
  readonly count: number
}

/** Resident memory, in bytes, of what is left when everything that can go has gone. */
const resident = async (): Promise<number> => {
  for (let i = 0; i < 5; i++) {
    globalThis.gc!()
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return process.memoryUsage().rss
}

/** Keeps what has been made reachable. */
const kept: Array<unknown> = []

const options: MtprotoTransport.Options = {
  apiId: 1,
  apiHash: Redacted.make("hash"),
  datacenters: [{ id: address.dcId, host: address.host, port: address.port }],
  publicKeys: [address.publicKeyPem],
  obfuscated: false
}

const ours = Effect.gen(function*() {
  const crypto = yield* Layer.build(NodeCrypto.layer)
  const layer = Layer.fresh(MtprotoTransport.layer(options).pipe(Layer.provide(SessionStore.layerMemory)))
  const one = Effect.gen(function*() {
    const client = Context.get(yield* Layer.build(layer), MtprotoTransport.MtprotoTransport)
    yield* client.invoke(Api.help.getNearestDc())
    kept.push(client)
  }).pipe(Effect.provideContext(crypto))
  const make = (n: number) => Effect.replicateEffect(one, n, { concurrency: AT_ONCE, discard: true })
  yield* make(FIRST)
  const before = yield* Effect.promise(resident)
  yield* make(count)
  return ((yield* Effect.promise(resident)) - before) / count
}).pipe(Effect.scoped)

const mtcute = async (): Promise<number> => {
  const make = async (n: number): Promise<void> => {
    let left = n
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      while (left-- > 0) {
        const client = await Clients.mtcute(address)
        await client.getConfig(1, 1)
        kept.push(client)
      }
    }))
  }
  await make(FIRST)
  const before = await resident()
  await make(count)
  return (await resident() - before) / count
}

process.send!(who === "ours" ? await Effect.runPromise(ours) : await mtcute())
process.exit(0)
