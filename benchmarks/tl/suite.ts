/** Reading and writing TL, against mtcute's generated code and against Effect's own Schema. */
import * as Api from "@effect-mtproto/core/Api"
import * as ApiSchema from "@effect-mtproto/core/ApiSchema"
import * as Schema from "effect/Schema"
import { deepStrictEqual } from "node:assert/strict"
import { assertEqualBytes, type Bench } from "../lib/Bench.ts"
import * as Mtcute from "../lib/Mtcute.ts"
import { named } from "../lib/Versions.ts"
import * as Fixtures from "./fixtures.ts"

export const run = async (bench: Bench): Promise<void> => {
  const mtcute = await Mtcute.loadBinary()
  const peer = named("@mtcute/core")
  const decodeWithSchema = Schema.decodeUnknownSync(ApiSchema.type("Updates"))

  for (const [count, users] of [[1, 1], [100, 10]] as const) {
    // Written by the peer: ours has then seen no object but those that it has read itself, as the peer has.
    const bytes = mtcute.write(await Mtcute.translate(Fixtures.updates(count, users), Fixtures.mtcuteNumbers)).slice()
    const value = Api.Updates.decode(bytes)
    const theirs = mtcute.read(bytes)
    const name = `updates, ${count} message${count === 1 ? "" : "s"}`
    const check = (): void => {
      assertEqualBytes(`${name}: mtcute`, mtcute.write(mtcute.read(bytes)), bytes)
      assertEqualBytes(`${name}: ours`, Api.Updates.encode(Api.Updates.decode(bytes)), bytes)
      deepStrictEqual(decodeWithSchema(value), value)
    }
    await bench.compare({
      name: `decode ${name} (${bytes.length} B)`,
      unit: "µs",
      ours: () => Api.Updates.decode(bytes),
      peers: [
        { name: peer, run: () => mtcute.read(bytes), goal: 1.3 },
        { name: `${named("effect")} Schema, on the decoded object`, run: () => decodeWithSchema(value), goal: 5 }
      ],
      check
    })
    await bench.compare({
      name: `encode ${name} (${bytes.length} B)`,
      unit: "µs",
      ours: () => Api.Updates.encode(value),
      peers: [{ name: peer, run: () => mtcute.write(theirs), goal: 5 }],
      check
    })
  }

  const data = Uint8Array.from({ length: 216 }, (_, i) => i * 7 + 1)
  const request = Api.messages.sendEncryptedService(Fixtures.sendEncryptedService(data))
  const theirs = await Mtcute.translate({ ...request }, new Set())
  const schema = Schema.decodeUnknownSync(ApiSchema.params(Api.messages.sendEncryptedService))
  const bytes = Api.encodeRequest(request).slice()
  const name = `encode messages.sendEncryptedService (${bytes.length} B)`
  await bench.compare({
    name,
    unit: "µs",
    ours: () => Api.encodeRequest(request),
    peers: [
      { name: peer, run: () => mtcute.write(theirs), goal: 5 },
      { name: `${named("effect")} Schema, on the object`, run: () => schema(request) }
    ],
    check: () => assertEqualBytes(name, mtcute.write(theirs), bytes)
  })
}
