/**
 * One TDLib and one of us, at one table: what most scenarios play with.
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Checks from "./Checks.ts"
import { check } from "./Checks.ts"
import * as OurChat from "./OurChat.ts"
import * as Peer from "./Peer.ts"
import * as TdChat from "./TdChat.ts"
import { type Client, Tdlib } from "./Tdlib.ts"
import { type Account, World } from "./World.ts"

/** Both ends of one chat. */
export interface Pairing {
  readonly ours: OurChat.OurChat
  readonly td: TdChat.TdChat
}

/** The two sides, logged in, and new chats between them. */
export class Table extends Context.Service<Table, {
  readonly ours: Peer.Peer
  readonly accounts: { readonly ours: Account; readonly tdlib: Account }
  readonly tdlib: Client
  /** A ready chat which TDLib asked for. */
  readonly tdlibCreates: (purpose?: string) => Effect.Effect<Pairing, Checks.CheckFailed, Checks.Checks>
  /** A ready chat which we asked for. */
  readonly weCreate: (purpose?: string) => Effect.Effect<Pairing, Checks.CheckFailed, Checks.Checks>
}>()("@effect-mtproto/interop-tdlib/Table") {}

const make = Effect.fnUntraced(function*(purpose: string) {
  const world = yield* World
  const library = yield* Tdlib
  const tdlibAccount = yield* world.account("Tess")
  const oursAccount = yield* world.account("Olga")
  const tdlib = yield* check(
    `${purpose}: TDLib logs in`,
    Effect.flatMap(world.tdlib(`${purpose}-tdlib`, tdlibAccount), library.client),
    "30 seconds"
  )
  const ours = yield* check(
    `${purpose}: we log in`,
    Peer.make(world.ours(`${purpose}-ours`, oursAccount)),
    "30 seconds"
  )
  return Table.of({
    ours,
    tdlib,
    accounts: { ours: oursAccount, tdlib: tdlibAccount },
    tdlibCreates: (detail = "") =>
      check(
        `${purpose}: a chat that TDLib created${detail}`,
        Effect.gen(function*() {
          const td = yield* TdChat.request(tdlib, oursAccount.phone)
          const chat = yield* OurChat.requested(ours, td.secretChatId)
          yield* OurChat.accept(chat)
          yield* OurChat.ready(chat)
          yield* TdChat.ready(tdlib, td.secretChatId)
          return { ours: chat, td }
        })
      ),
    weCreate: (detail = "") =>
      check(
        `${purpose}: a chat that we created${detail}`,
        Effect.gen(function*() {
          const chat = yield* OurChat.request(ours, tdlibAccount.phone)
          const td = yield* TdChat.incoming(tdlib, chat.id)
          yield* TdChat.ready(tdlib, chat.id)
          yield* OurChat.ready(chat)
          return { ours: chat, td }
        })
      )
  })
})

/** Both sides log in when the layer is built and leave when its scope ends. `purpose` names their files and checks. */
export const layer = (purpose: string) => Layer.effect(Table, make(purpose))
