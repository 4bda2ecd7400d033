/**
 * The real TDLib, driven through `tdl`.
 *
 * `Tdlib` loads the patched library once for the process. `Tdlib.client` opens an account in a folder and logs in; the
 * client is closed, and its closing awaited, when the scope ends: a process that exits with a live TDLib crashes.
 * Every update of a client is kept, so that waiting for one cannot lose a race against it.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as tdl from "tdl"
import type * as Td from "tdlib-types"
import * as EventLog from "./EventLog.ts"
import * as Namespace from "./Namespace.ts"
import * as Parameters from "./Parameters.ts"
import { patient } from "./Patience.ts"

/** TDLib answered with an error. */
export class TdlibError extends Data.TaggedError("TdlibError")<{
  readonly method: string
  readonly code: number
  readonly message: string
}> {}

/** Who logs in, and where the client keeps its files. */
export interface ClientOptions {
  readonly name: string
  readonly directory: string
  readonly phone: string
  readonly code: string
}

/** Calls any method of TDLib. */
export type Invoke = <T extends Td.$FunctionName>(
  query: { readonly _: T } & Td.$FunctionInputByName[T]
) => Effect.Effect<Td.$FunctionResultByName[T], TdlibError>

/** One logged-in TDLib client. */
export interface Client {
  readonly name: string
  readonly userId: number
  readonly filesDirectory: string
  readonly invoke: Invoke
  /** Every update, from the start of the client. */
  readonly updates: EventLog.EventLog<Td.Update>
}

/** Opens TDLib clients. */
export class Tdlib extends Context.Service<Tdlib, {
  /** Path of the patched library. */
  readonly library: string
  readonly client: (
    options: ClientOptions
  ) => Effect.Effect<Client, TdlibError, Scope.Scope>
}>()("@effect-mtproto/interop-tdlib/Tdlib") {}

const failure = (method: string) => (cause: unknown) =>
  cause instanceof tdl.TDLibError
    ? new TdlibError({ method, code: cause.code, message: `${method}: ${cause.code} ${cause.message}` })
    : new TdlibError({ method, code: 0, message: `${method}: ${String(cause)}` })

const makeClient = (options: ClientOptions): Effect.Effect<Client, TdlibError, Scope.Scope> =>
  Effect.gen(function*() {
    const updates = EventLog.make<Td.Update>(options.name, (update) => update._)
    const parameters = Parameters.make(options.name, options.directory)

    const raw = yield* Effect.acquireRelease(
      Effect.sync(() => tdl.createClient(parameters)),
      (client) => Effect.promise(() => client.close().catch(() => undefined))
    )
    raw.on("update", updates.push)
    // errors reach the caller through the promises; the listener keeps Node from ending the process
    raw.on("error", () => undefined)

    // the compiler cannot compare two generic signatures over 900 methods, so the shape is stated once
    const call = raw.invoke as (query: { readonly _: string }) => Promise<unknown>
    const invoke = ((query: { readonly _: string }) =>
      Effect.tryPromise({
        try: () => call(query),
        catch: failure(query._)
      })) as Invoke

    yield* Effect.tryPromise({
      try: () =>
        raw.login({
          type: "user",
          getPhoneNumber: (retry) =>
            retry ? Promise.reject(new Error("phone number refused")) : Promise.resolve(options.phone),
          getAuthCode: (retry) => retry ? Promise.reject(new Error("code refused")) : Promise.resolve(options.code)
        }),
      catch: failure("login")
    }).pipe(
      Effect.timeoutOrElse({
        duration: patient("20 seconds"),
        orElse: () =>
          Effect.fail(new TdlibError({ method: "login", code: 0, message: `${options.name}: login takes too long` }))
      })
    )
    const me = yield* invoke({ _: "getMe" })
    yield* invoke(Parameters.stayOnline)

    return {
      name: options.name,
      userId: me.id,
      filesDirectory: parameters.filesDirectory,
      invoke,
      updates
    }
  })

/** Loads the patched library at `path`. Refuses unless the process lives in a loopback-only network. */
export const layer = (path: string): Layer.Layer<Tdlib, Namespace.NotIsolated> =>
  Layer.effect(
    Tdlib,
    Effect.gen(function*() {
      yield* Namespace.assertIsolated
      tdl.configure({ tdjson: path, verbosityLevel: Number(process.env["TDLIB_VERBOSITY"] ?? 0) })
      return { library: path, client: makeClient }
    })
  )
