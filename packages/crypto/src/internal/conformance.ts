/**
 * The cases that every `Crypto` layer passes, without a test framework, so that
 * they run wherever the layer does. Numbers are from FIPS 197, NIST SP 800-38A, AESAVS,
 * RFC 1321, 3174, 6070, 6234, 8018, the IGE paper of OpenSSL, and the AES tests of
 * TDLib.
 */
import * as Effect from "effect/Effect"
import * as Hex from "effect/encoding/Hex"
import * as Result from "effect/Result"
import { Crypto } from "../Crypto.ts"
import type { CryptoError } from "../CryptoError.ts"
import * as Bytes from "./bytes.ts"
import * as Message from "./message.ts"
import { WELL_KNOWN_PRIME } from "./prime.ts"

/** A case: fails with a `Mismatch`, or with the error of the layer. */
export interface Case {
  readonly name: string
  readonly run: Effect.Effect<void, CryptoError | Mismatch, Crypto>
}

export class Mismatch extends Error {
  readonly _tag = "Mismatch"
}

const equal = (what: string, actual: unknown, expected: unknown): void => {
  if (actual !== expected) throw new Mismatch(`${what}: got ${String(actual)}, expected ${String(expected)}`)
}

const throws = (what: string, f: () => unknown): void => {
  let tag: unknown
  try {
    f()
  } catch (error) {
    tag = (error as { readonly _tag?: unknown })._tag
  }
  equal(what, tag, "CryptoError")
}

const hex = (text: string): Uint8Array => Result.getOrThrow(Hex.decode(text))
const text = (value: string): Uint8Array => new TextEncoder().encode(value)

const sync = (name: string, f: (crypto: Crypto["Service"]) => void): Case => ({
  name,
  run: Effect.flatMap(Crypto, (crypto) =>
    Effect.try({
      try: () => f(crypto),
      catch: (error) => error instanceof Mismatch ? error : new Mismatch(String(error))
    }))
})

const effect = (
  name: string,
  f: (crypto: Crypto["Service"]) => Effect.Effect<void, CryptoError | Mismatch>
): Case => ({ name, run: Effect.flatMap(Crypto, f) })

const check = (f: () => void): Effect.Effect<void, Mismatch> =>
  Effect.try({ try: f, catch: (error) => error instanceof Mismatch ? error : new Mismatch(String(error)) })

const failsWith = (
  what: string,
  self: Effect.Effect<unknown, CryptoError>,
  reason: CryptoError["reason"]
): Effect.Effect<void, Mismatch> =>
  Effect.flatMap(
    Effect.result(self),
    (result) => check(() => equal(what, Result.isFailure(result) ? result.failure.reason : "success", reason))
  )

// the generator of TDLib's tests: everything of a case comes from its length
const generator = (length: number): (n: number) => Uint8Array => {
  let seed = length
  return (n) =>
    Uint8Array.from({ length: n }, () => {
      seed = (Math.imul(seed, 123457567) + 987651241) >>> 0
      return (seed >>> 23) & 255
    })
}

const crc32 = (data: Uint8Array): number => {
  let crc = -1
  for (const byte of data) {
    crc ^= byte
    for (let i = 0; i < 8; i++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return ~crc >>> 0
}

const HASHES = [
  [
    "",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "d41d8cd98f00b204e9800998ecf8427e"
  ],
  [
    "1",
    "356a192b7913b04c54574d18c28d46e6395428ab",
    "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
    "c4ca4238a0b923820dcc509a6f75849b"
  ],
  [
    "hello",
    "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d",
    "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
    "5d41402abc4b2a76b9719d911017c592"
  ],
  [
    "short test string",
    "b91cac430a1ac74a4d25e042dfece9433272d6b0",
    "c8f31a63b43c3ca3f00acc3ae149c30f99a145c8adb84260ccb64cbebd0ef296",
    "bf00678a761b0d192093eb80ec632221"
  ],
  [
    "a".repeat(1_000_000),
    "34aa973cd4c4daa4f61eeb2bdbad27316534016f",
    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0",
    "7707d6ae4e027c70eea2a935c2296f21"
  ]
] as const

const IGE = {
  key: "5468697320697320616e20696d706c655468697320697320616e20696d706c65",
  iv: "6d656e746174696f6e206f6620494745206d6f646520666f72204f70656e5353",
  plain: "99706487a1cde613bc6de0b6f24b1c7aa448c8b9c3403e3467a8cad89340f53b",
  cipher: "792ea8ae577b1a66cb3bd92679b8030ca54ee631976bd3a04547fdcb4639fa69"
}

// NIST AESAVS, GFSbox, KeySbox, VarTxt and VarKey of 256 bits: with an IV of zeros, a block of IGE is a block of AES
const ZERO_BLOCK = "0".repeat(32)
const ZERO_KEY = ZERO_BLOCK + ZERO_BLOCK
const BLOCKS: ReadonlyArray<readonly [key: string, plain: string, cipher: string]> = [
  [ZERO_KEY, "014730f80ac625fe84f026c60bfd547d", "5c9d844ed46f9885085e5d6a4f94c7d7"],
  [ZERO_KEY, "0b24af36193ce4665f2825d7b4749c98", "a9ff75bd7cf6613d3731c77c3b6d0c04"],
  [ZERO_KEY, "761c1fe41a18acf20d241650611d90f1", "623a52fcea5d443e48d9181ab32c7421"],
  [ZERO_KEY, "8a560769d605868ad80d819bdba03771", "38f2c7ae10612415d27ca190d27da8b4"],
  [ZERO_KEY, "91fbef2d15a97816060bee1feaa49afe", "1bc704f1bce135ceb810341b216d7abe"],
  ["c47b0294dbbbee0fec4757f22ffeee3587ca4730c3d33b691df38bab076bc558", ZERO_BLOCK, "46f2fb342d6f0ab477476fc501242c5f"],
  ["28d46cffa158533194214a91e712fc2b45b518076675affd910edeca5f41ac64", ZERO_BLOCK, "4bf3b0a69aeb6657794f2901b1440ad4"],
  [ZERO_KEY, `8${"0".repeat(31)}`, "ddc6bf790c15760d8d9aeb6f9a75fd4e"],
  [`8${"0".repeat(63)}`, ZERO_BLOCK, "e35a6dcb19b201a01ebcfa8aa22b5759"]
]

const IGE_CRC: ReadonlyArray<readonly [number, number]> = [
  [0, 0],
  [16, 2045698207],
  [32, 2423540300],
  [256, 525522475],
  [1024, 1545267325],
  [65536, 724143417]
]

const CTR_CRC: ReadonlyArray<readonly [number, number, number]> = [
  [0, 0, 0],
  [1, 1141589763, 2053451992],
  [31, 596296607, 1384063362],
  [32, 3673001485, 3266188502],
  [33, 2302125528, 2893295118],
  [9999, 330967191, 780356167],
  [10000, 2047392231, 1904947434],
  [10001, 3537459563, 2043402406],
  [999999, 307747798, 472080809],
  [1000001, 2149598133, 1807109488]
]

const CTR = [
  {
    key: "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
    iv: "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
    input: [
      "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51" +
      "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
    ],
    output: [
      "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5" +
      "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6"
    ]
  },
  {
    key: "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
    iv: "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
    input: Array.from({ length: 3 }, () => "6bc1bee22e409f96e93d7e117393172a"),
    output: ["601ec313775789a5b7a7f504bbf3d228", "31afd77f7d218690bd0ef82dfcf66cbe", "7000927e2f2192cbe4b6a8b2441ddd48"]
  },
  {
    key: "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4",
    iv: "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
    input: Array.from({ length: 6 }, () => "6bc1bee22e40"),
    output: ["601ec3137757", "7df2e078a555", "a3a17be0742e", "025ced833746", "3ff238dea125", "1055a52302dc"]
  },
  {
    key: "d450aae0bf0060a4af1044886b42a13f7c506b35255d134a7e87ab3f23a9493b",
    iv: "0182de2bd789c295c3c6c875c5e9e190",
    input: Array.from({ length: 6 }, () => "7baae571e4c2f4cfadb1931d5923aca7"),
    output: [
      "df5647dbb70bc393f2fb05b72f42286f",
      "3917147082672516b3177150129bc579",
      "2a7a9089270a5de45d5e3dd399cac725",
      "56d085217771398ac13583de4d677dd8",
      "cc639b488126cf36e79c4515e8012b92",
      "01384d100646cd562cc5586ec3f8f8c4"
    ]
  }
]

// lengths around the points where an implementation changes its method
const LENGTHS = [16, 48, 64, 240, 512, 1008, 1024, 1040, 1536, 2048, 4096, 32752, 32768, 32784, 65552, 131_088]

// the inputs of RFC 6070 with HMAC-SHA-512, as published for it: iterations, result
const KDF_KNOWN: ReadonlyArray<readonly [iterations: number, result: string]> = [
  [
    1,
    "867f70cf1ade02cff3752599a3a53dc4af34c7a669815ae5d513554e1c8cf252" +
    "c02d470a285a0501bad999bfe943c08f050235d7d68b1da55e63f73b60a57fce"
  ],
  [
    2,
    "e1d9c16aa681708a45f5c7c4e215ceb66e011a2e9f0040713f18aefdb866d53c" +
    "f76cab2868a39b9f7840edce4fef5a82be67335c77a6068e04112754f27ccf4e"
  ]
]

const KDF = {
  password: "pbkdf2 test",
  salt: "some salt",
  result: "e43276cfa27f135f261cec8ddcf593fd74ec251038e459c165461f2308f3a723" +
    "5e0744ee1aed9710b00db28d1a2112e20fea3601c60e770ac57ffe6b33ca8be1"
}

const PQ: ReadonlyArray<readonly [bigint, bigint]> = [
  // an older edition of core.telegram.org/mtproto/samples-auth_key
  [0x494C553Bn, 0x53911073n],
  [3n, 5n],
  [613n, 617n],
  [179424611n, 179424673n],
  [1229739323n, 1402015859n],
  [1229741209n, 1229748109n],
  [1008949199n, 1455403679n],
  [1112973847n, 1878321023n],
  [1206429347n, 1218991343n],
  [1555252417n, 1803100129n],
  [1518968219n, 1556064227n],
  [2147483629n, 2147483647n],
  [3n, 3074457345618258599n],
  [4294467311n, 4294467449n],
  [4294967279n, 4294967291n]
]

/** All cases. */
export const cases: ReadonlyArray<Case> = [
  sync("hashes of known texts", ({ md5, sha1, sha256 }) => {
    for (const [input, one, two, five] of HASHES) {
      equal("sha1", Hex.encode(sha1(text(input))), one)
      equal("sha256", Hex.encode(sha256(text(input))), two)
      equal("md5", Hex.encode(md5(text(input))), five)
    }
  }),
  sync("hashes of parts equal hashes of the whole, at every length to 200 and some beyond", ({ md5, sha1, sha256 }) => {
    for (const hash of [sha1, sha256, md5]) {
      equal("no parts", Hex.encode(hash()), Hex.encode(hash(new Uint8Array(0))))
      for (let n = 0; n < 200; n++) {
        const data = generator(n)(n)
        const third = Math.floor(n / 3)
        const parts = [data.subarray(0, third), new Uint8Array(0), data.subarray(third)]
        equal(`${n} bytes`, Hex.encode(hash(...parts)), Hex.encode(hash(data)))
      }
      for (const n of [4096, 16384, 16385, 70000]) {
        const data = generator(n)(n)
        const whole = Hex.encode(hash(data))
        equal(`${n} bytes`, Hex.encode(hash(data.subarray(0, 1), data.subarray(1, n - 1), data.subarray(n - 1))), whole)
      }
    }
  }),
  sync("AES-256-IGE of known texts", ({ aesIgeDecrypt, aesIgeEncrypt }) => {
    equal("encrypt", Hex.encode(aesIgeEncrypt(hex(IGE.plain), hex(IGE.key), hex(IGE.iv))), IGE.cipher)
    equal("decrypt", Hex.encode(aesIgeDecrypt(hex(IGE.cipher), hex(IGE.key), hex(IGE.iv))), IGE.plain)
    const counting = Uint8Array.from({ length: 32 }, (_, i) => i)
    equal(
      "encrypt",
      Hex.encode(aesIgeEncrypt(counting, counting, counting)),
      "e28112a53e5c89c7b1ea8071c133699fd4e86b26c4bac9fc5af1ab8ce27a44a4"
    )
    equal(
      "decrypt",
      Hex.encode(aesIgeDecrypt(counting, counting, counting)),
      "e5777afacd7b2c16f7ac40cae61ef603fee6098fb8a8860ab9ee672cd7e5bacc"
    )
  }),
  sync("AES-256 of known blocks", ({ aesIgeDecrypt, aesIgeEncrypt }) => {
    const iv = new Uint8Array(32)
    for (const [key, plain, cipher] of BLOCKS) {
      equal("encrypt", Hex.encode(aesIgeEncrypt(hex(plain), hex(key), iv)), cipher)
      equal("decrypt", Hex.encode(aesIgeDecrypt(hex(cipher), hex(key), iv)), plain)
    }
  }),
  sync("AES-256-IGE of generated texts", ({ aesIgeDecrypt, aesIgeEncrypt }) => {
    for (const [length, crc] of IGE_CRC) {
      const next = generator(length)
      const plain = next(length)
      const key = next(32)
      const iv = next(32)
      const cipher = aesIgeEncrypt(plain, key, iv)
      equal(`${length} bytes`, crc32(cipher), crc)
      equal(`${length} bytes back`, Hex.encode(aesIgeDecrypt(cipher, key, iv)), Hex.encode(plain))
    }
  }),
  sync("AES-256-IGE in parts equals the whole, from unaligned views, and leaves its arguments alone", (crypto) => {
    for (const length of LENGTHS) {
      const next = generator(length)
      const buffer = next(length + 67)
      const plain = buffer.subarray(1, 1 + length)
      const key = buffer.subarray(1 + length, 33 + length)
      const iv = buffer.subarray(33 + length, 65 + length)
      const before = Hex.encode(buffer)
      const cipher = crypto.aesIgeEncrypt(plain, key, iv)
      const cut = length > 32 ? (length >> 5) << 4 : 16
      const head = crypto.aesIgeEncrypt(plain.subarray(0, cut), key, iv)
      const middle = Bytes.concat([head.subarray(cut - 16), plain.subarray(cut - 16, cut)])
      const tail = crypto.aesIgeEncrypt(plain.subarray(cut), key, middle)
      equal(`${length} bytes in parts`, Hex.encode(Bytes.concat([head, tail])), Hex.encode(cipher))
      equal(`${length} bytes back`, Hex.encode(crypto.aesIgeDecrypt(cipher, key, iv)), Hex.encode(plain))
      const back = crypto.aesIgeDecrypt(cipher.subarray(cut), key, middle)
      equal(`${length} bytes back from a part`, Hex.encode(back), Hex.encode(plain.subarray(cut)))
      equal("arguments", Hex.encode(buffer), before)
    }
  }),
  sync("messages of MTProto 2.0 equal what the primitives make", (crypto) => {
    const generic = Message.make(crypto)
    for (const length of [...LENGTHS, 0, 32, 208, 4224, 32736, 49152]) {
      const next = generator(length + 1)
      const shared = next(256)
      const plaintext = next(length)
      for (const x of [0, 8] as const) {
        const packet = crypto.messageEncrypt(shared, plaintext, x)
        equal(`${length} bytes`, Hex.encode(packet), Hex.encode(generic.messageEncrypt(shared, plaintext, x)))
        const opened = crypto.messageDecrypt(shared, packet, x)
        equal(`${length} bytes back`, Hex.encode(opened.plaintext), Hex.encode(plaintext))
        equal("large", Hex.encode(opened.large.subarray(0, 24)), Hex.encode(packet.subarray(0, 24)))
        equal("length of the hash", opened.large.length, 32)
      }
    }
  }),
  sync("AES-256-CTR of known texts, in any split", ({ aesCtr }) => {
    for (const { input, iv, key, output } of CTR) {
      const stream = aesCtr(hex(key), hex(iv))
      input.forEach((part, i) => equal(`part ${i}`, Hex.encode(stream(hex(part))), output[i]))
    }
  }),
  sync("AES-256-CTR of generated texts, with a counter that overflows", ({ aesCtr }) => {
    for (const [length, crc, overflowed] of CTR_CRC) {
      const next = generator(length)
      const plain = next(length)
      const key = next(32)
      const iv = next(16)
      equal(`${length} bytes`, crc32(aesCtr(key, iv)(plain)), crc)
      const stream = aesCtr(key, new Uint8Array(16).fill(255))
      const cut = Math.floor(length / 3)
      const parts = [plain.subarray(0, cut), plain.subarray(cut)].map(stream)
      equal(`${length} bytes with overflow`, crc32(Bytes.concat(parts)), overflowed)
    }
  }),
  sync("wrong lengths are refused", (crypto) => {
    const { aesCtr, aesIgeDecrypt, aesIgeEncrypt, messageDecrypt, messageEncrypt, randomBytes } = crypto
    const block = new Uint8Array(16)
    const wide = new Uint8Array(32)
    for (const f of [aesIgeEncrypt, aesIgeDecrypt]) {
      throws("data", () => f(new Uint8Array(15), wide, wide))
      throws("long data", () => f(new Uint8Array(4097), wide, wide))
      throws("key", () => f(block, block, wide))
      throws("iv", () => f(block, wide, block))
    }
    const shared = new Uint8Array(256)
    throws("shared key", () => messageEncrypt(shared.subarray(1), block, 0))
    throws("message", () => messageEncrypt(shared, new Uint8Array(20), 0))
    throws("shared key", () => messageDecrypt(shared.subarray(1), new Uint8Array(40), 8))
    throws("packet", () => messageDecrypt(shared, new Uint8Array(41), 8))
    throws("short packet", () => messageDecrypt(shared, new Uint8Array(8), 8))
    throws("long packet", () => messageDecrypt(shared, new Uint8Array(100_000), 8))
    throws("key", () => aesCtr(block, block))
    throws("iv", () => aesCtr(wide, wide))
    for (const length of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      throws("random length", () => randomBytes(length))
    }
  }),
  sync("random bytes have the length asked for and differ", ({ randomBytes }) => {
    const seen = new Set<string>()
    for (const length of [0, 1, 7, 16, 1024, 1025, 9000, 70000]) equal("length", randomBytes(length).length, length)
    for (let i = 0; i < 2000; i++) seen.add(Hex.encode(randomBytes(16)))
    equal("different", seen.size, 2000)
    const ones = randomBytes(65536).reduce((sum, byte) => sum + (byte & 1) + ((byte >> 7) & 1), 0)
    equal("balanced", Math.abs(ones - 65536) < 1500, true)
  }),
  sync("random bytes belong to the caller", ({ randomBytes }) => {
    const first = randomBytes(16)
    const copy = Hex.encode(first)
    randomBytes(16).fill(1)
    equal("bytes", Hex.encode(first), copy)
    equal("buffer", first.buffer.byteLength, 16)
  }),
  sync("comparison", ({ constantTimeEqual }) => {
    equal("empty", constantTimeEqual(new Uint8Array(0), new Uint8Array(0)), true)
    for (const n of [1, 16, 33]) {
      const a = generator(n)(n)
      equal("same", constantTimeEqual(a, a.slice()), true)
      equal("shorter", constantTimeEqual(a, a.subarray(1)), false)
      for (let bit = 0; bit < 8 * n; bit++) {
        const b = a.slice()
        b[bit >> 3]! ^= 1 << (bit & 7)
        equal(`bit ${bit}`, constantTimeEqual(a, b), false)
      }
    }
  }),
  effect(
    "decryption of long data equals that of short data, and leaves its arguments alone",
    (crypto) =>
      Effect.gen(function*() {
        for (const length of [0, 16, 65536, 65552, 200_000, 524_288]) {
          const next = generator(length + 5)
          const [data, key, iv] = [next(length), next(32), next(32)] as const
          const before = Hex.encode(crypto.md5(data, key, iv))
          const both = yield* Effect.all(
            [crypto.aesIgeDecryptLarge(data, key, iv), crypto.aesIgeDecryptLarge(data, iv, key)],
            { concurrency: 2 }
          )
          yield* check(() => {
            equal("first", crc32(both[0]), crc32(crypto.aesIgeDecrypt(data, key, iv)))
            equal("second", crc32(both[1]), crc32(crypto.aesIgeDecrypt(data, iv, key)))
            equal("arguments", Hex.encode(crypto.md5(data, key, iv)), before)
          })
        }
        const wide = new Uint8Array(32)
        yield* failsWith("data", crypto.aesIgeDecryptLarge(new Uint8Array(100_001), wide, wide), "InvalidArgument")
        yield* failsWith("key", crypto.aesIgeDecryptLarge(wide, new Uint8Array(31), wide), "InvalidArgument")
        yield* failsWith("iv", crypto.aesIgeDecryptLarge(wide, wide, new Uint8Array(16)), "InvalidArgument")
      })
  ),
  effect("modular exponentiation equals a plain one", (crypto) =>
    Effect.gen(function*() {
      const next = generator(2048)
      const moduli = [Uint8Array.of(3), Uint8Array.of(0, 0, 0xfb), next(33), next(64), next(128), WELL_KNOWN_PRIME]
      for (const input of moduli) {
        const modulus = input.slice()
        modulus[modulus.length - 1]! |= 1
        const n = modulus.length
        const less = Bytes.fromBigInt(Bytes.toBigInt(modulus) - 1n, n)
        const bases = [new Uint8Array(0), Uint8Array.of(1), Uint8Array.of(3), less, modulus, next(n), next(n + 3)]
        const exponents = [new Uint8Array(0), Uint8Array.of(0, 1), Uint8Array.of(1, 0, 1), less, next(n), next(n + 1)]
        for (const base of bases.slice(n > 200 ? 4 : 0)) {
          for (const exponent of exponents) {
            const actual = yield* crypto.modPow(base, exponent, modulus)
            const expected = plainModPow(base, exponent, modulus)
            yield* check(() => equal("power", Hex.encode(actual), Hex.encode(expected)))
          }
        }
      }
    })),
  effect("modular exponentiation runs side by side", (crypto) =>
    Effect.gen(function*() {
      const next = generator(77)
      const bases = Array.from({ length: 6 }, () => next(256))
      const exponent = next(40)
      const results = yield* Effect.all(
        bases.map((base) => crypto.modPow(base, exponent, WELL_KNOWN_PRIME)),
        { concurrency: "unbounded" }
      )
      yield* check(() =>
        results.forEach((result, i) =>
          equal("power", Hex.encode(result), Hex.encode(plainModPow(bases[i]!, exponent, WELL_KNOWN_PRIME)))
        )
      )
    })),
  effect("modular exponentiation refuses what it cannot do", (crypto) =>
    Effect.gen(function*() {
      const one = Uint8Array.of(1)
      for (const modulus of [new Uint8Array(0), Uint8Array.of(0), Uint8Array.of(0, 1), Uint8Array.of(8)]) {
        yield* failsWith("modulus", crypto.modPow(one, one, modulus), "InvalidArgument")
      }
      const huge = new Uint8Array(1025).fill(255)
      yield* failsWith("size", crypto.modPow(one, one, huge), "InvalidArgument")
      yield* failsWith("size", crypto.modPow(huge, one, Uint8Array.of(7)), "InvalidArgument")
      yield* failsWith("size", crypto.modPow(one, huge, Uint8Array.of(7)), "InvalidArgument")
    })),
  effect("safe primes", (crypto) =>
    Effect.gen(function*() {
      const small = [5, 7, 11, 23, 47, 59, 83, 107, 167, 179, 227, 263]
      for (let n = 0; n < 270; n++) {
        const verdict = yield* crypto.isSafePrime(Uint8Array.of(n >> 8, n))
        yield* check(() => equal(String(n), verdict, small.includes(n)))
      }
      // safe primes of 64 and 256 bits, one prime with composite half, one composite with prime half
      const wide: ReadonlyArray<readonly [bigint, boolean]> = [
        [18446744073709550147n, true],
        [2n ** 256n - 36113n, true],
        [18446744073709551557n, false],
        [2n * 18446744073709551557n + 1n, false],
        [2n ** 256n - 189n, false]
      ]
      for (const [n, safe] of wide) {
        const verdict = yield* crypto.isSafePrime(Bytes.fromBigInt(n, 40))
        yield* check(() => equal(String(n), verdict, safe))
      }
      const known = yield* crypto.isSafePrime(WELL_KNOWN_PRIME)
      yield* check(() => equal("well-known", known, true))
      yield* failsWith("size", crypto.isSafePrime(new Uint8Array(1025)), "InvalidArgument")
    })),
  effect("PBKDF2 with HMAC-SHA-512", (crypto) =>
    Effect.gen(function*() {
      const derived = yield* crypto.pbkdf2Sha512(text(KDF.password), text(KDF.salt), 10, 64)
      yield* check(() => equal("64 bytes", Hex.encode(derived), KDF.result))
      const short = yield* crypto.pbkdf2Sha512(text(KDF.password), text(KDF.salt), 10, 20)
      yield* check(() => equal("20 bytes", Hex.encode(short), KDF.result.slice(0, 40)))
      for (const [iterations, result] of KDF_KNOWN) {
        const known = yield* crypto.pbkdf2Sha512(text("password"), text("salt"), iterations, 64)
        yield* check(() => equal(`${iterations} iterations`, Hex.encode(known), result))
      }
      const nothing = new Uint8Array(0)
      yield* failsWith("iterations", crypto.pbkdf2Sha512(nothing, nothing, 0, 64), "InvalidArgument")
      yield* failsWith("length", crypto.pbkdf2Sha512(nothing, nothing, 1, 0), "InvalidArgument")
      yield* failsWith("length", crypto.pbkdf2Sha512(nothing, nothing, 1, 1e9), "InvalidArgument")
    })),
  effect("factorisation", (crypto) =>
    Effect.gen(function*() {
      for (const [p, q] of PQ) {
        const factors = yield* crypto.factorize(p * q)
        yield* check(() => equal(String(p * q), `${factors.p} ${factors.q}`, `${p} ${q}`))
      }
      const not = [-15n, 0n, 1n, 2n, 4n, 9n, 1229739323n, 18446744073709551557n, 1229739323n ** 2n, 2n ** 64n + 13n]
      for (const n of not) yield* failsWith(String(n), crypto.factorize(n), "CheckFailed")
    }))
]

const plainModPow = (base: Uint8Array, exponent: Uint8Array, modulus: Uint8Array): Uint8Array => {
  const m = Bytes.toBigInt(modulus)
  let result = 1n % m
  let square = Bytes.toBigInt(base) % m
  for (let e = Bytes.toBigInt(exponent); e > 0n; e >>= 1n) {
    if ((e & 1n) === 1n) result = (result * square) % m
    square = (square * square) % m
  }
  return Bytes.fromBigInt(result, modulus.length)
}
