/** An account whose sessions and secret chats are sealed in one SQLite file, against a server on this machine. */
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import { layerSealedSql, SecretChatStore } from "@effect-mtproto/secret-chats/SecretChatStore"
import * as SqliteClient from "@effect-mtproto/sql-sqlite/SqliteClient"
import * as MtprotoTransport from "@effect-mtproto/transport/MtprotoTransport"
import * as SessionStore from "@effect-mtproto/transport/SessionStore"
import * as SqlVault from "@effect-mtproto/transport/SqlVault"
import { Transport } from "@effect-mtproto/transport/Transport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"

export interface Address {
  readonly host: string
  readonly port: number
  readonly dcId: number
  readonly publicKeyPem: string
}

/** What happens around every commit, and around every call that sends. */
export interface Hooks {
  readonly commit?: (when: "before" | "after") => void
  readonly call?: (when: "before" | "after") => void
}

const vault = SqlVault.layer({ key: Redacted.make(new Uint8Array(32).fill(7)) })

const hookedStore = (hooks: Hooks) =>
  Layer.effect(
    SecretChatStore,
    Effect.map(SecretChatStore, (store) =>
      SecretChatStore.of({
        ...store,
        commit: (write) =>
          Effect.suspend(() => {
            hooks.commit?.("before")
            return Effect.tap(store.commit(write), () => Effect.sync(() => hooks.commit?.("after")))
          })
      }))
  ).pipe(Layer.provide(layerSealedSql()))

const hookedTransport = (address: Address, hooks: Hooks) =>
  Layer.effect(
    Transport,
    Effect.map(Transport, (transport) => {
      const invoke: Transport["Service"]["invoke"] = (request, options) =>
        request._tag.startsWith("messages.sendEncrypted")
          ? Effect.suspend(() => {
            hooks.call?.("before")
            return Effect.tap(transport.invoke(request, options), () => Effect.sync(() => hooks.call?.("after")))
          })
          : transport.invoke(request, options)
      return Transport.of({ ...transport, invoke })
    })
  ).pipe(Layer.provideMerge(MtprotoTransport.layer({
    apiId: 12345,
    apiHash: Redacted.make("0123456789abcdef0123456789abcdef"),
    datacenters: [{ id: address.dcId, host: address.host, port: address.port }],
    publicKeys: [address.publicKeyPem]
  })))

export const layer = (address: Address, filename: string, options: SecretChats.Options = {}, hooks: Hooks = {}) =>
  layerApart(address, filename, filename, options, hooks)

/** The same with the sessions in a file of their own. */
export const layerApart = (
  address: Address,
  filename: string,
  sessions: string,
  options: SecretChats.Options = {},
  hooks: Hooks = {}
) =>
  SecretChats.layer(options).pipe(
    Layer.provideMerge(hookedStore(hooks)),
    Layer.provide(vault),
    Layer.provide(SqliteClient.layer({ filename })),
    Layer.provideMerge(
      hookedTransport(address, hooks).pipe(
        Layer.provide(SessionStore.layerSealedSql()),
        Layer.provide(Layer.fresh(vault)),
        Layer.provide(SqliteClient.layer({ filename: sessions }))
      )
    ),
    Layer.provideMerge(NodeCrypto.layer)
  )
