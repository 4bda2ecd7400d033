/** A store whose commits fail on demand: before anything happened, or after everything did. */
import { StoreError } from "@effect-mtproto/secret-chats/SecretChatError"
import { SecretChatStore } from "@effect-mtproto/secret-chats/SecretChatStore"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

export class Faults {
  commits = 0
  loads = 0
  /** Called before each commit; what it returns happens to the commit. */
  onCommit: (n: number) => "before" | "after" | undefined = () => undefined
}

export const layer = <E, R>(
  faults: Faults,
  inner: Layer.Layer<SecretChatStore, E, R>
): Layer.Layer<SecretChatStore, E, R> =>
  Layer.effect(
    SecretChatStore,
    Effect.map(SecretChatStore, (store) => {
      const failure = new StoreError({ reason: "unavailable", operation: "commit" })
      return SecretChatStore.of({
        ...store,
        load: (chatId) =>
          Effect.suspend(() => {
            faults.loads++
            return store.load(chatId)
          }),
        commit: (write) =>
          Effect.suspend(() => {
            switch (faults.onCommit(++faults.commits)) {
              case "before":
                return Effect.fail(failure)
              case "after":
                return Effect.andThen(store.commit(write), Effect.fail(failure))
              case undefined:
                return store.commit(write)
            }
          })
      })
    })
  ).pipe(Layer.provide(inner))
