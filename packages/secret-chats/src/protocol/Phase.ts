/**
 * Where the life of a chat stands.
 *
 * ```
 * New -> Requesting -> Waiting -> Agreeing -> Ready -> Closed      (creator)
 * New -> Requested -> Accepting -> Confirming -> Ready -> Closed   (acceptor)
 * ```
 *
 * @since 1.0.0
 */
import * as Schema from "effect/Schema"
import { CloseReason } from "./Events.ts"
import { ChatKey, KeyPair } from "./Keys.ts"

/**
 * - `New`: nothing has happened
 * - `Requesting`: the user asks somebody; a key pair is being made
 * - `Waiting`: the request is stored, and sent until the server answers (`known`)
 * - `Agreeing`: the peer has answered, the key is being computed
 * - `Requested`: somebody asks, the user decides
 * - `Accepting`: the user said yes, the key is being computed
 * - `Confirming`: the key is stored, and the server is told until it answers.
 *   `attempts` counts the runs of the program that told it; `uncertain` is set
 *   when the server says that the chat was accepted before, which may have been
 *   us; it is asked whether it lets us into the chat then
 * - `Ready`
 * - `Closed`: `discard` is set while the server has still to be told
 *
 * @since 1.0.0
 * @category models
 */
export const Phase = Schema.Union([
  Schema.TaggedStruct("New", {}),
  Schema.TaggedStruct("Requesting", {}),
  Schema.TaggedStruct("Waiting", { own: KeyPair, known: Schema.Boolean }),
  Schema.TaggedStruct("Agreeing", { own: KeyPair, peerValue: Schema.Uint8Array, fingerprint: Schema.BigInt }),
  Schema.TaggedStruct("Requested", { peerValue: Schema.Uint8Array }),
  Schema.TaggedStruct("Accepting", { peerValue: Schema.Uint8Array }),
  Schema.TaggedStruct("Confirming", {
    publicValue: Schema.Uint8Array,
    key: ChatKey,
    attempts: Schema.Int,
    uncertain: Schema.Boolean
  }),
  Schema.TaggedStruct("Ready", {}),
  Schema.TaggedStruct("Closed", { reason: CloseReason, discard: Schema.Boolean, deleteHistory: Schema.Boolean })
])

/**
 * @since 1.0.0
 * @category models
 */
export type Phase = typeof Phase.Type

/**
 * Every secret in it.
 *
 * @since 1.0.0
 * @category queries
 */
export const secrets = (phase: Phase): ReadonlyArray<Uint8Array> => {
  switch (phase._tag) {
    case "Waiting":
    case "Agreeing":
      return [phase.own.secret]
    case "Confirming":
      return [phase.key.bytes]
    default:
      return []
  }
}
