/**
 * The peer: mtcute's TL reader and writer, its authorization key exchange and its cryptography, put together as its Node
 * platform does. Most of it is not among the exports of its packages, so it is loaded by path.
 */
import * as Wasm from "@mtcute/wasm"
import { createCipheriv, createHash, randomFillSync } from "node:crypto"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import { pathToFileURL } from "node:url"

const require = createRequire(import.meta.url)
const core = dirname(dirname(require.resolve("@mtcute/core/tl/api-schema.json")))
const fromCore = createRequire(join(core, "package.json"))

const load = (path: string): Promise<any> => import(pathToFileURL(path).href)
const esm = (name: string): string => fromCore.resolve(name).replace(/\.cjs$/, ".js")

export interface Binary {
  readonly readerMap: any
  readonly writerMap: any
  readonly Reader: any
  readonly Writer: any
  /** Reads a constructor. */
  readonly read: (bytes: Uint8Array) => unknown
  /** Writes what `read` or `translate` has made. */
  readonly write: (value: unknown) => Uint8Array
}

/** Its TL runtime with the maps that it generates for the server's API. */
export const loadBinary = async (): Promise<Binary> => {
  const [reader, writer, runtime] = await Promise.all([
    load(join(core, "tl/binary/reader.js")),
    load(join(core, "tl/binary/writer.js")),
    load(esm("@mtcute/tl-runtime"))
  ])
  const readerMap = reader.__tlReaderMap
  const writerMap = writer.__tlWriterMap
  return {
    readerMap,
    writerMap,
    Reader: runtime.TlBinaryReader,
    Writer: runtime.TlBinaryWriter,
    read: (bytes) => runtime.TlBinaryReader.deserializeObject(readerMap, bytes),
    write: (value) => runtime.TlBinaryWriter.serializeObject(writerMap, value)
  }
}

/** Its 64-bit integers. */
export const loadLong = async (): Promise<any> => (await load(esm("long"))).default

/** One of our values as mtcute has it; ids of users and chats are numbers there, other longs are objects. */
export const translate = async (value: unknown, numbers: ReadonlySet<string>): Promise<unknown> => {
  const Long = await loadLong()
  const go = (v: unknown, key: string): unknown => {
    if (typeof v === "bigint") {
      if (numbers.has(key)) return Number(v)
      return new Long(Number(BigInt.asIntN(32, v)), Number(BigInt.asIntN(32, v >> 32n)))
    }
    if (Array.isArray(v)) return v.map((item) => go(item, key))
    if (typeof v !== "object" || v === null || ArrayBuffer.isView(v)) return v
    return Object.fromEntries(Object.entries(v).map(([k, item]) => [k === "_tag" ? "_" : k, go(item, k)]))
  }
  return go(value, "")
}

const startWasm = (): void =>
  Wasm.initSync(
    readFileSync(require.resolve(Wasm.SIMD_AVAILABLE ? "@mtcute/wasm/mtcute-simd.wasm" : "@mtcute/wasm/mtcute.wasm"))
  )

export const igeEncrypt = (data: Uint8Array, key: Uint8Array, iv: Uint8Array): Uint8Array =>
  Wasm.ige256Encrypt(data, key, iv)
export const igeDecrypt = (data: Uint8Array, key: Uint8Array, iv: Uint8Array): Uint8Array =>
  Wasm.ige256Decrypt(data, key, iv)

export interface Provider {
  randomFill: (bytes: Uint8Array) => void
  readonly [key: string]: any
}

/** The cryptography of its Node platform: hashes of node:crypto, AES-IGE of its WebAssembly module. */
export const loadProvider = async (): Promise<Provider> => {
  startWasm()
  const { BaseCryptoProvider } = await load(join(core, "utils/crypto/abstract.js"))
  class NodeProvider extends BaseCryptoProvider {
    sha1(data: Uint8Array): Uint8Array {
      return createHash("sha1").update(data).digest()
    }
    sha256(data: Uint8Array): Uint8Array {
      return createHash("sha256").update(data).digest()
    }
    createAesCtr(key: Uint8Array, iv: Uint8Array): unknown {
      const cipher = createCipheriv("aes-256-ctr", key, iv)
      return { process: (data: Uint8Array) => cipher.update(data) }
    }
    createAesIge(key: Uint8Array, iv: Uint8Array): unknown {
      return {
        encrypt: (data: Uint8Array) => Wasm.ige256Encrypt(data, key, iv),
        decrypt: (data: Uint8Array) => Wasm.ige256Decrypt(data, key, iv)
      }
    }
    randomFill(bytes: Uint8Array): void {
      randomFillSync(bytes)
    }
  }
  return new NodeProvider() as unknown as Provider
}

export interface Internals {
  readonly AuthKey: any
  readonly doAuthorization: (connection: unknown, provider: Provider) => Promise<[Uint8Array, unknown, number]>
  readonly addPublicKey: (provider: Provider, pem: string) => void
  readonly factorize: (provider: Provider, pq: Uint8Array) => [Uint8Array, Uint8Array]
  readonly bigint: {
    readonly fromBytes: (bytes: Uint8Array) => bigint
    readonly toBytes: (value: bigint, length?: number) => Uint8Array
    readonly modPowBinary: (base: bigint, exponent: bigint, modulus: bigint) => bigint
  }
  readonly mtpWriterMap: any
  readonly mtpReaderMap: any
}

export const loadInternals = async (): Promise<Internals> => {
  const [authKey, authorization, keys, factorization, utils, binary] = await Promise.all([
    load(join(core, "network/auth-key.js")),
    load(join(core, "network/authorization.js")),
    load(join(core, "utils/crypto/keys.js")),
    load(join(core, "utils/crypto/factorization.js")),
    load(esm("@fuman/utils")),
    loadBinary()
  ])
  return {
    AuthKey: authKey.AuthKey,
    doAuthorization: authorization.doAuthorization,
    addPublicKey: keys.addPublicKey,
    factorize: factorization.factorizePQSync,
    bigint: utils.bigint,
    mtpReaderMap: binary.readerMap,
    mtpWriterMap: binary.writerMap
  }
}

/** A log that says nothing. */
export const silentLog: unknown = new Proxy({}, {
  get: (_, key) => key === "create" ? () => silentLog : key === "prefix" ? "" : () => undefined,
  set: () => true
})
