import * as NodeVault from "@effect-mtproto/crypto/NodeVault"
import { overhead, type Secret, secretConfig, Vault, VaultError } from "@effect-mtproto/crypto/Vault"
import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, Exit, Redacted, Schema, Scope } from "effect"
import * as NodeCrypto from "node:crypto"
import * as Util from "node:util"
import * as Xaes from "../src/internal/xaes.ts"

const utf8 = (text: string) => new TextEncoder().encode(text)
const toHex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex")

/** As cheap as it gets: what is tested here is not the cost. */
const argon2 = { memory: 8, passes: 1, parallelism: 1 }
const passphrase = (text: string): Secret => ({ passphrase: Redacted.make(text), argon2 })
const key = (byte: number, length = 32): Secret => ({ key: Redacted.make(new Uint8Array(length).fill(byte)) })

const makeStorage = (entry?: string) => {
  const state = { entry, writes: 0 }
  const storage: NodeVault.Storage = {
    read: Effect.sync(() => state.entry),
    insert: (next) =>
      Effect.sync(() => {
        state.writes++
        state.entry ??= next
      }),
    replace: (previous, next) =>
      Effect.sync(() => {
        if (state.entry !== previous) return false
        state.writes++
        state.entry = next
        return true
      })
  }
  return { state, storage }
}

const open = (storage: NodeVault.Storage, secret: Secret) => NodeVault.make({ secret, storage })

const refused = (storage: NodeVault.Storage, secret: Secret) =>
  Effect.map(Effect.flip(open(storage, secret)), (error) => {
    assert.instanceOf(error, VaultError)
    return error.reason
  })

describe("XAES-256-GCM", () => {
  it("the published vectors", () => {
    const nonce = utf8("ABCDEFGHIJKLMNOPQRSTUVWX")
    const one = Xaes.make(new Uint8Array(32).fill(1))
    const first = one.seal(nonce, new Uint8Array(0), utf8("XAES-256-GCM"))
    assert.strictEqual(toHex(first), "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271")
    const three = Xaes.make(new Uint8Array(32).fill(3))
    const second = three.seal(nonce, utf8("c2sp.org/XAES-256-GCM"), utf8("XAES-256-GCM"))
    assert.strictEqual(toHex(second), "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d")
    assert.deepStrictEqual(three.open(nonce, utf8("c2sp.org/XAES-256-GCM"), second), utf8("XAES-256-GCM"))
  })
})

describe("Vault", () => {
  it.effect.prop("opens what it sealed, at its place only", {
    context: Schema.String,
    other: Schema.String,
    data: Schema.Uint8Array
  }, ({ context, data, other }) =>
    Effect.gen(function*() {
      const vault = yield* Vault
      const sealed = vault.seal(context, data)
      assert.strictEqual(sealed.length, data.length + overhead)
      assert.deepStrictEqual(vault.open(context, sealed), new Uint8Array(data))
      if (other !== context) assert.isUndefined(vault.open(other, sealed))
      assert.notDeepEqual(vault.seal(context, data), sealed)
    }).pipe(Effect.provide(NodeVault.layerMemory)))

  it.effect("places whose names differ by half a character only are different places", () =>
    Effect.gen(function*() {
      const vault = yield* Vault
      assert.isUndefined(vault.open("\ud801", vault.seal("\ud800", utf8("x"))))
      assert.notDeepEqual(vault.mac("\ud801", utf8("x")), vault.mac("\ud800", utf8("x")))
    }).pipe(Effect.provide(NodeVault.layerMemory)))

  it.effect("R29 every changed bit, and every length, is noticed", () =>
    Effect.gen(function*() {
      const vault = yield* Vault
      const sealed = vault.seal("here", utf8("something"))
      for (let bit = 0; bit < 8 * sealed.length; bit++) {
        const changed = sealed.slice()
        changed[bit >> 3]! ^= 1 << (bit & 7)
        assert.isUndefined(vault.open("here", changed))
      }
      for (let length = 0; length < sealed.length; length++) {
        assert.isUndefined(vault.open("here", sealed.subarray(0, length)))
      }
      assert.isUndefined(vault.open("here", new Uint8Array([...sealed, 0])))
    }).pipe(Effect.provide(NodeVault.layerMemory)))

  it.effect("keyed hashes are equal for equal data of one context and one vault", () =>
    Effect.gen(function*() {
      const { storage } = makeStorage()
      const one = yield* open(storage, key(1))
      const again = yield* open(storage, key(1))
      const other = yield* open(makeStorage().storage, key(1))
      const mac = one.mac("a", utf8("bc"))
      assert.strictEqual(mac.length, 32)
      assert.deepStrictEqual(again.mac("a", utf8("bc")), mac)
      assert.notDeepEqual(one.mac("ab", utf8("c")), mac)
      assert.notDeepEqual(other.mac("a", utf8("bc")), mac)
    }).pipe(Effect.scoped))

  for (
    const [name, right, wrong] of [["passphrase", passphrase("right"), passphrase("wrong")], [
      "key",
      key(1),
      key(2)
    ]] as const
  ) {
    it.effect(`the ${name} opens it again, another one does not and changes nothing`, () =>
      Effect.gen(function*() {
        const { state, storage } = makeStorage()
        const sealed = (yield* open(storage, right)).seal("here", utf8("x"))
        const { entry } = state
        assert.strictEqual(yield* refused(storage, wrong), "wrong-secret")
        assert.strictEqual(yield* refused(storage, name === "key" ? passphrase("right") : key(1)), "wrong-secret")
        assert.deepStrictEqual(state, { entry, writes: 1 })
        assert.deepStrictEqual((yield* open(storage, right)).open("here", sealed), utf8("x"))
      }).pipe(Effect.scoped))
  }

  it.effect("a passphrase is the same however its accents are spelled", () =>
    Effect.gen(function*() {
      const { storage } = makeStorage()
      yield* open(storage, passphrase("café".normalize("NFC")))
      yield* open(storage, passphrase("café".normalize("NFD")))
    }).pipe(Effect.scoped))

  it.effect("R29 a new secret re-wraps the master key and nothing else", () =>
    Effect.gen(function*() {
      const { state, storage } = makeStorage()
      const vault = yield* open(storage, passphrase("old"))
      const sealed = vault.seal("here", utf8("x"))
      yield* vault.rewrap(key(7))
      assert.strictEqual(state.writes, 2)
      assert.deepStrictEqual(vault.open("here", sealed), utf8("x"))
      assert.strictEqual(yield* refused(storage, passphrase("old")), "wrong-secret")
      const again = yield* open(storage, key(7))
      assert.deepStrictEqual(again.open("here", sealed), utf8("x"))
      yield* again.rewrap(passphrase("new"))
      const error = yield* Effect.flip(vault.rewrap(passphrase("mine")))
      assert.strictEqual(error.reason, "conflict")
      assert.deepStrictEqual((yield* open(storage, passphrase("new"))).open("here", sealed), utf8("x"))
    }).pipe(Effect.scoped))

  it.effect("two that make it at the same time agree", () =>
    Effect.gen(function*() {
      const { storage } = makeStorage()
      const [one, two] = yield* Effect.all([open(storage, passphrase("p")), open(storage, passphrase("p"))], {
        concurrency: 2
      })
      assert.deepStrictEqual(two.open("here", one.seal("here", utf8("x"))), utf8("x"))
    }).pipe(Effect.scoped))

  it.effect("what is no secret is refused", () =>
    Effect.gen(function*() {
      const { state, storage } = makeStorage()
      const bad: ReadonlyArray<Secret> = [
        passphrase(""),
        key(1, 31),
        ...[{ memory: 7 }, { passes: 0 }, { passes: 65 }, { parallelism: 17 }, { memory: 2 ** 22 }, { passes: 1.5 }]
          .map(
            (part): Secret => ({ passphrase: Redacted.make("p"), argon2: { ...argon2, ...part } })
          )
      ]
      for (const secret of bad) assert.strictEqual(yield* refused(storage, secret), "invalid")
      assert.deepStrictEqual(state, { entry: undefined, writes: 0 })
    }).pipe(Effect.scoped))

  it.effect("an entry that was tampered with never opens, and never costs more than the limits", () =>
    Effect.gen(function*() {
      const made = makeStorage()
      yield* open(made.storage, passphrase("p"))
      const entry = made.state.entry!
      const refusal = (text: string) => refused(makeStorage(text).storage, passphrase("p"))
      assert.strictEqual(yield* refusal(entry.replace("m=8,", "m=9,")), "wrong-secret")
      assert.strictEqual(yield* refusal(entry.replace("t=1,", "t=2,")), "wrong-secret")
      assert.strictEqual(yield* refusal(entry.slice(0, -1) + (entry.endsWith("A") ? "B" : "A")), "wrong-secret")
      for (
        const text of [
          "",
          "x",
          "vault:1:",
          entry.slice(1),
          `${entry}A`,
          entry.replace("m=8", "m=99999999"),
          entry.replace("t=1", "t=99"),
          entry.replace("p=1", "p=999999999999"),
          "vault:1:key:".padEnd(1 << 20, "A")
        ]
      ) assert.strictEqual(yield* refusal(text), "corrupt", text.slice(0, 80))
      assert.strictEqual(yield* refusal(entry.replace("vault:1:", "vault:2:")), "newer")
      assert.strictEqual(yield* refusal("vault:12:something else"), "newer")
    }).pipe(Effect.scoped))

  it.effect("the entry is Argon2id's and XAES-256-GCM's, to be read by other software", () =>
    Effect.gen(function*() {
      const { state, storage } = makeStorage()
      yield* open(storage, passphrase("correct horse"))
      const [, version, kdf, parameters, salt, sealed] = state.entry!.split(":")
      assert.deepStrictEqual([version, kdf, parameters], ["1", "argon2id", "m=8,t=1,p=1"])
      const wrapping = NodeCrypto.argon2Sync("argon2id", {
        message: "correct horse",
        nonce: Buffer.from(salt!, "base64url"),
        ...argon2,
        tagLength: 32
      })
      const bytes = Buffer.from(sealed!, "base64url")
      const additional = utf8(state.entry!.slice(0, state.entry!.lastIndexOf(":")))
      const master = Xaes.make(wrapping).open(bytes.subarray(0, 24), additional, bytes.subarray(24))
      assert.strictEqual(master?.length, 32)
    }).pipe(Effect.scoped))

  it.effect("R30 shows nothing of secrets or keys", () =>
    Effect.gen(function*() {
      const { storage } = makeStorage()
      const vault = yield* open(storage, passphrase("hunter22"))
      const failure = yield* Effect.flip(open(storage, passphrase("hunter33")))
      for (const value of [vault, failure, failure.message, passphrase("hunter22")]) {
        for (const text of [Util.inspect(value, { depth: 9 }), JSON.stringify(value) ?? "", String(value)]) {
          assert.notInclude(text, "hunter")
        }
      }
    }).pipe(Effect.scoped))

  it.effect("R31 overwrites the master key when it is closed", () =>
    Effect.gen(function*() {
      const { storage } = makeStorage()
      const scope = yield* Scope.make()
      const vault = yield* Scope.provide(open(storage, key(1)), scope)
      yield* Scope.close(scope, Exit.void)
      // What is wrapped after that is an empty key, which opens nothing that was sealed.
      const sealed = vault.seal("here", utf8("x"))
      yield* vault.rewrap(key(2))
      assert.isUndefined((yield* open(storage, key(2))).open("here", sealed))
    }).pipe(Effect.scoped))
})

describe("secretConfig", () => {
  const read = (env: Record<string, string>) =>
    Effect.map(Effect.result(secretConfig.parse(ConfigProvider.fromUnknown(env))), (result) => {
      if (result._tag === "Failure") return "missing"
      const secret = result.success
      return "key" in secret ? toHex(Redacted.value(secret.key)) : Redacted.value(secret.passphrase)
    })

  it.effect("a key in hexadecimal or base64, else a passphrase", () =>
    Effect.gen(function*() {
      const bytes = Buffer.from(Array.from({ length: 32 }, (_, i) => 255 - 7 * i))
      for (const text of [bytes.toString("hex"), bytes.toString("base64"), bytes.toString("base64url")]) {
        assert.strictEqual(yield* read({ VAULT_KEY: text, VAULT_PASSPHRASE: "p" }), bytes.toString("hex"))
      }
      assert.strictEqual(yield* read({ VAULT_PASSPHRASE: "p" }), "p")
      assert.strictEqual(yield* read({}), "missing")
      // Not the passphrase: a key that is mistyped must not be passed over.
      assert.strictEqual(yield* read({ VAULT_KEY: "zz", VAULT_PASSPHRASE: "p" }), "")
    }))
})
