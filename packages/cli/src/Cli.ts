/**
 * The `secret-chats` command, as a value: `main.ts` runs it.
 *
 * `secret-chats lua script.lua` runs a script of Lua for an account. The account, its login and its secret chats are sealed in
 * one file, opened by a passphrase; who is not logged in is asked for phone number and code. With `--test-server` nothing of
 * that is needed: a Telegram server runs in the same process, and what is typed is written by a second account.
 *
 * @since 1.0.0
 */
import { type Secret, secretConfig } from "@effect-mtproto/crypto/Vault"
import * as LuaFiles from "@effect-mtproto/lua/LuaFiles"
import * as LuaHost from "@effect-mtproto/lua/LuaHost"
import * as LuaScript from "@effect-mtproto/lua/LuaScript"
import * as Argument from "effect/cli/Argument"
import * as Command from "effect/cli/Command"
import * as Flag from "effect/cli/Flag"
import * as Prompt from "effect/cli/Prompt"
import * as Config from "effect/Config"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as References from "effect/References"
import * as Runtime from "effect/Runtime"
import * as Schema from "effect/Schema"
import * as Stdio from "effect/Stdio"
import * as Terminal from "effect/Terminal"
import * as Account from "./Account.ts"
import * as Offline from "./internal/offline.ts"

/**
 * A command that has failed, and has said why: nobody else needs to.
 *
 * @category errors
 * @since 1.0.0
 */
export class Failed extends Schema.TaggedError<Failed>()("Failed", { why: Schema.String }) {
  override readonly [Runtime.errorReported] = false
  override get message(): string {
    return this.why
  }
}

const positive = Schema.Int.check(Schema.isGreaterThan(0))

const flags = {
  script: Argument.String("script").pipe(Argument.withDescription("The script")),
  store: Flag.String("store").pipe(
    Flag.withMetavar("file"),
    Flag.withFallbackConfig(Config.String("SECRET_CHATS_STORE")),
    Flag.optional,
    Flag.withDescription(
      "Where login and chats are kept, sealed; also SECRET_CHATS_STORE. Default ~/.secret-chats/account.db"
    )
  ),
  apiId: Flag.Int("api-id").pipe(
    Flag.optional,
    Flag.withDescription("From my.telegram.org; also TELEGRAM_API_ID")
  ),
  apiHash: Flag.Redacted("api-hash").pipe(
    Flag.withFallbackConfig(Config.Redacted("TELEGRAM_API_HASH")),
    Flag.optional,
    Flag.withDescription("From my.telegram.org; better as TELEGRAM_API_HASH")
  ),
  accept: Flag.Literals("accept", ["ask", "allow", "none"]).pipe(
    Flag.optional,
    Flag.withDescription("Who asks for a chat: ask the script (the default), allow, or none. With --test-server: allow")
  ),
  strict: Flag.Boolean("strict").pipe(
    Flag.withDefault(false),
    Flag.withDescription("Raise errors of calls in the script; by default they are results")
  ),
  memory: Flag.Int("memory").pipe(
    Flag.withDefault(64),
    Flag.withSchema(Schema.Int.check(Schema.isBetween({ minimum: 16, maximum: 4096 }))),
    Flag.withMetavar("MiB"),
    Flag.withDescription("Memory that the script may take, 16 to 4096")
  ),
  instructions: Flag.Int("instructions").pipe(
    Flag.withDefault(100_000_000),
    Flag.withSchema(positive),
    Flag.withDescription("Instructions for the script, and for each update")
  ),
  seconds: Flag.Finite("seconds").pipe(
    Flag.withDefault(5),
    Flag.withSchema(Schema.Finite.check(Schema.isGreaterThan(0))),
    Flag.withDescription("Seconds of computing for the script, and for each update")
  ),
  files: Flag.Directory("files", { mustExist: true }).pipe(
    Flag.optional,
    Flag.withDescription("A folder whose files the script may read, and where it may write new ones; default none")
  ),
  testServer: Flag.Boolean("test-server").pipe(
    Flag.withDefault(false),
    Flag.withDescription(
      "Try it without Telegram: a server in this process, and a second account that writes what you type"
    )
  )
}

const secret: Effect.Effect<Secret, unknown, Prompt.Environment | Stdio.Stdio> = Effect.gen(function*() {
  const given = yield* Effect.option(secretConfig)
  if (Option.isSome(given)) return given.value
  const { stdinIsTerminal } = yield* Stdio.Stdio
  if (!(yield* stdinIsTerminal)) {
    return yield* new Failed({ why: "The store is sealed: set VAULT_PASSPHRASE, or VAULT_KEY" })
  }
  return { passphrase: yield* Prompt.run(Prompt.Password({ message: "Passphrase of the store" })) }
})

/** What the environment says, if the flag does not. */
const apiIdOf = Effect.fnUntraced(function*(flag: Option.Option<number>) {
  if (Option.isSome(flag)) return flag
  const text = yield* Config.option(Config.String("TELEGRAM_API_ID"))
  if (Option.isNone(text) || text.value.trim() === "") return Option.none()
  if (/^\d{1,9}$/.test(text.value.trim())) return Option.some(Number(text.value))
  return yield* new Failed({ why: "TELEGRAM_API_ID has to be a whole number, see my.telegram.org" })
})

/** What is wrong with the file of the account is said of that file. */
const ofStore = (file: string) => (error: unknown): unknown => {
  const tag = typeof error === "object" && error !== null && "_tag" in error ? error._tag : undefined
  if (!(error instanceof Error) || tag !== "SqlError" && tag !== "PlatformError") return error
  const reason: unknown = error.cause ?? error
  const cause = reason instanceof Error && reason.cause instanceof Error ? reason.cause : reason
  const why = cause instanceof Error ? cause.message : error.message
  return new Failed({ why: `The store ${file} cannot be used: ${why}` })
}

const lua = Command.make(
  "lua",
  flags,
  Effect.fn("lua")(function*(given) {
    const script = yield* Effect.mapError(LuaScript.fromFile(given.script), ({ reason }) =>
      new Failed({
        why: reason._tag === "NotFound"
          ? `There is no script ${given.script}`
          : `The script ${given.script} cannot be read: ${reason._tag}`
      }))
    const made = LuaHost.layer({
      strict: given.strict,
      limits: { memory: given.memory * 2 ** 20, instructions: given.instructions, time: given.seconds * 1000 }
    })
    const files = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
    const host = Option.match(given.files, {
      onNone: () => made,
      onSome: (folder) => Layer.provide(made, Layer.provide(LuaFiles.layer({ folder }), Layer.succeedContext(files)))
    })
    const run: LuaScript.RunOptions = {
      print: (line) => Console.log(line),
      onError: (error) => Console.error(error.message)
    }
    if (given.testServer) {
      const accept = Option.getOrElse(given.accept, () => "allow" as const)
      return yield* Offline.run(script, { host, run, accept })
    }
    const path = yield* Path.Path
    const home = yield* Config.withDefault(Config.String("HOME"), ".")
    const apiId = yield* apiIdOf(given.apiId)
    if (Option.isNone(apiId) || Option.isNone(given.apiHash)) {
      return yield* new Failed({
        why: "TELEGRAM_API_ID and TELEGRAM_API_HASH are needed, see my.telegram.org; or try --test-server"
      })
    }
    const file = Option.getOrElse(given.store, () => path.join(home, ".secret-chats", "account.db"))
    const account = Account.layer({
      file,
      secret: yield* secret,
      transport: { apiId: apiId.value, apiHash: given.apiHash.value },
      accept: Option.getOrElse(given.accept, () => "ask" as const)
    })
    yield* Effect.andThen(Account.logIn, LuaScript.run(script, run)).pipe(
      Effect.provide(Layer.provideMerge(host, account)),
      Effect.mapError(ofStore(file))
    )
  }, (effect) =>
    Effect.catch(Effect.provideService(effect, References.LogToStderr, true), (error) => {
      // Somebody who was asked has gone.
      if (Terminal.isQuitError(error)) return Effect.interrupt
      const why = error instanceof Error ? error.message : String(error)
      return Effect.andThen(Console.error(why), Effect.fail(new Failed({ why })))
    }))
).pipe(Command.withDescription("Runs a script of Lua for an account and its secret chats"))

/**
 * @category commands
 * @since 1.0.0
 */
export const command = Command.make("secret-chats").pipe(
  Command.withDescription("Telegram secret chats from the command line"),
  Command.withSubcommands([lua])
)

/**
 * @category constants
 * @since 1.0.0
 */
export const version = "0.1.0"
