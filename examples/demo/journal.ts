/**
 * Everything that an account has heard of its chats, in order; it outlives the account's runtime.
 */
import { type SecretChatError, SecretChats } from "@effect-mtproto/secret-chats"
import { Deferred, Effect } from "effect"

type Happening = SecretChats.SecretChatEvent

interface Waiter {
  readonly matches: (happening: Happening) => boolean
  readonly deferred: Deferred.Deferred<Happening>
}

export interface Journal {
  readonly happenings: Array<Happening>
  readonly waiters: Set<Waiter>
}

export const make = (): Journal => ({ happenings: [], waiters: new Set() })

/** Takes in events, and confirms each, until interrupted. */
export const keep = (
  journal: Journal
): Effect.Effect<
  never,
  SecretChatError.StoreError | SecretChatError.TransportError,
  SecretChats.SecretChats
> =>
  Effect.flatMap(SecretChats.SecretChats, (chats) =>
    chats.runEvents((happening) =>
      Effect.sync(() => {
        journal.happenings.push(happening)
        for (const waiter of journal.waiters) {
          if (waiter.matches(happening)) {
            journal.waiters.delete(waiter)
            Deferred.doneUnsafe(waiter.deferred, Effect.succeed(happening))
          }
        }
      })
    ))

/** Waits until something has happened, or finds it among what has. */
export const until = (
  journal: Journal,
  matches: (happening: Happening) => boolean
): Effect.Effect<Happening> =>
  Effect.suspend(() => {
    const past = journal.happenings.find(matches)
    if (past !== undefined) return Effect.succeed(past)
    const waiter: Waiter = { matches, deferred: Deferred.makeUnsafe() }
    journal.waiters.add(waiter)
    return Deferred.await(waiter.deferred)
  })
