/**
 * Lua 5.4 in a thread of its own: one script, one runtime, nothing shared.
 *
 * A script gets the libraries `coroutine`, `table`, `string`, `utf8`, `math`, and of `os` only `time`, `date` (UTC) and
 * `difftime`. There is no `io`, no `require`, no `debug`, and bytecode is neither made nor loaded.
 *
 * **Limits.** Lua's memory is a WebAssembly memory that does not grow beyond `memory`; the script sees "not enough memory" and
 * may catch it. Instructions are counted, for the script itself and for each call into it, and time is what the thread takes
 * between two answers of the host, by Effect's `Clock`; who exceeds them is stopped at once, whatever it catches, and this
 * runtime is at its end. Time is what bounds Lua's own C functions, in which no instruction is counted: a pattern that
 * backtracks for ever, a huge `table.move`. For them the script has a thread, which can be ended from outside.
 *
 * **Calls into the host** block that thread until the host has answered, so they may stand anywhere: in coroutines, in
 * metamethods, in functions that `string.gsub` or `table.sort` call. The host's own thread never waits.
 *
 * This is the engine room. `LuaScript` runs scripts with the functions for secret chats.
 *
 * @since 1.0.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import type { Failed, Order, Report } from "./internal/protocol.ts"
import * as Thread from "./internal/startThread.ts"
import { LuaError } from "./LuaError.ts"
import * as LuaValue from "./LuaValue.ts"

// ----- models

/**
 * What a script may take. Everything has a default.
 *
 * @category models
 * @since 1.0.0
 */
export interface Limits {
  /** Bytes of all of Lua, itself included; at least 16 MiB, the default is 64 MiB. */
  readonly memory?: number | undefined
  /** Instructions of Lua's machine for the script itself and for each call into it, counted in thousands. Default 10^8. */
  readonly instructions?: number | undefined
  /** Time for the script itself and for each call into it, without what the host takes for its answers. Default 5 s. */
  readonly time?: Duration.Input | undefined
  /** Bytes that a script may hand over at once; each value counts for 16 more. Default 16 MiB. */
  readonly transfer?: number | undefined
}

/**
 * What the host says to a call: its result, or what went wrong as a table (`error_code`, `error`).
 *
 * @category models
 * @since 1.0.0
 */
export interface Answer {
  readonly ok: boolean
  readonly value: LuaValue.LuaValue
}

/**
 * What a script can call.
 *
 * @category models
 * @since 1.0.0
 */
export interface Host<R = never> {
  /** Methods, `messages.sendEncryptedService`: the script has tables of them, called with one table of parameters. */
  readonly methods: ReadonlyArray<string>
  readonly call: (method: string, params: LuaValue.LuaValue) => Effect.Effect<Answer, never, R>
  /** Functions in snake_case; the script has them in camelCase as well. */
  readonly functions: ReadonlyArray<string>
  readonly apply: (name: string, args: ReadonlyArray<LuaValue.LuaValue>) => Effect.Effect<Answer, never, R>
  /** A line that the script printed. */
  readonly print: (line: string) => Effect.Effect<void, never, R>
}

/**
 * @category models
 * @since 1.0.0
 */
export interface Options<R = never> {
  readonly host: Host<R>
  readonly limits?: Limits | undefined
  /** Whether what goes wrong in a call is raised, not returned. Default `false`. */
  readonly strict?: boolean | undefined
}

/**
 * A runtime. Its operations wait for each other.
 *
 * @category models
 * @since 1.0.0
 */
export interface LuaVm {
  /** Runs a script; what it leaves behind is there for the calls that follow. */
  readonly load: (
    script: { readonly name: string; readonly source: string | Uint8Array }
  ) => Effect.Effect<void, LuaError>
  /** Calls a global function. */
  readonly call: (
    name: string,
    ...args: ReadonlyArray<LuaValue.LuaValue>
  ) => Effect.Effect<ReadonlyArray<LuaValue.LuaValue>, LuaError>
  /** The value of a global. */
  readonly get: (name: string) => Effect.Effect<LuaValue.LuaValue, LuaError>
  readonly set: (name: string, value: LuaValue.LuaValue) => Effect.Effect<void, LuaError>
  /** Whether there is a function for updates: `madeline_update_callback` or `tdcli_update_callback`. */
  readonly listens: Effect.Effect<boolean, LuaError>
  /** Calls the function for updates, if there is one. */
  readonly deliver: (update: LuaValue.LuaValue) => Effect.Effect<void, LuaError>
  /** Whether the runtime is at its end. */
  readonly ended: Effect.Effect<boolean>
}

// ----- making one

const mebibyte = 2 ** 20
const startTime = 60_000

type Incoming = Report | { readonly tag: "gone"; readonly why: string }

/**
 * Starts a runtime; it ends with the scope.
 *
 * @category constructors
 * @since 1.0.0
 */
export const make: <R = never>(options: Options<R>) => Effect.Effect<LuaVm, LuaError, R | Scope.Scope> = Effect
  .fnUntraced(
    function*<R>(options: Options<R>) {
      const { host, strict = false } = options
      const limits = {
        memory: Math.max(16 * mebibyte, options.limits?.memory ?? 64 * mebibyte),
        instructions: options.limits?.instructions ?? 100_000_000,
        transfer: options.limits?.transfer ?? 16 * mebibyte
      }
      const time = Duration.toMillis(Duration.fromInputUnsafe(options.limits?.time ?? "5 seconds"))
      const context = yield* Effect.context<R>()
      let name = "script"
      const error = (
        fields: Omit<ConstructorParameters<typeof LuaError>[0], "script">
      ) => new LuaError({ script: name, ...fields })

      const thread = yield* Effect.acquireRelease(
        Effect.try({
          try: () => Thread.start({ limits, methods: host.methods, functions: host.functions, strict }),
          catch: (cause) => error({ kind: "host", detail: `Lua could not be started: ${String(cause)}` })
        }),
        (thread) => Effect.promise(thread.end)
      )
      let hasEnded = false
      const end = Effect.suspend(() => {
        hasEnded = true
        return Effect.promise(thread.end)
      })

      const fail = ({ detail, fatal, kind, limit, line, traceback }: Failed): Effect.Effect<never, LuaError> =>
        Effect.andThen(
          fatal ? end : Effect.void,
          Effect.fail(error({
            kind,
            detail: LuaValue.toDisplay(detail),
            ...line === undefined ? {} : { line },
            ...limit === undefined ? {} : { limit },
            ...traceback === undefined ? {} : { traceback: LuaValue.toDisplay(traceback) }
          }))
        )

      const gone = (why: string): Effect.Effect<never, LuaError> => {
        hasEnded = true
        return Effect.fail(
          why.includes("memory limit")
            ? error({ kind: "limit", limit: "memory", detail: "more memory than its thread has" })
            : error({ kind: "host", detail: `The thread of the script is gone: ${why}` })
        )
      }

      const next = (left: number): Effect.Effect<Incoming, LuaError> =>
        Effect.callback<Incoming>((resume) => thread.listen((report) => resume(Effect.succeed(report)))).pipe(
          Effect.timeoutOrElse({
            duration: Math.max(1, left),
            orElse: () =>
              fail({
                tag: "failed",
                kind: "limit",
                limit: "time",
                detail: `more than ${time / 1000} s of computing`,
                fatal: true,
                ...thread.line() > 0 ? { line: thread.line() } : {}
              })
          })
        )

      const answered = (
        effect: Effect.Effect<Answer, never, R>
      ): Effect.Effect<Answer> =>
        Effect.exit(Effect.provideContext(effect, context)).pipe(Effect.flatMap((exit) =>
          Exit.isSuccess(exit)
            ? Effect.succeed(exit.value)
            : Cause.hasInterruptsOnly(exit.cause)
            ? Effect.failCause(exit.cause)
            : Effect.as(
              Effect.logError("A function for Lua has a defect", exit.cause),
              { ok: false, value: LuaValue.table({ error_code: 500n, error: "Internal error of the host" }) }
            )
        ))

      const answer = (
        request: Report & { readonly tag: "request" }
      ): Effect.Effect<Answer> => {
        const { args } = request
        switch (request.name) {
          case "time":
            return Effect.map(Clock.currentTimeMillis, (now) => ({ ok: true, value: BigInt(Math.floor(now / 1000)) }))
          case "print":
            return answered(Effect.as(
              host.print(LuaValue.toDisplay(typeof args[0] === "string" ? args[0] : "")),
              { ok: true, value: null }
            ))
          case "call":
            return answered(host.call(args[0] as string, args[1] ?? null))
          default:
            return answered(host.apply(args[0] as string, args.slice(1)))
        }
      }

      const work = Effect.fnUntraced(function*(
        order: Order | undefined
      ): Effect.fn.Return<ReadonlyArray<LuaValue.LuaValue>, LuaError> {
        if (hasEnded) return yield* error({ kind: "host", detail: "The runtime of the script is at its end" })
        if (order !== undefined) thread.tell(order)
        // Starting a thread is not the script's doing, and takes long where much else goes on.
        let left = order === undefined ? Math.max(time, startTime) : time
        for (;;) {
          const since = yield* Clock.currentTimeMillis
          const report = yield* next(left)
          left -= (yield* Clock.currentTimeMillis) - since
          switch (report.tag) {
            case "ready":
              return []
            case "done":
              return report.values
            case "failed":
              return yield* fail(report)
            case "gone":
              return yield* gone(report.why)
            case "request":
              thread.tell({ tag: "answer", ...yield* answer(report) })
          }
        }
      })

      const mutex = yield* Semaphore.make(1)
      // Who leaves in the middle leaves a script that waits for an answer for ever.
      const does = (order: Order | undefined): Effect.Effect<ReadonlyArray<LuaValue.LuaValue>, LuaError> =>
        mutex.withPermit(Effect.onInterrupt(work(order), () => end))

      yield* does(undefined)
      return {
        load: (script) =>
          Effect.suspend(() => {
            name = displayName(script.name)
            return Effect.asVoid(does({
              tag: "load",
              source: typeof script.source === "string"
                ? LuaValue.fromText(script.source)
                : LuaValue.fromBytes(script.source),
              name: LuaValue.fromText(name)
            }))
          }),
        call: (name, ...args) => does({ tag: "call", name, args }),
        get: (name) => Effect.map(does({ tag: "get", name }), ([value]) => value ?? null),
        set: (name, value) => Effect.asVoid(does({ tag: "set", name, value })),
        listens: Effect.map(does({ tag: "internal", name: "listens", args: [] }), ([value]) => value === true),
        deliver: (update) => Effect.asVoid(does({ tag: "internal", name: "deliver", args: [update] })),
        ended: Effect.sync(() => hasEnded)
      } satisfies LuaVm
    }
  )

/** Lua cuts names of scripts at 59 bytes; what comes before the last slash is of no interest in a message. */
const displayName = (name: string): string => {
  const last = name.slice(Math.max(name.lastIndexOf("/"), name.lastIndexOf("\\")) + 1)
  return (last === "" ? "script" : last).replace(/[^\x20-\x7e]/g, "_").slice(-50)
}
