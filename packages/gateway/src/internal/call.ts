/** One call of a method, as operations see it. */
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import type { Vault } from "@effect-mtproto/crypto/Vault"
import type * as Effect from "effect/Effect"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import type * as Scope from "effect/Scope"
import type { GatewayOptions } from "../GatewayOptions.ts"
import type { GatewayStore, Session } from "../GatewayStore.ts"
import type { Params } from "../Params.ts"
import type { Sessions } from "../Sessions.ts"
import type { File } from "./body.ts"
import type { Turn } from "./gate.ts"
import type { Webhooks } from "./webhooks.ts"

/** What operations work with. */
export interface Gateway {
  readonly crypto: Crypto["Service"]
  readonly vault: Vault["Service"]
  readonly options: GatewayOptions["Service"]
  readonly store: GatewayStore["Service"]
  readonly sessions: Sessions["Service"]
  readonly webhooks: Webhooks
  /** Opens when the gateway is about to stop: whoever waits for updates is sent home. */
  readonly stopping: Effect.Effect<void>
  /** Forgets what is remembered of who a token belongs to. */
  readonly forgetToken: (sessionId: string) => void
}

export interface Call {
  readonly session: Session
  readonly params: Params
  readonly file: File | undefined
  readonly request: HttpServerRequest.HttpServerRequest | undefined
  /** Lives until the answer has been sent. */
  readonly scope: Scope.Scope
  /** The place in the order of what is sent; taken when the request had been read. */
  readonly turn: Turn
  /** For a request with an `Idempotency-Key`: what its message is called. */
  readonly randomId: bigint | undefined
}

export type Answer =
  | { readonly _tag: "Json"; readonly value: unknown }
  | { readonly _tag: "Response"; readonly response: HttpServerResponse.HttpServerResponse }

export const json = (value: unknown): Answer => ({ _tag: "Json", value })
export const response = (value: HttpServerResponse.HttpServerResponse): Answer => ({
  _tag: "Response",
  response: value
})

/** Errors of operations are of many kinds; `Failure.fromError` knows them all. */
export type Operation = (gateway: Gateway, call: Call) => Effect.Effect<Answer, unknown>
