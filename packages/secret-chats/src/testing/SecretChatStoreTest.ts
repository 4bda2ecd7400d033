/**
 * The laws of `SecretChatStore` as tests: `suite("mine", layer)` in a test file says whether a backend keeps them.
 *
 * Every test uses chats of its own, so one store can serve the whole suite, and a store that is not empty can be tested.
 * Needs `@effect/vitest`.
 *
 * @since 1.0.0
 */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { commits } from "../internal/storeLawsCommits.ts"
import { messages } from "../internal/storeLawsHistory.ts"
import { queues } from "../internal/storeLawsQueues.ts"
import type { Test } from "../internal/storeLawsSupport.ts"
import { timers } from "../internal/storeLawsTimers.ts"
import type { SecretChatStore } from "../SecretChatStore.ts"

/**
 * Registers the tests of every law, under `SecretChatStore (name)`. The layer is built once a test.
 *
 * @category testing
 * @since 1.0.0
 */
export const suite = (name: string, layer: Layer.Layer<SecretChatStore, unknown>): void => {
  const test: Test = (title, effect) => it.effect(title, () => Effect.provide(effect, layer))

  describe(`SecretChatStore (${name})`, () => {
    commits(test)
    queues(test)
    messages(test)
    timers(test)
  })
}
