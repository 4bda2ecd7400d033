/**
 * Waiting until a chat has come to a state.
 *
 * @since 1.0.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { ChatState } from "../protocol/ChatState.ts"
import { type SecretChatError, SecretChatUnknown } from "../SecretChatError.ts"
import { engine as theEngine, perform } from "./acts.ts"
import { actorOf, type Observer, type Services, submit } from "./engine.ts"

/**
 * Answers with what `judge` makes of the first state for which it makes anything; fails if what the chat waits for cannot
 * be done, because the transport has ended or the store fails.
 *
 * @internal
 */
export const until = <A, E extends SecretChatError>(
  chatId: number,
  judge: (state: ChatState) => Result.Result<A, E> | undefined
): Effect.Effect<A, SecretChatError, Services> =>
  Effect.flatMap(theEngine, (engine) => {
    const found = Deferred.makeUnsafe<A, SecretChatError>()
    const observer: Observer = {
      onState: (state) => {
        const verdict = judge(state)
        if (verdict === undefined) return
        Deferred.doneUnsafe(
          found,
          Result.isSuccess(verdict) ? Effect.succeed(verdict.success) : Effect.fail(verdict.failure)
        )
      },
      onTrouble: (error) => {
        Deferred.doneUnsafe(found, Effect.fail(error))
      }
    }
    const actor = actorOf(engine, chatId)
    actor.observers.add(observer)
    // Any job, however small, shows the present state to all observers.
    const look = submit(engine, perform, chatId, (work) =>
      work.stored ? Result.void : Result.fail(new SecretChatUnknown({ chatId })))
    return Effect.ensuring(
      Effect.andThen(look, Deferred.await(found)),
      Effect.sync(() => {
        actor.observers.delete(observer)
      })
    )
  })
