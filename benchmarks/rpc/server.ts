/**
 * The test server in a process of its own, for both sides of a comparison alike.
 *
 * Its only argument is a JSON object: the `Settings`. It says where it is in one message, and ends with its parent.
 */
import * as Api from "@effect-mtproto/core/Api"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import * as Effect from "effect/Effect"

export interface Settings {
  readonly host?: string
  readonly port?: number
  readonly dcId?: number
  readonly accounts: number
  /** Answers `messages.sendEncryptedService` at once, whatever chat it names. */
  readonly stub?: boolean
}

/** An account that can log in. */
export interface Account {
  readonly id: string
  readonly phone: string
  readonly code: string
}

export interface Address {
  readonly host: string
  readonly port: number
  readonly dcId: number
  readonly publicKeyPem: string
  readonly accounts: ReadonlyArray<Account>
}

const settings = JSON.parse(process.argv[2]!) as Settings

const program = Effect.gen(function*() {
  const { dcId, host, port } = settings
  const server = yield* TestServer.make({
    ...(host === undefined ? {} : { host }),
    ...(port === undefined ? {} : { port }),
    ...(dcId === undefined ? {} : { dcId }),
    limits: { calls: 16, callBytes: 65_536, chats: 1_000_000, anonymousKeys: 100_000 }
  })
  // What a real server does to test the reader of answers is no part of a comparison.
  yield* server.faults.trailingBytes(false)
  const accounts: Array<Account> = []
  for (let i = 0; i < settings.accounts; i++) {
    const phone = `99966${10_001 + i}`
    const { id } = yield* server.createAccount({ phone, firstName: `Bench${i}` })
    accounts.push({ id: String(id), phone, code: yield* server.loginCode(phone) })
  }
  if (settings.stub === true) {
    yield* server.answer(
      Api.messages.sendEncryptedService,
      () => ({ _tag: "messages.sentEncryptedMessage", date: 1_750_000_000 })
    )
  }
  const address: Address = {
    host: host ?? server.host,
    port: server.port,
    dcId: server.dcId,
    publicKeyPem: server.publicKeyPem,
    accounts
  }
  yield* Effect.sync(() => process.send!(address))
  return yield* Effect.never
}).pipe(Effect.scoped)

process.on("disconnect", () => process.exit(0))
await Effect.runPromise(program)
