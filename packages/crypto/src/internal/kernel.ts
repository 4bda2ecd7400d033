/**
 * The WebAssembly kernel of wasm/kernel.as: constant-time AES-256-IGE, SHA-256,
 * whole messages of MTProto 2.0, and factorisation.
 *
 * One instance serves one thread; every operation is synchronous, and overwrites
 * in the kernel's memory what it left of keys and data before it returns.
 */
import { checkIge, checkIgeLengths } from "./aes.ts"
import { plain, relaxed } from "./kernelBinary.ts"
import type { Plaintext } from "./message.ts"
import * as Message from "./message.ts"
import { release } from "./release.ts"

interface Exports {
  readonly memory: WebAssembly.Memory
  readonly init: () => void
  readonly expandEncryption: () => void
  readonly expandDecryption: () => void
  readonly igeEncrypt: (ptr: number, length: number) => void
  readonly igeDecrypt: (ptr: number, length: number) => void
  readonly encryptData: (length: number) => void
  readonly decryptData: (length: number) => void
  readonly startHistory: () => void
  readonly differences: (length: number) => void
  readonly restore: (length: number) => void
  readonly shaStart: () => void
  readonly shaBlocks: (ptr: number, length: number) => void
  readonly shaEnd: (ptr: number, length: number, total: number) => void
  readonly prepare: (x: number) => void
  readonly startMessage: (x: number, length: number) => void
  readonly endMessage: (length: number) => void
  readonly encryptMessage: (x: number, length: number) => void
  readonly decryptMessage: (x: number, length: number) => void
  readonly wipe: (length: number) => void
  readonly wipeKeys: () => void
  readonly wipeData: (length: number) => void
  readonly factor: (n: bigint, limit: number) => bigint
}

// addresses of wasm/kernel.as
const KEY = 1552
const IV = 1584
const SHA_STATE = 1616
const SHARED = 2544
const DATA = 4096
const SECOND = 40960

/** The most that is handed over at once. */
const CHUNK = 65536
const CBC_CHUNK = 32768
/** Up to here views are kept. */
const MOST_CACHED = 32768
/** Up to here a message is done in one piece. */
export const MAX_MESSAGE = 32768
const MAX_STEPS = 1 << 18

export interface Kernel {
  /** Which vector instructions it was built for. */
  readonly variant: "relaxed" | "plain"
  /** Its whole memory, for tests. */
  readonly memory: Uint8Array
  readonly igeEncrypt: (data: Uint8Array, key: Uint8Array, iv: Uint8Array) => Uint8Array
  readonly igeDecrypt: (data: Uint8Array, key: Uint8Array, iv: Uint8Array) => Uint8Array
  /** `igeEncrypt` by way of a CBC cipher that is made for the key and the first half of the IV. */
  readonly igeEncryptByCbc: (
    data: Plaintext,
    key: Uint8Array,
    iv: Uint8Array,
    cbc: MakeCbc,
    /** Where the ciphertext is to stand: as many bytes. A new array otherwise. */
    target?: Uint8Array | undefined
  ) => Uint8Array
  readonly sha256: (...parts: ReadonlyArray<Uint8Array>) => Uint8Array
  /** Messages of at most `MAX_MESSAGE` bytes of whole blocks. */
  readonly messageEncrypt: (
    sharedKey: Uint8Array,
    plaintext: Plaintext,
    x: number,
    engine?: MessageEngine | undefined
  ) => Uint8Array
  readonly messageDecrypt: (
    sharedKey: Uint8Array,
    packet: Uint8Array,
    x: number,
    engine?: MessageEngine | undefined
  ) => { readonly plaintext: Uint8Array; readonly large: Uint8Array }
  /** A proper factor of an odd composite from 9 to 2^64, or undefined. */
  readonly factor: (n: bigint) => bigint | undefined
}

/** Makes a CBC encryption of whole blocks, which returns arrays of their own. */
export type MakeCbc = (key: Uint8Array, iv: Uint8Array) => (data: Uint8Array) => Uint8Array

/** What an engine does faster than the kernel. */
export interface MessageEngine {
  /** SHA-256 as a string of 32 characters below 256. */
  readonly hash: (data: Uint8Array) => string
  readonly cbc: MakeCbc
  /** From how many bytes on `cbc` is worth it. */
  readonly cbcThreshold: number
}

/** Compiles and starts the kernel, or returns undefined where there is no WebAssembly or no SIMD. */
export const make = (): Kernel | undefined => {
  if (typeof WebAssembly === "undefined") return undefined
  for (const [variant, binary] of [["relaxed", relaxed], ["plain", plain]] as const) {
    const kernel = makeVariant(variant, binary)
    if (kernel !== undefined) return kernel
  }
  return undefined
}

/** What a worker thread needs to run a kernel of its own. */
export const forWorker = (variant: Kernel["variant"]) => ({
  binary: variant === "relaxed" ? relaxed : plain,
  DATA,
  IV,
  KEY,
  CHUNK
})

/** One of the two variants, for tests. */
export const makeVariant = (
  variant: "relaxed" | "plain",
  binary: string = variant === "relaxed" ? relaxed : plain
): Kernel | undefined => {
  try {
    const module = new WebAssembly.Module(bytesOf(binary))
    return wrap(variant, new WebAssembly.Instance(module).exports as unknown as Exports)
  } catch {
    // no such instructions here, or compilation is forbidden
    return undefined
  }
}

type FromBase64 = { readonly from: (text: string, encoding: "base64") => Uint8Array<ArrayBuffer> }

/** By the platform where it can: in a new process a callback for each of these characters takes several milliseconds. */
const bytesOf = (base64: string): Uint8Array<ArrayBuffer> => {
  const { Buffer } = globalThis as { readonly Buffer?: FromBase64 }
  if (Buffer !== undefined) return Buffer.from(base64, "base64")
  const text = atob(base64)
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i)
  return bytes
}

const wrap = (variant: Kernel["variant"], kernel: Exports): Kernel => {
  kernel.init()
  const memory = new Uint8Array(kernel.memory.buffer)

  // making a view costs as much as encrypting a block, and the lengths of messages recur
  const makeViews = (address: number, before: number) => {
    const cached: Array<Uint8Array> = []
    return (length: number): Uint8Array =>
      length > MOST_CACHED
        ? memory.subarray(address - before, address + length)
        : cached[length >> 4] ??= memory.subarray(address - before, address + length)
  }
  /** The `length` bytes at DATA, whole blocks, with the 32 bytes before them that are hashed with them. */
  const hashed = makeViews(DATA, 32)
  /** The same with the header of a packet before them. */
  const packetOf = makeViews(DATA, Message.HEADER)
  /** The same at SECOND, with the 8 bytes after it. */
  const secondPacketOf = makeViews(SECOND + 8, 32)
  const keyView = memory.subarray(KEY, KEY + 32)
  const ivView = memory.subarray(IV, IV + 16)

  const dataOf = makeViews(DATA, 0)
  const secondOf = makeViews(SECOND, 0)
  /** A copy of the `length` bytes at DATA, whole blocks. */
  const copy = (length: number): Uint8Array => {
    const out = new Uint8Array(length)
    out.set(dataOf(length))
    return out
  }

  const setKey = (key: Uint8Array, iv: Uint8Array): void => {
    memory.set(key, KEY)
    memory.set(iv, IV)
  }

  const ige = (
    data: Uint8Array,
    key: Uint8Array,
    iv: Uint8Array,
    expand: () => void,
    run: (ptr: number, length: number) => void
  ): Uint8Array => {
    setKey(key, iv)
    expand()
    const out = new Uint8Array(data.length)
    for (let start = 0; start < data.length; start += CHUNK) {
      const length = Math.min(CHUNK, data.length - start)
      memory.set(data.subarray(start, start + length), DATA)
      run(DATA, length)
      out.set(memory.subarray(DATA, DATA + length), start)
    }
    kernel.wipe(CHUNK)
    return out
  }

  const igeEncrypt: Kernel["igeEncrypt"] = (data, key, iv) => {
    checkIge("Crypto.aesIgeEncrypt", data, key, iv)
    if (data.length > CHUNK) return ige(data, key, iv, kernel.expandEncryption, kernel.igeEncrypt)
    setKey(key, iv)
    memory.set(data, DATA)
    kernel.encryptData(data.length)
    return copy(data.length)
  }

  const igeDecrypt: Kernel["igeDecrypt"] = (data, key, iv) => {
    checkIge("Crypto.aesIgeDecrypt", data, key, iv)
    if (data.length > CHUNK) return ige(data, key, iv, kernel.expandDecryption, kernel.igeDecrypt)
    setKey(key, iv)
    memory.set(data, DATA)
    kernel.decryptData(data.length)
    const out = copy(data.length)
    kernel.wipeData(data.length)
    return out
  }

  // DATA holds `length` bytes of plaintext, and the 32 bytes before it the history; the ciphertext ends up in SECOND. An
  // array of as many bytes is returned that nobody needs any more.
  const pass = (length: number, encrypt: (data: Uint8Array) => Uint8Array): Uint8Array => {
    kernel.differences(length)
    const encrypted = encrypt(secondOf(length))
    memory.set(encrypted, SECOND)
    kernel.restore(length)
    return encrypted
  }

  const igeEncryptByCbc: Kernel["igeEncryptByCbc"] = (data, key, iv, cbc, target) => {
    const length = Message.lengthOf(data)
    checkIgeLengths("Crypto.aesIgeEncrypt", length, key, iv)
    memory.set(iv, IV)
    const encrypt = cbc(key, ivView)
    kernel.startHistory()
    let out: Uint8Array
    if (length <= CBC_CHUNK && data instanceof Uint8Array && target === undefined) {
      memory.set(data, DATA)
      // large arrays are dear: what the cipher returned becomes the result
      out = pass(length, encrypt)
      out.set(secondOf(length))
    } else {
      out = target ?? new Uint8Array(length)
      const gather = gatherer(data instanceof Uint8Array ? [data] : data)
      for (let start = 0; start < length; start += CBC_CHUNK) {
        const size = Math.min(CBC_CHUNK, length - start)
        gather(size)
        release(pass(size, encrypt))
        out.set(secondOf(size), start)
      }
    }
    kernel.wipe(Math.min(CBC_CHUNK, length))
    return out
  }

  /** Puts the next bytes of some arrays, one after the other, to DATA. */
  const gatherer = (parts: ReadonlyArray<Uint8Array>) => {
    let index = 0
    let offset = 0
    return (size: number): void => {
      for (let filled = 0; filled < size;) {
        const part = parts[index]!
        const some = part.subarray(offset, offset + size - filled)
        memory.set(some, DATA + filled)
        filled += some.length
        offset += some.length
        if (offset === part.length) {
          index++
          offset = 0
        }
      }
    }
  }

  const sha256: Kernel["sha256"] = (...parts) => {
    kernel.shaStart()
    let used = 0
    let total = 0
    let most = 0
    for (const part of parts) {
      total += part.length
      for (let offset = 0; offset < part.length;) {
        const length = Math.min(CHUNK - used, part.length - offset)
        memory.set(length === part.length ? part : part.subarray(offset, offset + length), DATA + used)
        used += length
        offset += length
        if (used > most) most = used
        if (used === CHUNK) {
          kernel.shaBlocks(DATA, CHUNK)
          used = 0
        }
      }
    }
    kernel.shaEnd(DATA, used, total)
    const digest = memory.slice(SHA_STATE, SHA_STATE + 32)
    kernel.wipe(most)
    return digest
  }

  // hashes 32 bytes of the shared key, before DATA, and the plaintext at DATA; the first `wanted` bytes go to `out`
  const hashMessage = (
    length: number,
    engine: MessageEngine | undefined,
    out: Uint8Array,
    offset: number,
    wanted: number
  ): void => {
    if (engine === undefined) {
      kernel.shaStart()
      kernel.shaEnd(DATA - 32, 32 + length, 32 + length)
      for (let i = 0; i < wanted; i++) out[offset + i] = memory[SHA_STATE + i]!
    } else {
      const text = engine.hash(hashed(length))
      for (let i = 0; i < wanted; i++) out[offset + i] = text.charCodeAt(i)
    }
  }

  const messageEncrypt: Kernel["messageEncrypt"] = (sharedKey, plaintext, x, engine) => {
    const length = Message.lengthOf(plaintext)
    Message.check("Crypto.messageEncrypt", sharedKey, length)
    memory.set(sharedKey, SHARED)
    if (plaintext instanceof Uint8Array) {
      memory.set(plaintext, DATA)
    } else {
      let offset = DATA
      for (let i = 0; i < plaintext.length; i++) {
        const part = plaintext[i]!
        memory.set(part, offset)
        offset += part.length
      }
    }
    kernel.prepare(x)
    // the packet is put together where the plaintext is, its header over what was hashed with it
    hashMessage(length, engine, memory, DATA - Message.HEADER, Message.HEADER)
    if (engine === undefined || length < engine.cbcThreshold) {
      kernel.encryptMessage(x, length)
      const packet = new Uint8Array(Message.HEADER + length)
      packet.set(packetOf(length))
      return packet
    }
    kernel.startMessage(x, length)
    // large arrays are dear: what the cipher returned becomes the packet
    const out = engine.cbc(keyView, ivView)(secondOf(length + 32))
    memory.set(out, SECOND)
    kernel.endMessage(length)
    out.set(secondPacketOf(length))
    return new Uint8Array(out.buffer, out.byteOffset, Message.HEADER + length)
  }

  const messageDecrypt: Kernel["messageDecrypt"] = (sharedKey, packet, x, engine) => {
    const length = packet.length - Message.HEADER
    Message.check("Crypto.messageDecrypt", sharedKey, length)
    memory.set(sharedKey, SHARED)
    memory.set(packet, DATA - Message.HEADER)
    kernel.decryptMessage(x, length)
    const plaintext = copy(length)
    const large = new Uint8Array(32)
    hashMessage(length, engine, large, 0, 32)
    kernel.wipe(length)
    return { plaintext, large }
  }

  return {
    variant,
    memory,
    igeEncrypt,
    igeDecrypt,
    igeEncryptByCbc,
    sha256,
    messageEncrypt,
    messageDecrypt,
    factor: (n) => {
      const factor = BigInt.asUintN(64, kernel.factor(n, MAX_STEPS))
      return factor === 0n ? undefined : factor
    }
  }
}
