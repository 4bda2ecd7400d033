/**
 * What a client has to remember between two runs: the authorization keys, which
 * data centre the account lives in, and how far it has come with the updates.
 *
 * Laws every store keeps:
 *
 * 1. Every operation is atomic, and when its effect has succeeded, its result
 *    survives a crash of the process (of the memory store: nothing does).
 * 2. What was written is read again exactly.
 * 3. One store belongs to one client at a time, which holds its `lock`. Two clients
 *    that use one authorization key at the same time make the server revoke it
 *    (`AUTH_KEY_DUPLICATED`), and all secret chats of the account on this device
 *    are lost with it.
 * 4. The update state belongs to the user: when `setAccount` names another user
 *    than before, it is forgotten.
 * 5. A store never gives up an authorization key unless it is told to.
 *
 * Authorization keys are `Redacted`: they cannot get into logs or errors by
 * accident. `layerSql` seals all that it stores with the program's `Vault`;
 * `layerUnsealedSql` stores it as it is, readable for whoever gets hold of the
 * database.
 *
 * @since 1.0.0
 */
import { Vault } from "@effect-mtproto/crypto/Vault"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as SqlClient from "effect/sql/SqlClient"
import * as Lock from "./internal/sessionLock.ts"
import * as Sealed from "./internal/sessionStoreSealed.ts"
import * as Sql from "./internal/sessionStoreSql.ts"
import type { Salt } from "./Session.ts"
import { TransportError } from "./Transport.ts"
import type { State } from "./Updates.ts"

/**
 * The store could not do what it was asked.
 *
 * - `unavailable`: the database failed.
 * - `corrupt`: what is stored is not what was once written.
 * - `locked`: another program uses the session, or has taken it over.
 * - `newer`: the database was written by a newer version of this software.
 *
 * @since 1.0.0
 * @category errors
 */
export class SessionStoreError extends Schema.TaggedError<SessionStoreError>()("SessionStoreError", {
  reason: Schema.Literals(["unavailable", "corrupt", "newer", "locked"]),
  operation: Schema.String,
  /** The number of the process that holds the lock, if it is known. */
  holder: Schema.optionalKey(Schema.Int),
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message(): string {
    switch (this.reason) {
      case "unavailable":
        return `The session store failed to ${this.operation}`
      case "corrupt":
        return `The session store holds something unreadable (${this.operation})`
      case "locked":
        return `Another program${
          this.holder === undefined ? "" : ` (process ${this.holder})`
        } uses this session. Two at the same time would make Telegram end the login, and all secret chats with it`
      case "newer":
        return "The session store was written by a newer version of this software"
    }
  }
}

/**
 * The same with the store's errors as those of a transport: for implementations of
 * `Transport`.
 *
 * @since 1.0.0
 * @category errors
 */
export const orTransportError = <A, R>(
  effect: Effect.Effect<A, TransportError | SessionStoreError, R>
): Effect.Effect<A, TransportError, R> =>
  Effect.catchTag(
    effect,
    "SessionStoreError",
    (cause) =>
      Effect.fail(
        new TransportError({ reason: cause.reason === "locked" ? "locked" : "store", detail: cause.message, cause })
      )
  )

/**
 * Where the account lives, and whose it is.
 *
 * @since 1.0.0
 * @category models
 */
export interface Account {
  readonly dc: number
  /** Absent before the login. */
  readonly userId?: bigint | undefined
}

/**
 * An authorization key and what belongs to it.
 *
 * @since 1.0.0
 * @category models
 */
export interface AuthKey {
  /** 256 bytes. */
  readonly key: Redacted.Redacted<Uint8Array>
  /** Unix time, in seconds. */
  readonly createdAt: number
  /** The server's clock minus ours, in milliseconds. */
  readonly timeOffset: number
  readonly salts: ReadonlyArray<Salt>
}

/**
 * The right to use a session, until the scope closes or it is lost.
 *
 * @since 1.0.0
 * @category models
 */
export interface Lease {
  /**
   * Fails when the lease is lost, because somebody else has taken the session over
   * while this program was frozen or could not reach the database.
   */
  readonly lost: Effect.Effect<never, SessionStoreError>
}

/**
 * @since 1.0.0
 * @category services
 */
export class SessionStore extends Context.Service<SessionStore, {
  readonly account: Effect.Effect<Account | undefined, SessionStoreError>
  readonly setAccount: (account: Account) => Effect.Effect<void, SessionStoreError>
  readonly authKey: (dc: number) => Effect.Effect<AuthKey | undefined, SessionStoreError>
  readonly setAuthKey: (dc: number, key: AuthKey) => Effect.Effect<void, SessionStoreError>
  readonly removeAuthKey: (dc: number) => Effect.Effect<void, SessionStoreError>
  /** Replaces salts and clock of a key that is in the store; otherwise does nothing. */
  readonly setSalts: (
    dc: number,
    salts: ReadonlyArray<Salt>,
    timeOffset: number
  ) => Effect.Effect<void, SessionStoreError>
  readonly updateState: Effect.Effect<State | undefined, SessionStoreError>
  readonly setUpdateState: (state: State) => Effect.Effect<void, SessionStoreError>
  /** Forgets everything but who holds the lock. */
  readonly clear: Effect.Effect<void, SessionStoreError>
  /**
   * Takes the session for this client. Fails with `locked` if another one has it;
   * takes over from one that has shown no life for 15 seconds.
   */
  readonly lock: Effect.Effect<Lease, SessionStoreError, Scope.Scope>
}>()("@effect-mtproto/transport/SessionStore") {}

/**
 * A store that lives as long as its layer. Every use of the layer has its own.
 *
 * @since 1.0.0
 * @category layers
 */
export const layerMemory: Layer.Layer<SessionStore> = Layer.effect(
  SessionStore,
  Effect.sync(() => {
    let account: Account | undefined
    let state: State | undefined
    const keys = new Map<number, AuthKey>()
    let isLocked = false
    return SessionStore.of({
      lock: Effect.acquireRelease(
        Effect.suspend(() => {
          if (isLocked) return Effect.fail(Lock.locked(SessionStoreError))
          isLocked = true
          return Effect.succeed({ lost: Effect.never })
        }),
        () =>
          Effect.sync(() => {
            isLocked = false
          })
      ),
      account: Effect.sync(() => account),
      setAccount: (value) =>
        Effect.sync(() => {
          if (account?.userId !== value.userId) state = undefined
          account = value.userId === undefined ? { dc: value.dc } : { dc: value.dc, userId: value.userId }
        }),
      authKey: (dc) => Effect.sync(() => keys.get(dc)),
      setAuthKey: (dc, key) =>
        Effect.sync(() => {
          keys.set(dc, { ...key, key: Redacted.make(Redacted.value(key.key).slice(), { label: "authKey" }) })
        }),
      removeAuthKey: (dc) =>
        Effect.sync(() => {
          keys.delete(dc)
        }),
      setSalts: (dc, salts, timeOffset) =>
        Effect.sync(() => {
          const key = keys.get(dc)
          if (key !== undefined) keys.set(dc, { ...key, salts, timeOffset })
        }),
      updateState: Effect.sync(() => state),
      setUpdateState: ({ date, pts, qts, seq }) =>
        Effect.sync(() => {
          state = { pts, qts, date, seq }
        }),
      clear: Effect.sync(() => {
        account = undefined
        state = undefined
        keys.clear()
      })
    })
  })
)

/**
 * A store in an SQL database (SQLite or PostgreSQL), with everything sealed: keys,
 * salts, whose account it is, how far it has come. Entries that were altered, moved
 * to another place or sealed by another vault are `corrupt`. Only `name` and the
 * kinds of entries can be read without the vault's secret.
 *
 * The tables are made, or brought up to date, when the layer is built; a database of
 * a newer version is refused and left alone. `name` tells several accounts in one
 * database apart.
 *
 * @since 1.0.0
 * @category layers
 */
export const layerSql = (
  options?: { readonly name?: string | undefined } | undefined
): Layer.Layer<SessionStore, SessionStoreError, SqlClient.SqlClient | Vault> =>
  Layer.effect(
    SessionStore,
    Effect.flatMap(Vault, (vault) => Sealed.make(options?.name ?? "default", vault, SessionStore.of, SessionStoreError))
  )

/**
 * `layerSql`, by the name that `SecretChatStore` has for what is sealed.
 *
 * @since 1.0.0
 * @category layers
 */
export const layerSealedSql: typeof layerSql = layerSql

/**
 * The same without a vault: whoever reads the database has the account. For tests,
 * and where the database itself is encrypted.
 *
 * It has a table of its own, and does not read what `layerSql` has written.
 *
 * @since 1.0.0
 * @category layers
 */
export const layerUnsealedSql = (
  options?: { readonly name?: string | undefined } | undefined
): Layer.Layer<SessionStore, SessionStoreError, SqlClient.SqlClient> =>
  Layer.effect(SessionStore, Sql.make(options?.name ?? "default", SessionStore.of, SessionStoreError))
