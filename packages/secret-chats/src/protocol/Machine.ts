/**
 * A secret chat as a pure state machine: `step(state, input)` gives the next
 * state and what has to be done.
 *
 * @since 1.0.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { ChatKey, ChatState } from "./ChatState.ts"
import type { Ambient, Input } from "./Input.ts"
import type { Output } from "./Output.ts"

/**
 * How many random bytes one step may need.
 *
 * @since 1.0.0
 * @category constants
 */
export const entropyBytes = 64

/**
 * @since 1.0.0
 * @category models
 */
export interface Step {
  readonly state: ChatState
  readonly outputs: ReadonlyArray<Output>
}

/**
 * The caller asked for something that this chat cannot do now; nothing changed.
 *
 * - `not-ready`: no key yet
 * - `closed`: the chat is closed
 * - `phase`: accepting or requesting in the wrong phase
 * - `random-id`: 0, or a random id that is in use by an unacknowledged message
 * - `layer`: the peer's client is too old for the content
 *
 * @since 1.0.0
 * @category errors
 */
export class Refusal extends Schema.TaggedError<Refusal>()("Refusal", {
  reason: Schema.Literals(["not-ready", "closed", "phase", "random-id", "layer"]),
  detail: Schema.String
}) {
  override get message(): string {
    return this.detail
  }
}

/**
 * The one function of the protocol.
 *
 * @since 1.0.0
 * @category running
 */
export const step = (_state: ChatState, _input: Input, _ambient: Ambient): Result.Result<Step, Refusal> =>
  Result.fail(new Refusal({ reason: "phase", detail: "The chat cannot do this now" }))

/**
 * The keys a frame of the peer may have been written with.
 *
 * @since 1.0.0
 * @category queries
 */
export const readingKeys = (state: ChatState): ReadonlyArray<ChatKey> => {
  const keys: Array<ChatKey> = []
  if (state.phase._tag === "Confirming") keys.push(state.phase.key)
  if (state.keys !== undefined) {
    keys.push(state.keys.current)
    if (state.keys.previous !== undefined) keys.push(state.keys.previous)
    if (state.keys.exchange._tag === "Answered") keys.push(state.keys.exchange.key)
  }
  return keys
}

/**
 * The layer messages are written in.
 *
 * @since 1.0.0
 * @category queries
 */
export const sendingLayer = (state: ChatState): number => Math.max(73, Math.min(144, state.layers.his))

/**
 * When to step with `Tick`, in milliseconds; `undefined` if nothing waits.
 *
 * @since 1.0.0
 * @category queries
 */
export const nextWake = (state: ChatState): number | undefined => {
  const times = [state.inbox.hole?.retryAt, state.outbox.retryAt].filter((t) => t !== undefined)
  return times.length === 0 ? undefined : Math.min(...times)
}
