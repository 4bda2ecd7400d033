/**
 * Scripts.
 *
 * A script runs from top to bottom. If it leaves a function `madeline_update_callback(update)` behind (or
 * `tdcli_update_callback`), it is called for everything that happens in the secret chats of the account, and with `OtherUpdates`
 * in the context of the host for every other update as well, one after the other, see `LuaUpdate`. An update is confirmed when the function has returned: whatever happens before, it comes again with
 * the next run. So a script sees each update at least once, in order within a chat, and tells repeats apart by `random_id`.
 *
 * An error in that function is logged with its line, and the next update is delivered; the update counts as dealt with. A script
 * that exceeds a limit is over, and with it the run: that update comes again.
 *
 * An account should have one script that listens, for a confirmation by one is a confirmation for all.
 *
 * **Example** (Answering "ping")
 *
 * ```ts
 * import * as LuaHost from "@effect-mtproto/lua/LuaHost"
 * import * as LuaScript from "@effect-mtproto/lua/LuaScript"
 * import * as Effect from "effect/Effect"
 *
 * const script = LuaScript.make("ping.lua", `
 *   function madeline_update_callback(update)
 *     if update._ == "updateNewEncryptedMessage" and update.message.decrypted_message.message == "ping" then
 *       messages.sendEncrypted{peer = update, message = {_ = "decryptedMessage", message = "pong"}}
 *     end
 *   end
 * `)
 * const program = LuaScript.run(script).pipe(Effect.provide(LuaHost.layer()))
 * ```
 *
 * @since 1.0.0
 */
import type { StoreError, TransportError } from "@effect-mtproto/secret-chats/SecretChatError"
import type { SecretChatEvent } from "@effect-mtproto/secret-chats/SecretChats"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import type { PlatformError } from "effect/PlatformError"
import * as Stream from "effect/Stream"
import type { LuaError } from "./LuaError.ts"
import { LuaHost, type Options } from "./LuaHost.ts"

/**
 * @category models
 * @since 1.0.0
 */
export interface LuaScript {
  /** What messages call it; of a path, the part after the last slash. */
  readonly name: string
  /** Text, or the bytes of a file: strings of Lua are bytes, so a script need not be UTF-8. */
  readonly source: string | Uint8Array
}

/**
 * @category constructors
 * @since 1.0.0
 */
export const make = (name: string, source: string | Uint8Array): LuaScript => ({ name, source })

/**
 * @category constructors
 * @since 1.0.0
 */
export const fromFile = (path: string): Effect.Effect<LuaScript, PlatformError, FileSystem.FileSystem> =>
  Effect.map(
    Effect.flatMap(FileSystem.FileSystem, (fs) => fs.readFile(path)),
    (source) => make(path, source)
  )

/**
 * @category models
 * @since 1.0.0
 */
export interface RunOptions extends Pick<Options, "print"> {
  /** Is told of an error in the function for updates, in place of the log. */
  readonly onError?: ((error: LuaError) => Effect.Effect<void>) | undefined
  /** Runs when the script has run and listens to updates. */
  readonly onListening?: Effect.Effect<void> | undefined
  /** Is told of each event of a secret chat that the script was called for, before it is confirmed. */
  readonly onDelivered?: ((happening: SecretChatEvent) => Effect.Effect<void>) | undefined
}

/**
 * Runs a script. Ends when the script does; if it listens to updates, only with a limit, or with what ends the updates.
 *
 * @category running
 * @since 1.0.0
 */
export const run: (
  script: LuaScript,
  options?: RunOptions
) => Effect.Effect<void, LuaError | StoreError | TransportError, LuaHost> = Effect.fn("LuaScript.run")(
  function*(script, options) {
    const host = yield* LuaHost
    const vm = yield* host.vm(options)
    yield* vm.load(script)
    if (!(yield* vm.listens)) return
    const onError = options?.onError ?? ((error: LuaError) => Effect.logError(error.message))
    const onDelivered = options?.onDelivered ?? (() => Effect.void)
    if (options?.onListening !== undefined) yield* options.onListening
    return yield* Stream.runForEach(host.updates, ({ confirm, happening, update }) =>
      vm.deliver(update).pipe(
        Effect.catchTag(
          "LuaError",
          (error) => Effect.flatMap(vm.ended, (isOver) => isOver ? Effect.fail(error) : onError(error))
        ),
        Effect.andThen(Effect.suspend(() => happening === undefined ? Effect.void : onDelivered(happening))),
        Effect.andThen(confirm)
      ))
  },
  Effect.scoped
)
