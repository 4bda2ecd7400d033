/** A server that is stopped and started again on its database, at the same port. */
import * as SqliteClient from "@effect-mtproto/sql-sqlite/SqliteClient"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as SqlClient from "effect/sql/SqlClient"
import type { Judge } from "./Judge.ts"

/** A judge whose server is another one, and can be started again. */
export interface Restartable extends Judge {
  readonly stop: () => Promise<void>
  /** Starts it again; gives the judge for the server that runs then. */
  readonly start: () => Promise<Restartable>
}

/** Starts such a server. */
export const make = async (judge: Judge): Promise<Restartable> => {
  const { dcId } = judge.server
  const database = await judge.open(Layer.build(SqliteClient.layer({ filename: ":memory:" })))
  let scope = Scope.makeUnsafe()
  const stop = (): Promise<void> => Effect.runPromise(Scope.close(scope, Exit.void))
  judge.atEnd(stop)
  const start = async (port: number): Promise<Restartable> => {
    scope = Scope.makeUnsafe()
    const server = await judge.run(
      Scope.provide(TestServer.makeSql({ dcId, port }), scope).pipe(
        Effect.provideService(SqlClient.SqlClient, Context.get(database, SqlClient.SqlClient))
      )
    )
    return {
      ...judge,
      server,
      account: (options) =>
        judge.run(Effect.gen(function*() {
          const { phone } = yield* Effect.promise(() => judge.account())
          const { id } = yield* server.createAccount({ firstName: judge.name, ...options, phone })
          return { id, phone, code: yield* server.loginCode(phone) }
        })),
      called: async ({ phone }, method) => {
        for (;;) {
          const calls = await judge.run(server.calls(method))
          if (calls.some((call) => call.phone === phone)) return
          await judge.run(server.awaitCalls(method, calls.length + 1))
        }
      },
      stop,
      start: () => start(server.port)
    }
  }
  return start(0)
}
