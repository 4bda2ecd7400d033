/**
 * A vault whose wrapped master key is kept in the database that it protects: one small table, one row a vault.
 *
 * One layer, given to `SessionStore.layerSealedSql` and `SecretChatStore.layerSealedSql` of a program, serves both, and
 * the passphrase is stretched once.
 *
 * @since 1.0.0
 */
import * as NodeVault from "@effect-mtproto/crypto/NodeVault"
import { type Secret, secretConfig, Vault, VaultError } from "@effect-mtproto/crypto/Vault"
import type * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as SqlClient from "effect/sql/SqlClient"
import type * as SqlError from "effect/sql/SqlError"

/**
 * @since 1.0.0
 * @category models
 */
export interface Options {
  /** Tells several vaults in one database apart. Default `"default"`. */
  readonly name?: string | undefined
}

const unavailable = <A>(effect: Effect.Effect<A, SqlError.SqlError>): Effect.Effect<A, VaultError> =>
  Effect.mapError(
    effect,
    (cause) => new VaultError({ reason: "unavailable", description: "The vault's database failed", cause })
  )

/**
 * The storage for `NodeVault.make`. Makes the table if there is none.
 *
 * @since 1.0.0
 * @category constructors
 */
export const storage = Effect.fnUntraced(function*(
  options?: Options
): Effect.fn.Return<NodeVault.Storage, VaultError, SqlClient.SqlClient> {
  const sql = (yield* SqlClient.SqlClient).withoutTransforms()
  const name = options?.name ?? "default"
  yield* unavailable(Effect.retry(
    sql`CREATE TABLE IF NOT EXISTS mtproto_vault (name TEXT NOT NULL PRIMARY KEY, entry TEXT NOT NULL)`,
    // PostgreSQL fails one of two programs that do this at the same time.
    { times: 2 }
  ))
  return {
    read: Effect.flatMap(
      unavailable(sql<{ readonly entry: unknown }>`SELECT entry FROM mtproto_vault WHERE name = ${name}`),
      (rows): Effect.Effect<string | undefined, VaultError> => {
        const entry = rows[0]?.entry
        return entry === undefined || typeof entry === "string"
          ? Effect.succeed(entry)
          : Effect.fail(
            new VaultError({ reason: "corrupt", description: "What is stored is not the entry of a vault" })
          )
      }
    ),
    insert: (entry) =>
      Effect.asVoid(unavailable(
        sql`INSERT INTO mtproto_vault (name, entry) VALUES (${name}, ${entry}) ON CONFLICT DO NOTHING`
      )),
    replace: (previous, next) =>
      Effect.map(
        unavailable(
          sql`UPDATE mtproto_vault SET entry = ${next} WHERE name = ${name} AND entry = ${previous} RETURNING name`
        ),
        (rows) => rows.length === 1
      )
  }
})

/**
 * Opens the vault of a database, or makes one there.
 *
 * **Example** (Everything sealed, in one file)
 *
 * ```ts
 * const stores = Layer.merge(SessionStore.layerSealedSql(), SecretChatStore.layerSealedSql()).pipe(
 *   Layer.provide(SqlVault.layer({ passphrase: Redacted.make("correct horse battery staple") })),
 *   Layer.provide(SqliteClient.layer({ filename: "account.db" }))
 * )
 * ```
 *
 * @since 1.0.0
 * @category layers
 */
export const layer = (
  secret: Secret,
  options?: Options
): Layer.Layer<Vault, VaultError, SqlClient.SqlClient> =>
  Layer.effect(
    Vault,
    Effect.flatMap(storage(options), (kept) => NodeVault.make({ secret, storage: kept }))
  )

/**
 * The same with the secret from the configuration: by default `VAULT_KEY` or `VAULT_PASSPHRASE` of the environment.
 *
 * @since 1.0.0
 * @category layers
 */
export const layerConfig = (
  secret: Config.Config<Secret> = secretConfig,
  options?: Options
): Layer.Layer<Vault, VaultError | Config.ConfigError, SqlClient.SqlClient> =>
  Layer.unwrap(Effect.map(secret, (value) => layer(value, options)))
