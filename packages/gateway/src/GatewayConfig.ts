/**
 * The configuration of the command: flags, and variables of the environment where there is no flag.
 *
 * | flag | variable | default |
 * | --- | --- | --- |
 * | `--host` | `GATEWAY_HOST` | `127.0.0.1`; anything but the loopback address needs an admin token |
 * | `--port` | `GATEWAY_PORT` | `9503` |
 * | `--database` | `GATEWAY_DATABASE` | `gateway.db`; or a `postgres://` URL |
 * | | `GATEWAY_ADMIN_TOKEN` | none: whoever reaches the gateway may log in |
 * | `--cors` | `GATEWAY_CORS` | none; origins, with commas between |
 * | `--idle` | `GATEWAY_IDLE` | `5 minutes` |
 * | `--rate` | `GATEWAY_RATE` | 200 requests a second for each session; 0 = any number |
 * | `--max-body` | `GATEWAY_MAX_BODY` | 1048576 bytes |
 * | `--max-file` | `GATEWAY_MAX_FILE` | 2097152000 bytes |
 * | `--timeout` | `GATEWAY_TIMEOUT` | `2 minutes` a call |
 * | | `VAULT_KEY`, `VAULT_PASSPHRASE` | a key in a file beside the database |
 * | `--api-id` | `TELEGRAM_API_ID` | |
 * | | `TELEGRAM_API_HASH` | |
 * | `--telegram-test-servers` | `TELEGRAM_TEST_SERVERS` | false: Telegram itself |
 * | `--test-server` | | off; a Telegram server in this process, for a first look |
 *
 * Secrets are taken from the environment only: arguments are seen by everybody on the machine.
 *
 * @since 1.0.0
 */
import { Flag } from "effect/cli"
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { defaultLimits } from "./GatewayOptions.ts"

const Port = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 }))
const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

const text = (name: string, variable: string, fallback: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withFallbackConfig(Config.withDefault(Config.String(variable), fallback)),
    Flag.withDescription(`${description} (${variable}; default ${fallback === "" ? "none" : fallback})`)
  )

const count = (name: string, variable: string, fallback: number, description: string) =>
  Flag.Int(name).pipe(
    Flag.withFallbackConfig(Config.withDefault(Config.Int(variable), fallback)),
    Flag.withSchema(Count),
    Flag.withDescription(`${description} (${variable}; default ${fallback})`)
  )

const duration = (name: string, variable: string, fallback: string, description: string) =>
  text(name, variable, fallback, description).pipe(
    Flag.withSchema(Schema.String.check(
      Schema.makeFilter((given: string) =>
        Duration.fromInput(given as Duration.Input)._tag === "Some" || "expected a time such as \"30 seconds\""
      )
    )),
    Flag.map((given) => Duration.fromInputUnsafe(given as Duration.Input))
  )

/**
 * @category configuration
 * @since 1.0.0
 */
export const flags = {
  host: text("host", "GATEWAY_HOST", "127.0.0.1", "The address to listen on"),
  port: Flag.Int("port").pipe(
    Flag.withFallbackConfig(Config.withDefault(Config.Int("GATEWAY_PORT"), 9503)),
    Flag.withSchema(Port),
    Flag.withDescription("The port to listen on; 0 is any free one (GATEWAY_PORT; default 9503)")
  ),
  database: text("database", "GATEWAY_DATABASE", "", "A SQLite file, gateway.db unless given, or a postgres:// URL"),
  cors: text("cors", "GATEWAY_CORS", "", "Origins that browsers may call from, with commas between"),
  idle: duration("idle", "GATEWAY_IDLE", "5 minutes", "A session that nobody uses is closed after this time"),
  rate: count("rate", "GATEWAY_RATE", defaultLimits.requestsPerSecond, "Requests a second of one session; 0 = any"),
  maxBody: count("max-body", "GATEWAY_MAX_BODY", defaultLimits.body, "The largest body, in bytes"),
  maxFile: count("max-file", "GATEWAY_MAX_FILE", defaultLimits.file, "The largest file, in bytes"),
  timeout: duration("timeout", "GATEWAY_TIMEOUT", "2 minutes", "How long a call may take"),
  apiId: Flag.Int("api-id").pipe(
    Flag.withFallbackConfig(Config.withDefault(Config.Int("TELEGRAM_API_ID"), 0)),
    Flag.withDescription("From https://my.telegram.org (TELEGRAM_API_ID); the hash is TELEGRAM_API_HASH")
  ),
  telegramTestServers: Flag.Boolean("telegram-test-servers").pipe(
    Flag.withFallbackConfig(Config.withDefault(Config.Boolean("TELEGRAM_TEST_SERVERS"), false)),
    Flag.withDescription("Telegram's own test servers (TELEGRAM_TEST_SERVERS)")
  ),
  testServer: Flag.Boolean("test-server").pipe(
    Flag.withDefault(false),
    Flag.withDescription("Try it out: a Telegram server in this process, with two people in a secret chat")
  )
}

/**
 * What is secret, from the environment.
 *
 * @category configuration
 * @since 1.0.0
 */
export const secrets = Config.all({
  adminToken: Config.option(Config.Redacted("GATEWAY_ADMIN_TOKEN")),
  apiHash: Config.withDefault(Config.Redacted("TELEGRAM_API_HASH"), Redacted.make(""))
})

/**
 * The configuration contradicts itself, or is not safe.
 *
 * @category errors
 * @since 1.0.0
 */
export class GatewayConfigError extends Schema.TaggedError<GatewayConfigError>()("GatewayConfigError", {
  description: Schema.String
}) {
  override get message(): string {
    return this.description
  }
}

/**
 * Whether an address is reached from this machine only.
 *
 * @category guards
 * @since 1.0.0
 */
export const isLoopback = (host: string): boolean => host === "localhost" || host === "::1" || host.startsWith("127.")
