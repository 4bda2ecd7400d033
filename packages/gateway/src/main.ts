#!/usr/bin/env node
/**
 * The gateway as a command. Runs until it is interrupted; what is under way then is finished.
 *
 * `node packages/gateway/src/main.ts --test-server`
 */
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as Vault from "@effect-mtproto/crypto/Vault"
import * as SqliteClient from "@effect-mtproto/sql-sqlite/SqliteClient"
import * as SqlVault from "@effect-mtproto/transport/SqlVault"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as PgClient from "@effect/sql-pg/PgClient"
import { Command } from "effect/cli"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpServer from "effect/http/HttpServer"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { randomBytes } from "node:crypto"
import { readFileSync, writeFileSync } from "node:fs"
import * as Gateway from "./Gateway.ts"
import { flags, GatewayConfigError, isLoopback, secrets } from "./GatewayConfig.ts"
import type * as GatewayOptions from "./GatewayOptions.ts"
import * as Demo from "./internal/demo.ts"

const refuse = (description: string) => Effect.fail(new GatewayConfigError({ description }))

/** The secret of the vault: as configured, or from a file beside the database, which is made if there is none. */
const vaultSecret = Effect.fnUntraced(function*(database: string) {
  const configured = yield* Effect.option(Vault.secretConfig)
  if (Option.isSome(configured)) return configured.value
  if (database === ":memory:") return { key: Redacted.make(new Uint8Array(randomBytes(32))) } satisfies Vault.Secret
  if (isPostgres(database)) {
    return yield* refuse("VAULT_KEY or VAULT_PASSPHRASE has to be set: everything in the database is sealed with it")
  }
  const path = `${database}.key`
  return yield* Effect.try({
    try: (): Vault.Secret => {
      try {
        writeFileSync(path, `${randomBytes(32).toString("hex")}\n`, { flag: "wx", mode: 0o600 })
      } catch (error) {
        if ((error as { readonly code?: unknown }).code !== "EEXIST") throw error
      }
      const hex = readFileSync(path, "utf8").trim()
      if (!/^[0-9a-f]{64}$/.test(hex)) throw new Error("no key")
      return { key: Redacted.make(new Uint8Array(Buffer.from(hex, "hex"))) }
    },
    catch: () => new GatewayConfigError({ description: `The key of the vault could not be read from ${path}` })
  })
})

const isPostgres = (database: string): boolean => /^postgres(?:ql)?:\/\//.test(database)

const command = Command.make(
  "gateway",
  flags,
  Effect.fn("main")(function*(config) {
    const { adminToken, apiHash } = yield* secrets
    const { testServer } = config
    if (!isLoopback(config.host) && Option.isNone(adminToken)) {
      return yield* refuse(
        `GATEWAY_ADMIN_TOKEN has to be set to listen on ${config.host}: otherwise everybody who reaches it could log in`
      )
    }
    if (!testServer && (config.apiId === 0 || Redacted.value(apiHash) === "")) {
      return yield* refuse(
        "TELEGRAM_API_ID and TELEGRAM_API_HASH have to be set, see https://my.telegram.org; or try --test-server"
      )
    }
    const database = config.database !== "" ? config.database : testServer ? ":memory:" : "gateway.db"
    const telegram = testServer ? yield* Demo.server : undefined
    const options: GatewayOptions.Options = {
      telegram: telegram === undefined
        ? { apiId: config.apiId, apiHash, testServers: config.telegramTestServers }
        : {
          apiId: 1,
          apiHash: Redacted.make("0123456789abcdef0123456789abcdef"),
          datacenters: [{ id: telegram.dcId, host: telegram.host, port: telegram.port }],
          publicKeys: telegram.publicKeys
        },
      adminToken: Option.getOrUndefined(adminToken),
      cors: config.cors === "" ? undefined : config.cors.split(",").map((origin) => origin.trim()),
      idle: config.idle,
      limits: {
        requestsPerSecond: config.rate,
        body: config.maxBody,
        file: config.maxFile,
        requestTime: config.timeout
      }
    }
    const sql = isPostgres(database)
      ? PgClient.layer({ url: Redacted.make(database) })
      : SqliteClient.layer({ filename: database })
    const live = Gateway.layerHttp({ host: config.host, port: config.port }).pipe(
      Layer.provide(Gateway.layer(options)),
      Layer.provide(SqlVault.layer(yield* vaultSecret(database))),
      Layer.provide(sql),
      Layer.provide(NodeCrypto.layer)
    )
    const { address } = Context.get(yield* Layer.build(live), HttpServer.HttpServer)
    const base = HttpServer.formatAddress(address).replace("0.0.0.0", "127.0.0.1")
    yield* Console.log(`The gateway listens on ${base}`)
    if (telegram !== undefined) {
      const headers = Option.match(adminToken, {
        onNone: (): Record<string, string> => ({}),
        onSome: (token) => ({ "x-admin-token": Redacted.value(token) })
      })
      yield* Console.log(Demo.lines(base, yield* Demo.set(base, headers, telegram)))
    }
    return yield* Effect.never
  }, Effect.scoped)
).pipe(Command.withDescription("Telegram secret chats, and every method of Telegram's API, over HTTP"))

// package managers hand on the dashes that part their own arguments from those of the command
if (process.argv[2] === "--") process.argv.splice(2, 1)

command.pipe(
  Command.run({ version: "0.1.0" }),
  // what is wrong with the configuration is for a person, who needs no stack
  Effect.catchIf(Schema.is(GatewayConfigError), (error) =>
    Effect.andThen(
      Console.error(error.message),
      Effect.sync(() => {
        process.exitCode = 1
      })
    )),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain
)
