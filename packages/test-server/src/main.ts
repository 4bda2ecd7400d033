#!/usr/bin/env node
/**
 * The server as a command: `node packages/test-server/src/main.ts --port 4430
 * --account +15550001`. Runs until it is interrupted.
 */
import * as SqliteClient from "@effect-mtproto/sql-sqlite/SqliteClient"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Command, Flag } from "effect/cli"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { mkdirSync } from "node:fs"
import { join } from "node:path"
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
  otherDc: Flag.String("other-dc").pipe(
    Flag.withMetavar("number[:port]"),
    Flag.withDescription("A further data centre; may be given many times"),
    Flag.atLeast(0)
  ),
  data: Flag.Directory("data").pipe(
    Flag.withDescription("A folder in which everything is kept, so that the server goes on where it stopped"),
    Flag.optional
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

const otherDcOf = (text: string) => {
  const [id = "", port = "0"] = text.split(":")
  return Effect.all({
    id: Schema.decodeEffect(Schema.NumberFromString.pipe(Schema.decodeTo(DcId)))(id),
    port: Schema.decodeEffect(Schema.NumberFromString.pipe(Schema.decodeTo(Port)))(port)
  })
}

const databaseIn = (folder: string) =>
  Layer.unwrap(Effect.sync(() => {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    return SqliteClient.layer({ filename: join(folder, "test-server.sqlite") })
  }))

const command = Command.make(
  "test-server",
  flags,
  Effect.fn("main")(function*({ account, data, dc, host, log, otherDc, port, testMode }) {
    const options: TestServer.Options = {
      host,
      port,
      dcId: dc,
      otherDcs: yield* Effect.forEach(otherDc, otherDcOf),
      testMode,
      onCall: log ? logCall : undefined
    }
    const server = Option.isNone(data)
      ? yield* TestServer.make(options)
      : yield* Effect.provideContext(TestServer.makeSql(options), yield* Layer.build(databaseIn(data.value)))
    for (const { host, id, port } of server.datacenters) {
      yield* Console.log(`Telegram test server: ${host}:${port}, data centre ${id}`)
    }
    yield* Console.log(`Its RSA key, which clients have to trust:\n${server.publicKeyPem}`)
    for (const text of account) {
      const options = accountOf(text)
      // with --data it may be there from the last time
      const made = yield* server.createAccount(options).pipe(
        Effect.catchIf((error) => error.reason === "PhoneTaken", () => server.account(options.phone))
      )
      yield* Console.log(`+${made.phone}: user ${made.id}, login code ${yield* server.loginCode(made.phone)}`)
    }
    return yield* Effect.never
  }, Effect.scoped)
).pipe(Command.withDescription("A Telegram server in one process, to test programs offline"))

const logCall = (call: TestServer.Call): Effect.Effect<void> =>
  Console.log(`${new Date(call.at).toISOString()} ${call.method} ${call.phone ?? "-"} ${call.outcome}`)

command.pipe(
  Command.run({ version: "0.1.0" }),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain
)
