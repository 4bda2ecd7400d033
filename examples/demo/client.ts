/**
 * One account: everything that a program needs to hold secret chats, with all of its state sealed in one SQLite file.
 */
import { NodeCrypto } from "@effect-mtproto/crypto"
import { SecretChats, SecretChatStore } from "@effect-mtproto/secret-chats"
import { SqliteClient } from "@effect-mtproto/sql-sqlite"
import type { TestServer } from "@effect-mtproto/test-server"
import { MtprotoTransport, SessionStore, SqlVault } from "@effect-mtproto/transport"
import { Layer, ManagedRuntime, Redacted } from "effect"

// A program for people asks for it; one for machines reads it from the environment, with `SqlVault.layerConfig()`.
const passphrase = Redacted.make("correct horse battery staple")

/** Crypto, Transport and SecretChatStore, and SecretChats on top of them. */
const layer = (server: TestServer.TestServer["Service"], filename: string) =>
  SecretChats.layer({ accept: "ask" }).pipe(
    Layer.provideMerge(SecretChatStore.layerSealedSql()),
    Layer.provideMerge(MtprotoTransport.layer({
      apiId: 12345,
      apiHash: Redacted.make("0123456789abcdef0123456789abcdef"),
      datacenters: [{ id: server.dcId, host: server.host, port: server.port }],
      publicKeys: server.publicKeys
    })),
    Layer.provide(SessionStore.layerSealedSql()),
    Layer.provide(SqlVault.layer({ passphrase })),
    Layer.provide(SqliteClient.layer({ filename })),
    Layer.provideMerge(NodeCrypto.layer)
  )

/** A runtime of its own for each account, as in two separate programs. */
export const open = (server: TestServer.TestServer["Service"], filename: string) =>
  ManagedRuntime.make(layer(server, filename))

export type Client = ReturnType<typeof open>
