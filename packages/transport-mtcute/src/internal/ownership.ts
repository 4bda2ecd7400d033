/**
 * Whose state of updates a store holds. `qts` counts what is sent to one login, so what is
 * stored for one must not be used for the next, even of the same account. mtcute keeps the
 * login's key; the store keeps a digest of it in the place of a key, behind zeros that no
 * key begins with.
 */
import type { SessionStore, SessionStoreError } from "@effect-mtproto/transport/SessionStore"
import { TransportError } from "@effect-mtproto/transport/Transport"
import type { State } from "@effect-mtproto/transport/Updates"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"

export interface Owner {
  readonly dc: number
  readonly userId: bigint
  /** SHA-256 of the login's authorization key. */
  readonly digest: Uint8Array
}

const LENGTH = 256

const markOf = (digest: Uint8Array): Uint8Array => {
  const mark = new Uint8Array(LENGTH)
  mark.set(digest, LENGTH - digest.length)
  return mark
}

const equals = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((byte, i) => byte === b[i])

/** The state that is stored for this login, if there is one. The store belongs to this login from now on. */
export const claim = Effect.fnUntraced(function*(
  store: SessionStore["Service"],
  { dc, digest, userId }: Owner
): Effect.fn.Return<State | undefined, SessionStoreError | TransportError> {
  const account = yield* store.account
  const known = account === undefined ? undefined : yield* store.authKey(account.dc)
  const mark = markOf(digest)
  if (known !== undefined) {
    const stored = Redacted.value(known.key)
    if (stored.subarray(0, LENGTH - digest.length).some((byte) => byte !== 0)) {
      return yield* new TransportError({
        reason: "configuration",
        detail: "the store holds a session of the native client: give this one another name"
      })
    }
    if (!equals(stored, mark)) yield* store.clear
  }
  if (known === undefined || !equals(Redacted.value(known.key), mark)) {
    yield* store.setAuthKey(dc, { key: Redacted.make(mark), createdAt: 0, timeOffset: 0, salts: [] })
  }
  yield* store.setAccount({ dc, userId })
  return yield* store.updateState
})
