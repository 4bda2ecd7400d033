/**
 * The chat that a file is to go to.
 *
 * @since 1.0.0
 */
import * as Effect from "effect/Effect"
import type { ChatState } from "../protocol/ChatState.ts"
import type * as Errors from "../SecretChatError.ts"
import { chatId as chatIdOf, type SecretPeer } from "../SecretPeer.ts"
import { engine as theEngine } from "./acts.ts"
import { look } from "./chats.ts"
import type { Services } from "./engine.ts"
import { obstacle } from "./state.ts"

/** The state of a chat to which something can be sent. @internal */
export const readyChat = (
  peer: SecretPeer
): Effect.Effect<
  ChatState,
  Errors.SecretChatUnknown | Errors.SecretChatNotReady | Errors.SecretChatClosed | Errors.StoreError,
  Services
> =>
  Effect.gen(function*() {
    const chatId = yield* Effect.fromResult(chatIdOf(peer))
    const state = yield* look(yield* theEngine, chatId)
    const problem = obstacle(state)
    return problem === undefined ? state : yield* Effect.fail(problem)
  })
