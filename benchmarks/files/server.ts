/**
 * The test server in a process of its own, with room for files. Its only argument is a JSON object: the `Settings`.
 */
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import * as Effect from "effect/Effect"
import type { Account, Address } from "../rpc/server.ts"

export interface Settings {
  readonly host?: string
  readonly port?: number
  readonly dcId?: number
  readonly accounts: number
}

const settings = JSON.parse(process.argv[2]!) as Settings

const program = Effect.gen(function*() {
  const { accounts: count, ...where } = settings
  const server = yield* TestServer.make({ ...where, limits: { fileBytes: 2 ** 30, calls: 16, callBytes: 2 ** 20 } })
  // What a real server does to test the reader of answers is no part of a comparison.
  yield* server.faults.trailingBytes(false)
  const accounts: Array<Account> = []
  for (let i = 0; i < count; i++) {
    const phone = `99966${10_001 + i}`
    const { id } = yield* server.createAccount({ phone, firstName: `Bench${i}` })
    accounts.push({ id: String(id), phone, code: yield* server.loginCode(phone) })
  }
  const { dcId, port, publicKeyPem } = server
  const address: Address = { host: "127.0.0.1", port, dcId, publicKeyPem, accounts }
  yield* Effect.sync(() => process.send!(address))
  return yield* Effect.never
}).pipe(Effect.scoped)

process.on("disconnect", () => process.exit(0))
await Effect.runPromise(program)
