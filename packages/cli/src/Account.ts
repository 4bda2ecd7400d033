/**
 * The account that a command works for: its login and its secret chats, sealed in one file.
 *
 * @since 1.0.0
 */
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import type { Secret, VaultError } from "@effect-mtproto/crypto/Vault"
import type { StoreError } from "@effect-mtproto/secret-chats/SecretChatError"
import * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import * as SecretChatStore from "@effect-mtproto/secret-chats/SecretChatStore"
import * as SqliteClient from "@effect-mtproto/sql-sqlite/SqliteClient"
import * as Login from "@effect-mtproto/transport/Login"
import * as MtprotoTransport from "@effect-mtproto/transport/MtprotoTransport"
import * as OtherUpdates from "@effect-mtproto/transport/OtherUpdates"
import * as SessionStore from "@effect-mtproto/transport/SessionStore"
import * as SqlVault from "@effect-mtproto/transport/SqlVault"
import type { Transport, TransportError } from "@effect-mtproto/transport/Transport"
import * as Prompt from "effect/cli/Prompt"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import type { SqlError } from "effect/sql/SqlError"
import * as Stdio from "effect/Stdio"

/**
 * Everything that an account is.
 *
 * @category models
 * @since 1.0.0
 */
export type Account =
  | Crypto
  | Transport
  | MtprotoTransport.MtprotoTransport
  | SecretChatStore.SecretChatStore
  | SecretChats.SecretChats
  | OtherUpdates.OtherUpdates

/**
 * @category models
 * @since 1.0.0
 */
export interface Options {
  /** The file; its folder is made if it is missing, for its owner only. */
  readonly file: string
  /** What opens it. */
  readonly secret: Secret
  readonly transport: MtprotoTransport.Options
  readonly accept: SecretChats.AcceptDecision
}

/**
 * The account in a file. What is in it can be read with the secret only.
 *
 * @category layers
 * @since 1.0.0
 */
export const layer = (
  { accept, file, secret, transport }: Options
): Layer.Layer<
  Account,
  PlatformError | SqlError | StoreError | TransportError | VaultError | SessionStore.SessionStoreError,
  FileSystem.FileSystem | Path.Path
> =>
  Layer.unwrap(Effect.gen(function*() {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    yield* fs.makeDirectory(path.dirname(path.resolve(file)), { recursive: true, mode: 0o700 })
    return SecretChats.layer({ accept }).pipe(
      Layer.provideMerge(SecretChatStore.layerSealedSql()),
      // a script that does not listen keeps nobody waiting
      Layer.provideMerge(OtherUpdates.layer({ unheard: 256 })),
      Layer.provideMerge(MtprotoTransport.layer(transport)),
      Layer.provide(SessionStore.layerSealedSql()),
      Layer.provide(SqlVault.layer(secret)),
      Layer.provide(SqliteClient.layer({ filename: file })),
      Layer.provideMerge(NodeCrypto.layer)
    )
  }))

/**
 * Nobody is logged in, and nobody is there to be asked.
 *
 * @category errors
 * @since 1.0.0
 */
export class NotLoggedIn extends Schema.TaggedError<NotLoggedIn>()("NotLoggedIn", {}) {
  override get message(): string {
    return "Nobody is logged in: run the command once in a terminal, which asks for the phone number and the code"
  }
}

const ask = (message: string) => Prompt.run(Prompt.Password({ message }))

/**
 * Logs in, if nobody is: asks for the phone number, the code and, if there is one, the password.
 *
 * @category login
 * @since 1.0.0
 */
export const logIn = Effect.gen(function*() {
  const client = yield* MtprotoTransport.MtprotoTransport
  if ((yield* client.account).userId !== undefined) return
  const { stdinIsTerminal } = yield* Stdio.Stdio
  if (!(yield* stdinIsTerminal)) return yield* new NotLoggedIn()
  const phone = yield* Prompt.run(Prompt.String({ message: "Phone number, as +1 555 0001" }))
  yield* Login.phone({
    phone: Redacted.make(phone),
    code: ({ attempt }) => ask(attempt === 1 ? "The code that Telegram has sent" : "That was not it. The code"),
    password: ({ hint }) => ask(hint === undefined ? "Password" : `Password (hint: ${hint})`)
  })
})
