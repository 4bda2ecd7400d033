/** What every `SessionStore` has to keep. */
import { assert, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Session from "../../src/SessionStore.ts"

const { SessionStore } = Session

const Int32 = Schema.Int.check(Schema.isBetween({ minimum: -(2 ** 31), maximum: 2 ** 31 - 1 }))
const Long = Schema.BigInt.check(Schema.isBetweenBigInt({ minimum: -(2n ** 63n), maximum: 2n ** 63n - 1n }))
const SaltSchema = Schema.Struct({ salt: Long, validSince: Int32, validUntil: Int32 })

export const authKey = (byte: number, parts: Partial<Session.AuthKey> = {}): Session.AuthKey => ({
  key: Redacted.make(new Uint8Array(256).fill(byte)),
  createdAt: 1_700_000_000,
  timeOffset: -1_234.5,
  salts: [{ salt: -5n, validSince: 1, validUntil: 2 }],
  ...parts
})

export const plain = (key: Session.AuthKey | undefined) => key && { ...key, key: Redacted.value(key.key) }

export const suite = <LE>(layer: Layer.Layer<Session.SessionStore, LE>): void => {
  const check = <A, E>(title: string, run: (store: Session.SessionStore["Service"]) => Effect.Effect<A, E>) =>
    it.effect(title, () => Effect.flatMap(SessionStore, run).pipe(Effect.provide(layer)))

  check("is empty at first", (store) =>
    Effect.gen(function*() {
      assert.isUndefined(yield* store.account)
      assert.isUndefined(yield* store.authKey(2))
      assert.isUndefined(yield* store.updateState)
    }))

  check("keeps the account", (store) =>
    Effect.gen(function*() {
      yield* store.setAccount({ dc: 2 })
      assert.deepStrictEqual(yield* store.account, { dc: 2 })
      yield* store.setAccount({ dc: 4, userId: 2n ** 62n })
      assert.deepStrictEqual(yield* store.account, { dc: 4, userId: 2n ** 62n })
    }))

  check("forgets the update state with the user, and only then", (store) =>
    Effect.gen(function*() {
      const state = { pts: 1, qts: 2, date: 3, seq: 4 }
      yield* store.setAccount({ dc: 2, userId: 1n })
      yield* store.setUpdateState(state)
      yield* store.setAccount({ dc: 4, userId: 1n })
      assert.deepStrictEqual(yield* store.updateState, state)
      yield* store.setAccount({ dc: 4, userId: 2n })
      assert.isUndefined(yield* store.updateState)
      yield* store.setUpdateState(state)
      yield* store.setAccount({ dc: 4 })
      assert.isUndefined(yield* store.updateState)
    }))

  check("keeps a key for each data centre", (store) =>
    Effect.gen(function*() {
      yield* store.setAuthKey(1, authKey(1))
      yield* store.setAuthKey(2, authKey(2))
      yield* store.setAuthKey(2, authKey(3, { timeOffset: 7, salts: [] }))
      assert.deepStrictEqual(plain(yield* store.authKey(1)), plain(authKey(1)))
      assert.deepStrictEqual(plain(yield* store.authKey(2)), plain(authKey(3, { timeOffset: 7, salts: [] })))
      yield* store.removeAuthKey(2)
      assert.isUndefined(yield* store.authKey(2))
      assert.isDefined(yield* store.authKey(1))
    }))

  check("replaces the salts of a key that it has", (store) =>
    Effect.gen(function*() {
      const salts = [{ salt: 2n ** 63n - 1n, validSince: 5, validUntil: 6 }]
      yield* store.setSalts(2, salts, 99)
      assert.isUndefined(yield* store.authKey(2))
      yield* store.setAuthKey(2, authKey(2))
      yield* store.setSalts(2, salts, 99)
      assert.deepStrictEqual(plain(yield* store.authKey(2)), plain(authKey(2, { salts, timeOffset: 99 })))
    }))

  check("forgets everything", (store) =>
    Effect.gen(function*() {
      yield* store.setAccount({ dc: 2, userId: 1n })
      yield* store.setAuthKey(2, authKey(2))
      yield* store.setUpdateState({ pts: 1, qts: 2, date: 3, seq: 4 })
      yield* store.clear
      assert.isUndefined(yield* store.account)
      assert.isUndefined(yield* store.authKey(2))
      assert.isUndefined(yield* store.updateState)
    }))

  check("does not show keys", (store) =>
    Effect.gen(function*() {
      yield* store.setAuthKey(2, authKey(0x61))
      assert.strictEqual(String((yield* store.authKey(2))!.key), "<redacted:authKey>")
    }))

  it.effect.prop("gives back what it got", {
    state: Schema.Struct({ pts: Int32, qts: Int32, date: Int32, seq: Int32 }),
    salts: Arbitrary.array(Arbitrary.schema(SaltSchema), { maxLength: 64 }),
    userId: Long,
    timeOffset: Schema.Int
  }, ({ salts, state, timeOffset, userId }) =>
    Effect.gen(function*() {
      const store = yield* SessionStore
      // -0 and 0 are one number in a database
      const numbers = (s: typeof state) => ({ pts: s.pts + 0, qts: s.qts + 0, date: s.date + 0, seq: s.seq + 0 })
      yield* store.setAccount({ dc: 3, userId })
      assert.deepStrictEqual(yield* store.account, { dc: 3, userId })
      yield* store.setUpdateState(state)
      assert.deepStrictEqual(numbers((yield* store.updateState)!), numbers(state))
      yield* store.setAuthKey(3, authKey(3, { salts: [], timeOffset: 0 }))
      yield* store.setSalts(3, salts, timeOffset)
      const read = (yield* store.authKey(3))!
      assert.deepStrictEqual(
        read.salts.map((s) => [s.salt, s.validSince + 0, s.validUntil + 0]),
        salts.map((s) => [s.salt, s.validSince + 0, s.validUntil + 0])
      )
      assert.strictEqual(read.timeOffset + 0, timeOffset + 0)
    }).pipe(Effect.provide(layer)))
}
