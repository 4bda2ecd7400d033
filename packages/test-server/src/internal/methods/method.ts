/**
 * What a method of the API is made of on the server.
 */
import type * as Api from "@effect-mtproto/core/Api"
import type * as Effect from "effect/Effect"
import type { RpcFailure } from "../failure.ts"
import type { AuthKey, Authorization } from "../model.ts"
import type { Session } from "../session.ts"
import type { World } from "../world.ts"

/** The circumstances of a call. */
export interface Call {
  readonly world: World
  /** The key that the query was encrypted with; a temporary one speaks for another. */
  readonly key: AuthKey
  readonly session: Session
  readonly msgId: bigint
  /** Seconds of unix time. */
  readonly now: number
}

/** A call of somebody who is logged in. */
export interface UserCall extends Call {
  readonly authorization: Authorization
}

/**
 * Who may call: anyone, also before login; whoever is logged in; or people only,
 * not bots.
 */
export type Access = "anyone" | "user" | "person"

export interface Entry {
  readonly method: Api.AnyMethod
  readonly access: Access
  /** Whether it belongs to files: those are moved over sessions that want no updates, and do not shrink. */
  readonly forFiles: boolean
  readonly handle: (call: any, request: any) => unknown
}

type Answer<M extends Api.AnyMethod> = Api.Response<M> | RpcFailure

type Handler<C, M extends Api.AnyMethod> = (call: C, request: Api.Params<M>) => Answer<M>

/** Answers with an effect if it has to compute. */
type Computing<C, M extends Api.AnyMethod> = (call: C, request: Api.Params<M>) => Answer<M> | Effect.Effect<Answer<M>>

export const anyone = <M extends Api.AnyMethod>(method: M, handle: Handler<Call, M>): Entry => ({
  method,
  access: "anyone",
  forFiles: false,
  handle
})

export const user = <M extends Api.AnyMethod>(method: M, handle: Handler<UserCall, M>): Entry => ({
  method,
  access: "user",
  forFiles: false,
  handle
})

export const person = <M extends Api.AnyMethod>(method: M, handle: Handler<UserCall, M>): Entry => ({
  method,
  access: "person",
  forFiles: false,
  handle
})

/** A method that anyone may call, and that computes. */
export const anyoneComputing = <M extends Api.AnyMethod>(method: M, handle: Computing<Call, M>): Entry => ({
  method,
  access: "anyone",
  forFiles: false,
  handle
})

/** A method for people that computes. */
export const personComputing = <M extends Api.AnyMethod>(method: M, handle: Computing<UserCall, M>): Entry => ({
  method,
  access: "person",
  forFiles: false,
  handle
})

/** A method for files. */
export const file = <M extends Api.AnyMethod>(method: M, handle: Handler<UserCall, M>): Entry => ({
  method,
  access: "user",
  forFiles: true,
  handle
})
