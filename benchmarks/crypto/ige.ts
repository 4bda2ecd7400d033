/** AES-256-IGE at the sizes that matter: packets, messages, parts of files. */
import * as GramJs from "@cryptography/aes"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import { fork } from "node:child_process"
import { createCipheriv, createSecretKey } from "node:crypto"
import { once } from "node:events"
import { createRequire } from "node:module"
import { join } from "node:path"
import { assertEqualBytes, type Bench, type Contender, median } from "../lib/Bench.ts"
import * as Mtcute from "../lib/Mtcute.ts"
import { named } from "../lib/Versions.ts"
import * as OpenSsl from "./openssl.ts"
import type { Turn } from "./speed.ts"

const require = createRequire(import.meta.url)
const MtprotoCore = require("@mtproto/core/src/crypto/aes/index.js") as {
  readonly IGE: new(key: Uint8Array, iv: Uint8Array) => {
    readonly encrypt: (data: Uint8Array) => Uint8Array
    readonly decrypt: (data: Uint8Array) => Uint8Array
  }
}

const KiB = 1024

/** Sizes with the goals against mtcute; the other two peers have none. */
const sizes = [
  { size: 64, encrypt: 1.1, decrypt: 1.1 },
  { size: 256, encrypt: 1.1, decrypt: 1.1 },
  { size: KiB, encrypt: 1.1, decrypt: 1.1 },
  { size: 4 * KiB, encrypt: 2.3, decrypt: 1.1 },
  { size: 16 * KiB, encrypt: 4, decrypt: 1.1 },
  { size: 512 * KiB, encrypt: 4, decrypt: 1.1 }
]

const label = (size: number): string => size < KiB ? `${size} B` : `${size / KiB} KiB`

const bytesOf = (length: number, factor: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (i * factor + (i >> 8)) & 255)

/** gramjs gets big-endian words from its library, and turns them into bytes like this. */
const toBytes = (words: Uint32Array): Uint8Array => {
  const bytes = Buffer.alloc(words.length * 4)
  for (let i = 0; i < words.length; i++) bytes.writeUInt32BE(words[i]!, i * 4)
  return bytes
}

interface Encrypter extends Contender {
  readonly run: () => Uint8Array
}

export const run = async (bench: Bench, crypto: Crypto["Service"]): Promise<void> => {
  await Mtcute.loadProvider()
  const key = bytesOf(32, 11)
  const iv = bytesOf(32, 5)
  const encrypt = crypto.aesIgeEncrypt
  const decrypt = crypto.aesIgeDecrypt

  for (const { decrypt: decryptGoal, encrypt: encryptGoal, size } of sizes) {
    const plain = bytesOf(size, 7)
    const cipher = encrypt(plain, key, iv)
    const gramJsKey = Buffer.from(key)
    const gramJsIv = Buffer.from(iv)
    const peers = (
      direction: "encrypt" | "decrypt",
      data: Uint8Array,
      mtcute: (data: Uint8Array, key: Uint8Array, iv: Uint8Array) => Uint8Array,
      goal: number
    ): ReadonlyArray<Encrypter> => [
      { name: named("@mtcute/wasm"), run: () => mtcute(data, key, iv), goal },
      {
        name: `gramjs (${named("@cryptography/aes")})`,
        run: () => toBytes(new GramJs.IGE(gramJsKey, gramJsIv)[direction](data))
      },
      { name: named("@mtproto/core"), run: () => new MtprotoCore.IGE(key, iv)[direction](data) }
    ]
    // what long encryption is built on, and cannot be faster than: the same key and cipher objects, and no IGE
    const cbc = () => createCipheriv("aes-256-cbc", createSecretKey(key), iv.subarray(0, 16)).update(plain)
    const encrypters = peers("encrypt", plain, Mtcute.igeEncrypt, encryptGoal)
    const decrypters = peers("decrypt", cipher, Mtcute.igeDecrypt, decryptGoal)
    await bench.compare({
      name: `AES-256-IGE encrypt ${label(size)}`,
      unit: "MB/s",
      bytes: size,
      ours: () => encrypt(plain, key, iv),
      peers: size < 4 * KiB ? encrypters : [...encrypters, { name: "node:crypto's AES-256-CBC alone", run: cbc }],
      check: () => {
        for (const peer of encrypters) assertEqualBytes(peer.name, Uint8Array.from(peer.run()), cipher)
      }
    })
    await bench.compare({
      name: `AES-256-IGE decrypt ${label(size)}`,
      unit: "MB/s",
      bytes: size,
      ours: () => decrypt(cipher, key, iv),
      peers: decrypters,
      check: () => {
        assertEqualBytes("ours", decrypt(cipher, key, iv), plain)
        for (const peer of decrypters) assertEqualBytes(peer.name, Uint8Array.from(peer.run()), plain)
      }
    })
  }

  // OpenSSL measures itself in a process of its own, and so do we; the turns are long. It counts the time of its CPU, and
  // so do we: others get in between. Ours is warm when the memory of results that are collected has stopped growing.
  const ceiling = OpenSsl.ceiling()
  const child = fork(join(import.meta.dirname, "speed.ts"), { execArgv: ["--no-warnings"] })
  const turn = async (size: number, milliseconds: number): Promise<number> => {
    child.send({ size, milliseconds } satisfies Turn)
    const [figure] = await once(child, "message")
    return figure
  }
  for (const size of [16 * KiB, 512 * KiB]) {
    const quick = bench.rounds < 10
    await turn(size, quick ? 500 : 2000)
    const ours: Array<number> = []
    const theirs: Array<number> = []
    for (let i = 0; i < (quick ? 1 : 5); i++) {
      theirs.push(ceiling.measure(size))
      ours.push(await turn(size, 500))
    }
    bench.add({
      name: `AES-256-IGE encrypt ${label(size)}`,
      unit: "MB/s",
      ours: median(ours),
      peer: median(theirs),
      peerName: ceiling.name,
      ratio: median(ours.map((figure, i) => figure / theirs[i]!)),
      goal: 0.6
    })
  }
  child.disconnect()
}
