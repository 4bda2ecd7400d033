/**
 * The functions of secret chats for scripts of Lua: an account, its chats and its methods, as the globals that the Lua host of
 * MadelineProto had.
 *
 * - `messages`, `contacts`, `users`, … : tables with every method of the API. Each takes one table of parameters, and gives
 *   the result as a table. `messages.sendEncrypted`, `sendEncryptedService` and `sendEncryptedFile` take a `message`, encrypt,
 *   store and send it; their `peer` is anything that names a chat, whole updates too.
 * - `get_self`, `get_info`, `get_full_info`, `get_dialogs`, `request_secret_chat`, `accept_secret_chat`,
 *   `decline_secret_chat`, `await_secret_chat`, `discard_secret_chat`, `secret_chat_status`, `has_secret_chat`, `get_secret_chat`, `get_secret_chats`,
 *   `get_key_picture`, `get_secret_message`, `get_secret_messages`, `notify_layer`, `get_updates`, `upload`, `upload_encrypted`, `download`,
 *   `download_to_file`, `download_to_dir`, `sleep`, and all of them in camelCase
 * - `madeline_function(t, cb, extra)`, `tdcli_function(t, cb, extra)`, `var_dump`, `print`, `madeline_strict(on)`,
 *   `madelineproto_lua`
 *
 * Calls are synchronous for the script, and what goes wrong in them is their result: a table with `error_code`, `error` (a word
 * for programs, the server's own where the server said it), `description`, and in its case `retry_after` or `sent`. With
 * `strict`, or after `madeline_strict(true)`, it is raised.
 *
 * With `OtherUpdates` in the context, a script is told of every update of the account; without, of those of secret chats. With
 * `LuaFiles`, it may read and write files of one folder.
 *
 * Methods that would take the account from its owner, or from the host what it needs to go on, are refused: see
 * {@link isRefused}; `allow` refuses more.
 *
 * @since 1.0.0
 */
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import type { StoreError, TransportError } from "@effect-mtproto/secret-chats/SecretChatError"
import { type SecretChatEvent, SecretChats } from "@effect-mtproto/secret-chats/SecretChats"
import { SecretChatStore } from "@effect-mtproto/secret-chats/SecretChatStore"
import { OtherUpdates } from "@effect-mtproto/transport/OtherUpdates"
import { Transport } from "@effect-mtproto/transport/Transport"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import * as Calls from "./internal/calls.ts"
import * as Failure from "./internal/failure.ts"
import { functions } from "./internal/functions.ts"
import * as Inbox from "./internal/inbox.ts"
import * as People from "./internal/people.ts"
import type { LuaError } from "./LuaError.ts"
import { LuaFiles } from "./LuaFiles.ts"
import type { LuaTable, LuaValue } from "./LuaValue.ts"
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

/**
 * An update for a script.
 *
 * @category models
 * @since 1.0.0
 */
export interface Delivery {
  readonly update: LuaTable
  /** What it was in `SecretChats`, if it is of a secret chat. */
  readonly happening: SecretChatEvent | undefined
  readonly confirm: Effect.Effect<void>
}

// ----- service

/**
 * @category services
 * @since 1.0.0
 */
export class LuaHost extends Context.Service<LuaHost, {
  /** A runtime for one script. It ends with the scope. `print` takes the place of that of the host. */
  readonly vm: (options?: Pick<Options, "print">) => Effect.Effect<LuaVm.LuaVm, LuaError, Scope.Scope>
  /**
   * What the function for updates of a script is called with, in order within a chat; at least once, until it is confirmed. One
   * consumer at a time.
   */
  readonly updates: Stream.Stream<Delivery, StoreError | TransportError>
}>()("@effect-mtproto/lua/LuaHost") {}

// ----- layer

const make = Effect.fnUntraced(function*(options: Options) {
  const services = Context.pick(Crypto, Transport, SecretChatStore, SecretChats)(
    yield* Effect.context<Calls.Services>()
  )
  const people = People.make()
  const chats = yield* SecretChats
  const inbox = yield* Inbox.make(chats, yield* Effect.serviceOption(OtherUpdates), people)
  const environment: Calls.Environment = {
    people,
    transport: yield* Transport,
    chats,
    inbox,
    files: Option.getOrUndefined(yield* Effect.serviceOption(LuaFiles)),
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
    updates: inbox.updates,
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
