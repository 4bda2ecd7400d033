#!/usr/bin/env node
/**
 * The server as a command: `node packages/test-server/src/main.ts --port 4430
 * --account +15550001`. Runs until it is interrupted.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Command, Flag } from "effect/cli"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as TestServer from "./TestServer.ts"

const Port = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))
const DcId = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 1000 }))

const flags = {
  host: Flag.String("host").pipe(
    Flag.withDefault("127.0.0.1"),
    Flag.withDescription("The address to listen on")
  ),
  port: Flag.Int("port").pipe(
    Flag.withDefault(0),
    Flag.withSchema(Port),
    Flag.withDescription("The port to listen on; 0 is any free one")
  ),
  dc: Flag.Int("dc").pipe(
    Flag.withDefault(2),
    Flag.withSchema(DcId),
    Flag.withDescription("The number of the data centre")
  ),
  testMode: Flag.Boolean("test-mode").pipe(
    Flag.withDefault(false),
    Flag.withDescription("Be a test data centre: clients add 10000 to its number")
  ),
  account: Flag.String("account").pipe(
    Flag.withMetavar("phone[:code[:name]]"),
    Flag.withDescription("An account to make; may be given many times"),
    Flag.atLeast(0)
  ),
  log: Flag.Boolean("log").pipe(
    Flag.withDefault(false),
    Flag.withDescription("Write a line for every call: method, account, outcome")
  )
}

const accountOf = (text: string): TestServer.AccountOptions => {
  const [phone = "", code, ...name] = text.split(":")
  return {
    phone,
    firstName: name.length === 0 ? `User ${phone}` : name.join(":"),
    ...(code === undefined || code === "" ? {} : { code })
  }
}

const command = Command.make(
  "test-server",
  flags,
  Effect.fn("main")(function*({ account, dc, host, log, port, testMode }) {
    const server = yield* TestServer.make({
      host,
      port,
      dcId: dc,
      testMode,
      onCall: log ? logCall : undefined
    })
    yield* Console.log(`Telegram test server: ${server.host}:${server.port}, data centre ${server.dcId}`)
    yield* Console.log(`Its RSA key, which clients have to trust:\n${server.publicKeyPem}`)
    for (const text of account) {
      const made = yield* server.createAccount(accountOf(text))
      yield* Console.log(`+${made.phone}: user ${made.id}, login code ${yield* server.loginCode(made.phone)}`)
    }
    return yield* Effect.never
  }, Effect.scoped)
).pipe(Command.withDescription("A Telegram server in one process, in memory, to test programs offline"))

const logCall = (call: TestServer.Call): Effect.Effect<void> =>
  Console.log(`${new Date(call.at).toISOString()} ${call.method} ${call.phone ?? "-"} ${call.outcome}`)

command.pipe(
  Command.run({ version: "0.1.0" }),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain
)
