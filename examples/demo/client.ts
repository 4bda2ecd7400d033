/**
 * One account: everything that a program needs to hold secret chats, with all of its state in one SQLite file.
 */
import { NodeCrypto } from "@effect-mtproto/crypto"
import { SecretChats, SecretChatStore } from "@effect-mtproto/secret-chats"
import { SqliteClient } from "@effect-mtproto/sql-sqlite"
import type { TestServer } from "@effect-mtproto/test-server"
import { MtprotoTransport, SessionStore } from "@effect-mtproto/transport"
import { Layer, ManagedRuntime, Redacted } from "effect"

/** Crypto, Transport and SecretChatStore, and SecretChats on top of them. */
const layer = (server: TestServer.TestServer["Service"], filename: string) =>
  SecretChats.layer({ accept: "ask" }).pipe(
    Layer.provideMerge(SecretChatStore.layerSql()),
    Layer.provideMerge(MtprotoTransport.layer({
      apiId: 12345,
      apiHash: Redacted.make("0123456789abcdef0123456789abcdef"),
      datacenters: [{ id: server.dcId, host: server.host, port: server.port }],
      publicKeys: server.publicKeys
    })),
    Layer.provide(SessionStore.layerSql()),
    Layer.provide(SqliteClient.layer({ filename })),
    Layer.provideMerge(NodeCrypto.layer)
  )

/** A runtime of its own for each account, as in two separate programs. */
export const open = (server: TestServer.TestServer["Service"], filename: string) =>
  ManagedRuntime.make(layer(server, filename))

export type Client = ReturnType<typeof open>
