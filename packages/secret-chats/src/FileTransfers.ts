/**
 * Where transfers remember how far they are, so that they go on after an interruption.
 *
 * By default that is in memory: transfers go on as long as the process lives. With `layerSealed` they go on after a restart
 * too.
 *
 * **Gotchas**
 *
 * The state of an upload holds the key of its file, that of a download the vector that its cipher has reached. So what is
 * written to a disk should be sealed.
 *
 * @since 1.0.0
 */
import { Vault } from "@effect-mtproto/crypto/Vault"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
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

/** States in a store; `hide` and `seal` change names and values on the way in, `open` values on the way out. */
const inStore = (store: KeyValueStore.KeyValueStore, { hide, open, seal }: {
  readonly hide: (name: string) => string
  readonly seal: (key: string, state: Uint8Array) => Uint8Array
  readonly open: (key: string, state: Uint8Array) => Uint8Array | undefined
}): FileTransfers => {
  const failed = Effect.mapError((cause: KeyValueStore.KeyValueStoreError) => new FileError({ reason: "state", cause }))
  return {
    load: (name) => {
      const key = PREFIX + hide(name)
      return Effect.map(failed(store.getUint8Array(key)), (state) => state === undefined ? undefined : open(key, state))
    },
    save: (name, state) => {
      const key = PREFIX + hide(name)
      return failed(store.set(key, seal(key, state)))
    },
    remove: (name) => failed(store.remove(PREFIX + hide(name)))
  }
}

/**
 * States in a `KeyValueStore`, such as a folder or a table, as they are: for stores whose content nobody else can read.
 *
 * @category layers
 * @since 1.0.0
 */
export const layerKeyValueStore: Layer.Layer<never, never, KeyValueStore.KeyValueStore> = Layer.effect(
  FileTransfers,
  Effect.map(
    KeyValueStore.KeyValueStore,
    (store) => inStore(store, { hide: (name) => name, seal: (_, state) => state, open: (_, state) => state })
  )
)

/**
 * States in a `KeyValueStore`, sealed by a vault: neither the names of files nor their keys can be read there. What does not
 * open is as good as not there.
 *
 * @category layers
 * @since 1.0.0
 */
export const layerSealed: Layer.Layer<never, never, KeyValueStore.KeyValueStore | Vault> = Layer.effect(
  FileTransfers,
  Effect.gen(function*() {
    const vault = yield* Vault
    const store = yield* KeyValueStore.KeyValueStore
    const utf8 = new TextEncoder()
    return inStore(store, {
      hide: (name) => Hex.encode(vault.mac(PREFIX, utf8.encode(name))),
      seal: vault.seal,
      open: vault.open
    })
  })
)
