/**
 * The `Transport` service: calls to the server and the updates that come back.
 *
 * This is all that secret chats (or any other user of the server API) need from
 * a network. `MtprotoTransport` is the native implementation; `TransportTest`
 * is an in-memory double; any other client can stand behind it.
 *
 * Laws every implementation keeps:
 *
 * 1. `invoke` ends exactly once: with the answer, with the error the server
 *    gave, or with a `TransportError`. A lost connection by itself ends no call.
 *    Interrupting the calling fiber tells the server that the answer is not
 *    wanted any more.
 * 2. Calls that name the same `chain` are executed by the server in the order
 *    in which `invoke` was started.
 * 3. `updates` is ordered and has no gaps, and it has one consumer. Every
 *    element has to be confirmed, after the consumer has stored what it made of
 *    it. The server is told only what is confirmed without a gap before it, so
 *    an update that was not confirmed comes again after a restart (at least
 *    once, never lost). An implementation may stop delivering while too many
 *    elements wait for their confirmation.
 *
 * @since 1.0.0
 */
import type * as Api from "@effect-mtproto/core/Api"
import type { FloodWait, RpcError } from "@effect-mtproto/core/RpcError"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"

/**
 * Why a transport gave up on a call, or on the whole connection.
 *
 * - `closed`: the transport was shut down.
 * - `timeout`: no answer within the time allowed for the call.
 * - `unreachable`: no connection could be made in the time allowed.
 * - `handshake`: no authorization key could be agreed on.
 * - `unauthorized`: the server no longer accepts the authorization key
 *   (logged out from elsewhere, key unknown or used twice).
 * - `duplicated`: two programs used the session at the same time, and the server
 *   has ended it (`AUTH_KEY_DUPLICATED`). A new login is needed; the secret chats
 *   of the old one are lost.
 * - `locked`: another program uses the session.
 * - `protocol`: the server answered with something that breaks the protocol.
 * - `invalid-request`: the request cannot be serialised.
 * - `too-large`: the request does not fit into one message.
 * - `uncertain`: the server may or may not have executed a call that must not
 *   be repeated blindly.
 * - `store`: the session store failed.
 * - `configuration`: the configuration contradicts what the server says.
 *
 * @since 1.0.0
 */
export const TransportErrorReason = Schema.Literals([
  "closed",
  "timeout",
  "unreachable",
  "handshake",
  "unauthorized",
  "duplicated",
  "locked",
  "protocol",
  "invalid-request",
  "too-large",
  "uncertain",
  "store",
  "configuration"
])

/**
 * @since 1.0.0
 */
export type TransportErrorReason = typeof TransportErrorReason.Type

/**
 * A call or a connection failed for a reason that is not an error of the
 * server's API. Never holds keys, bodies or phone numbers.
 *
 * @since 1.0.0
 */
export class TransportError extends Schema.TaggedError<TransportError>()("TransportError", {
  reason: TransportErrorReason,
  /** One sentence for a person. */
  detail: Schema.String,
  /** The method of the call that failed, when one call failed. */
  method: Schema.optionalKey(Schema.String),
  cause: Schema.optionalKey(Schema.Defect())
}) {
  override get message(): string {
    return this.method === undefined ? this.detail : `${this.method}: ${this.detail}`
  }
}

/**
 * How one call is made; everything has a default.
 *
 * @since 1.0.0
 */
export interface InvokeOptions {
  /** Give up with `TransportError` `timeout` after this time. */
  readonly timeout?: Duration.Input | undefined
  /** Calls with the same name are executed by the server in the order of their start. */
  readonly chain?: string | undefined
  /** Flood waits up to this long are waited for; longer ones fail with `FloodWait`. */
  readonly floodWaitLimit?: Duration.Input | undefined
  /**
   * `false` for a call that must not be executed twice. When the server forgot
   * the session such a call fails with `uncertain` instead of being sent again.
   * Defaults to what the method is known to be.
   */
  readonly repeatable?: boolean | undefined
  /**
   * The data centre to ask, where it is not the account's own: the one that a file
   * is kept in. The login is carried over there by itself.
   */
  readonly dc?: number | undefined
  /** The answer is wanted, but no updates because of the call (`invokeWithoutUpdates`). */
  readonly withoutUpdates?: boolean | undefined
  /**
   * Large arrays of the request that nobody reads once the call has succeeded, such as parts of files: their memory may
   * be given back then, which leaves them without bytes.
   */
  readonly release?: ReadonlyArray<Uint8Array> | undefined
}

/**
 * An option of this kind in milliseconds: for implementations.
 *
 * @since 1.0.0
 */
export const millisOf = (input: Duration.Input | undefined, fallback: number): number =>
  input === undefined ? fallback : Duration.toMillis(Duration.fromInputUnsafe(input))

/**
 * One update, in order, with what is needed to understand and to confirm it.
 *
 * @since 1.0.0
 */
export interface TransportUpdate {
  readonly update: Api.Update
  /** Unix time of the server, in seconds. */
  readonly date: number
  /** The users that came with the update. */
  readonly users: ReadonlyArray<Api.User>
  /** The groups and channels that came with it; left out if there are none. */
  readonly chats?: ReadonlyArray<Api.Chat> | undefined
  /**
   * To be run after the consumer has stored the update. Running it again does
   * nothing. A confirmation takes effect once everything before it is confirmed.
   */
  readonly confirm: Effect.Effect<void>
}

/**
 * @since 1.0.0
 */
export class Transport extends Context.Service<Transport, {
  readonly invoke: <const M extends Api.AnyRequest>(
    request: M,
    options?: InvokeOptions
  ) => Effect.Effect<Api.Response<M>, Api.ErrorOf<M> | RpcError | FloodWait | TransportError>
  readonly updates: Stream.Stream<TransportUpdate, TransportError>
}>()("@effect-mtproto/transport/Transport") {}
