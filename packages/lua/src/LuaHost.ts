/**
 * The functions of secret chats for scripts of Lua: an account, its chats and its methods, as the globals that the Lua host of
 * MadelineProto had.
 *
 * - `messages`, `contacts`, `users`, … : tables with every method of the API. Each takes one table of parameters, and gives
 *   the result as a table. `messages.sendEncrypted`, `sendEncryptedService` and `sendEncryptedFile` take a `message`, encrypt,
 *   store and send it; their `peer` is anything that names a chat, whole updates too.
 * - `get_self`, `get_info`, `request_secret_chat`, `accept_secret_chat`, `decline_secret_chat`, `await_secret_chat`,
 *   `discard_secret_chat`, `secret_chat_status`, `has_secret_chat`, `get_secret_chat`, `get_secret_chats`, `get_key_picture`,
 *   `get_secret_message`, `get_secret_messages`, `notify_layer`, `rekey`, `upload_encrypted`, `download`, `sleep`, and all of
 *   them in camelCase
 * - `madeline_function(t, cb, extra)`, `tdcli_function(t, cb, extra)`, `var_dump`, `print`, `madeline_strict(on)`,
 *   `madelineproto_lua`
 *
 * Calls are synchronous for the script, and what goes wrong in them is their result: a table with `error_code`, `error` (a word
 * for programs, the server's own where the server said it), `description`, and in its case `retry_after` or `sent`. With
 * `strict`, or after `madeline_strict(true)`, it is raised.
 *
 * Methods that would take the account from its owner, or from the host what it needs to go on, are refused: see
 * {@link isRefused}; `allow` refuses more.
 *
 * @since 1.0.0
 */
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import { SecretChats } from "@effect-mtproto/secret-chats/SecretChats"
import { SecretChatStore } from "@effect-mtproto/secret-chats/SecretChatStore"
import { Transport } from "@effect-mtproto/transport/Transport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as Calls from "./internal/calls.ts"
import * as Failure from "./internal/failure.ts"
import { functions } from "./internal/functions.ts"
import * as People from "./internal/people.ts"
import type { LuaError } from "./LuaError.ts"
import type { LuaValue } from "./LuaValue.ts"
import * as LuaVm from "./LuaVm.ts"

// ----- models

/**
 * @category models
 * @since 1.0.0
 */
export interface Options {
  /** What each script may take. */
  readonly limits?: LuaVm.Limits | undefined
  /** Whether what goes wrong in a call is raised, not returned. Default `false`. */
  readonly strict?: boolean | undefined
  /** Which methods scripts may call, besides those that are refused anyway. Default: all. */
  readonly allow?: ((method: string) => boolean) | undefined
  /**
   * Functions of your own, by names in snake_case; scripts have them in camelCase as well. A `LuaError` they fail with is what the
   * script gets as the error of the call.
   */
  readonly functions?:
    | { readonly [name: string]: (...args: ReadonlyArray<LuaValue>) => Effect.Effect<LuaValue, LuaError> }
    | undefined
  /** Gets what scripts print, line by line; by default it is logged. */
  readonly print?: ((line: string) => Effect.Effect<void>) | undefined
}

/**
 * Whether a method is refused to scripts whatever the options say: logging in and out, parts of files, the state of updates,
 * the handshake of secret chats (there are functions for that), and what would take the account from its owner.
 *
 * @category guards
 * @since 1.0.0
 */
export const isRefused: (method: string) => boolean = Calls.isRefused

// ----- service

/**
 * @category services
 * @since 1.0.0
 */
export class LuaHost extends Context.Service<LuaHost, {
  /** A runtime for one script. It ends with the scope. `print` takes the place of that of the host. */
  readonly vm: (options?: Pick<Options, "print">) => Effect.Effect<LuaVm.LuaVm, LuaError, Scope.Scope>
}>()("@effect-mtproto/lua/LuaHost") {}

// ----- layer

const make = Effect.fnUntraced(function*(options: Options) {
  const services = Context.pick(Crypto, Transport, SecretChatStore, SecretChats)(
    yield* Effect.context<Calls.Services>()
  )
  const environment: Calls.Environment = {
    people: People.make(),
    transport: yield* Transport,
    chats: yield* SecretChats,
    crypto: yield* Crypto,
    allow: options.allow ?? (() => true)
  }
  const answered = (effect: Effect.Effect<LuaValue, unknown, Calls.Services>): Effect.Effect<LuaVm.Answer> =>
    effect.pipe(
      Effect.map((value) => ({ ok: true, value })),
      Effect.catch((error) =>
        Failure.fromError(error) === undefined
          ? Effect.as(Effect.logError("A call of a script has failed", error), Failure.answer(error))
          : Effect.succeed(Failure.answer(error))
      ),
      Effect.provideContext(services)
    )
  const { limits, print = (line) => Effect.log(line), strict } = options
  const own = options.functions ?? {}
  const names = [...new Set([...Object.keys(functions), ...Object.keys(own)])]
  const methods = Calls.methods()
  return LuaHost.of({
    vm: (vmOptions) =>
      LuaVm.make({
        limits,
        strict,
        host: {
          methods,
          functions: names,
          call: (method, params) => answered(Calls.call(environment, method, params)),
          apply: (name, args) =>
            answered(Object.hasOwn(own, name) ? own[name]!(...args) : functions[name]!(environment, args)),
          print: vmOptions?.print ?? print
        }
      })
  })
})

/**
 * @category layers
 * @since 1.0.0
 */
export const layer = (
  options: Options = {}
): Layer.Layer<LuaHost, never, Crypto | Transport | SecretChatStore | SecretChats> =>
  Layer.effect(LuaHost, make(options))
