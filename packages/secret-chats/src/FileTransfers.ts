/**
 * Where transfers remember how far they are, so that they go on after an interruption.
 *
 * By default that is in memory: transfers go on as long as the process lives. With `layerKeyValueStore` they go on after a
 * restart too.
 *
 * **Gotchas**
 *
 * The state of an upload holds the key of its file, that of a download the vector that its cipher has reached. Keep it
 * where only you can read, and no longer than the chat itself.
 *
 * @since 1.0.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as KeyValueStore from "effect/persistence/KeyValueStore"
import { FileError } from "./FileError.ts"

/**
 * States by name. What is in them is the business of whoever transfers.
 *
 * @category models
 * @since 1.0.0
 */
export interface FileTransfers {
  readonly load: (name: string) => Effect.Effect<Uint8Array | undefined, FileError>
  readonly save: (name: string, state: Uint8Array) => Effect.Effect<void, FileError>
  readonly remove: (name: string) => Effect.Effect<void, FileError>
}

/** States in memory; of the ones nobody came back for, the oldest go. */
const CAPACITY = 1000

const memory = (): FileTransfers => {
  const states = new Map<string, Uint8Array>()
  return {
    load: (name) => Effect.sync(() => states.get(name)),
    save: (name, state) =>
      Effect.sync(() => {
        states.delete(name)
        states.set(name, state)
        if (states.size > CAPACITY) states.delete(states.keys().next().value!)
      }),
    remove: (name) =>
      Effect.sync(() => {
        states.delete(name)
      })
  }
}

/**
 * @category references
 * @since 1.0.0
 */
export const FileTransfers: Context.Reference<FileTransfers> = Context.Reference<FileTransfers>(
  "@effect-mtproto/secret-chats/FileTransfers",
  { defaultValue: memory }
)

/**
 * States in memory, apart from those of the rest of the process.
 *
 * @category layers
 * @since 1.0.0
 */
export const layerMemory: Layer.Layer<never> = Layer.effect(FileTransfers, Effect.sync(memory))

const PREFIX = "secret-chats/transfer/"

/**
 * States in a `KeyValueStore`, such as a folder or a table.
 *
 * @category layers
 * @since 1.0.0
 */
export const layerKeyValueStore: Layer.Layer<never, never, KeyValueStore.KeyValueStore> = Layer.effect(
  FileTransfers,
  Effect.map(KeyValueStore.KeyValueStore, (store): FileTransfers => {
    const failed = Effect.mapError((cause: KeyValueStore.KeyValueStoreError) =>
      new FileError({ reason: "state", cause })
    )
    return {
      load: (name) => failed(store.getUint8Array(PREFIX + name)),
      save: (name, state) => failed(store.set(PREFIX + name, state)),
      remove: (name) => failed(store.remove(PREFIX + name))
    }
  })
)
