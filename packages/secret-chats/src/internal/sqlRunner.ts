/**
 * Statements for two kinds of client.
 *
 * What the SQL store does is written as generators that yield statements and get rows back. A client that can carry out a
 * whole transaction in one go (`transactionSync` of `@effect-mtproto/sql-sqlite`) is driven synchronously: no fiber takes a
 * turn between two statements, and a statement costs what SQLite takes for it. Every other client is driven step by step.
 *
 * Parameters stand in the place of `?`, for PostgreSQL of `$1`, `$2`, and so on.
 *
 * @since 1.0.0
 */
import * as Effect from "effect/Effect"
import * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"

/** @internal */
export interface Statement {
  readonly text: string
  readonly params: ReadonlyArray<unknown>
}

/** @internal */
export type Row = { readonly [column: string]: unknown }

/** @internal */
export type Steps<A> = Generator<Statement, A, ReadonlyArray<Row>>

/** @internal */
export const statement = (text: string, ...params: ReadonlyArray<unknown>): Statement => ({ text, params })

/** @internal */
export interface Runner {
  readonly isPostgres: boolean
  /** One statement by itself. */
  readonly query: (statement: Statement) => Effect.Effect<ReadonlyArray<Row>, SqlError.SqlError>
  /** The steps as one transaction; they are begun again when that is tried again. */
  readonly transaction: <A>(steps: () => Steps<A>, mode: "read" | "write") => Effect.Effect<A, SqlError.SqlError>
}

type Execute = (text: string, params: ReadonlyArray<unknown>) => ReadonlyArray<Row>

/** The part of `SqliteClient` that is used here. */
interface Synchronous {
  readonly statementSync: (
    text: string,
    params: ReadonlyArray<unknown>
  ) => Effect.Effect<ReadonlyArray<Row>, SqlError.SqlError>
  readonly transactionSync: <A>(
    body: (execute: Execute) => A,
    mode: "read" | "write"
  ) => Effect.Effect<A, SqlError.SqlError>
}

const isSynchronous = (client: object): client is Synchronous =>
  "transactionSync" in client && "statementSync" in client

const drive = <A>(steps: Steps<A>, execute: Execute): A => {
  let step = steps.next()
  while (step.done !== true) step = steps.next(execute(step.value.text, step.value.params))
  return step.value
}

/** `?` as `$1`, `$2`, and so on; by text, for there are few of them. */
const numbered = (): (text: string) => string => {
  const known = new Map<string, string>()
  return (text) => {
    let found = known.get(text)
    if (found === undefined) {
      let n = 0
      known.set(text, found = text.replaceAll("?", () => `$${++n}`))
    }
    return found
  }
}

/** @internal */
export const make = (client: SqlClient.SqlClient): Runner => {
  const sql = client.withoutTransforms()
  const isPostgres = sql.onDialectOrElse({ pg: () => true, orElse: () => false })
  if (isSynchronous(sql)) {
    return {
      isPostgres,
      query: ({ params, text }) => sql.statementSync(text, params),
      transaction: (steps, mode) => sql.transactionSync((execute) => drive(steps(), execute), mode)
    }
  }
  const spelled = isPostgres ? numbered() : (text: string) => text
  // 64-bit columns are read as bigints; small ones are turned back by the readers.
  const exact = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.provideService(effect, SqlClient.SafeIntegers, true)
  const execute = ({ params, text }: Statement): Effect.Effect<ReadonlyArray<Row>, SqlError.SqlError> =>
    sql.unsafe<Row>(spelled(text), params)
  return {
    isPostgres,
    query: (one) => exact(execute(one)),
    transaction: (steps) =>
      exact(sql.withTransaction(Effect.gen(function*() {
        const running = steps()
        let step = running.next()
        while (step.done !== true) step = running.next(yield* execute(step.value))
        return step.value
      })))
  }
}
