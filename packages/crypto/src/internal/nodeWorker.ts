/**
 * The worker thread of `NodeCrypto`: modular exponentiation, which would hold up the event loop for milliseconds, and
 * decryption of long data where that is wanted.
 *
 * A thread takes as much memory as half a program, so the first few are done without one, in slices: a program that
 * agrees on some keys never starts it.
 */
import { Worker } from "node:worker_threads"
import * as Aes from "./aes.ts"
import * as IgeSlices from "./igeSlices.ts"
import * as Kernel from "./kernel.ts"
import * as NodeModPow from "./nodeModPow.ts"

// Plain JavaScript in a string, so that no bundler has a file to lose.
const SOURCE = `
"use strict"
const { parentPort, workerData } = require("node:worker_threads")
const { createPrivateKey, createPublicKey } = require("node:crypto")

const publicValue = (der) => {
  const key = createPrivateKey({ key: Buffer.from(der.buffer), format: "der", type: "pkcs8" })
  der.fill(0)
  return new Uint8Array(createPublicKey(key).export({ format: "der", type: "spki" }))
}

let kernel
const decrypt = (data, key, iv) => {
  const { DATA, IV, KEY, CHUNK, binary } = workerData
  if (kernel === undefined) {
    kernel = new WebAssembly.Instance(new WebAssembly.Module(Buffer.from(binary, "base64"))).exports
    kernel.init()
  }
  const memory = new Uint8Array(kernel.memory.buffer)
  memory.set(key, KEY)
  memory.set(iv, IV)
  key.fill(0)
  kernel.expandDecryption()
  for (let start = 0; start < data.length; start += CHUNK) {
    const part = data.subarray(start, start + CHUNK)
    memory.set(part, DATA)
    kernel.igeDecrypt(DATA, part.length)
    part.set(memory.subarray(DATA, DATA + part.length))
  }
  kernel.wipeKeys()
  kernel.wipeData(CHUNK)
  return data
}

parentPort.on("message", ({ id, der, data, key, iv }) => {
  try {
    const result = der === undefined ? decrypt(data, key, iv) : publicValue(der)
    parentPort.postMessage({ id, result }, [result.buffer])
  } catch {
    parentPort.postMessage({ id })
  }
})
`

/** So many are done on the calling thread, up to this length in bytes: each takes it 3 ms, one at a time. */
const WITHOUT_THREAD = 8
const LONGEST_WITHOUT = 256

interface Pending {
  readonly resolve: (value: Uint8Array) => void
  readonly reject: (error: unknown) => void
}

interface Answer {
  readonly id: number
  readonly result?: Uint8Array
}

export interface NodeWorker {
  readonly modPow: (base: Uint8Array, exponent: Uint8Array, modulus: Uint8Array) => Promise<Uint8Array>
  /** The arguments are copied. */
  readonly decrypt: (data: Uint8Array, key: Uint8Array, iv: Uint8Array) => Promise<Uint8Array>
  readonly close: () => Promise<void>
}

/**
 * A thread that is started when it is needed, keeps the process alive only while
 * it has one, and ends with `close`.
 */
export const make = (kernel: Kernel.Kernel | undefined): NodeWorker => {
  const pending = new Map<number, Pending>()
  let worker: Worker | undefined
  let closed = false
  let next = 0
  let withoutThread = WITHOUT_THREAD

  const failAll = (error: unknown): void => {
    const tasks = [...pending.values()]
    pending.clear()
    for (const task of tasks) task.reject(error)
  }

  const start = (): Worker => {
    const started = new Worker(SOURCE, {
      eval: true,
      execArgv: [],
      env: {},
      name: "effect-mtproto-crypto",
      workerData: kernel === undefined ? undefined : Kernel.forWorker(kernel.variant)
    })
    started.on("message", ({ id, result }: Answer) => {
      const task = pending.get(id)
      if (task === undefined) return
      pending.delete(id)
      if (pending.size === 0) started.unref()
      if (result === undefined) task.reject(new Error("the task failed"))
      else task.resolve(result)
    })
    const end = (error: unknown) => {
      if (worker === started) {
        worker = undefined
        failAll(error)
      }
    }
    started.on("error", end)
    started.on("exit", () => end(new Error("the worker thread ended")))
    return started
  }

  // false where threads are not allowed: their work is then done here, as correctly, but not as politely
  const available = (): boolean => {
    if (worker !== undefined || closed) return true
    try {
      worker = start()
      return true
    } catch {
      return false
    }
  }

  const run = (task: Readonly<Record<string, Uint8Array>>): Promise<Uint8Array> =>
    new Promise((resolve, reject) => {
      if (closed) return reject(new Error("the layer was closed"))
      const id = next++
      const running = worker ??= start()
      pending.set(id, { resolve, reject })
      running.ref()
      running.postMessage({ id, ...task }, Object.values(task).map((bytes) => bytes.buffer as ArrayBuffer))
    })

  return {
    modPow: async (base, exponent, modulus) => {
      const { length } = modulus
      const isShort = length <= LONGEST_WITHOUT && exponent.length <= LONGEST_WITHOUT
      if (!closed && worker === undefined && isShort && withoutThread > 0) {
        withoutThread--
        return NodeModPow.modPowSliced(base, exponent, modulus)
      }
      if (!available()) return NodeModPow.modPowSliced(base, exponent, modulus)
      return NodeModPow.decodeValue(await run({ der: NodeModPow.encodeKey(base, exponent, modulus) }), length)
    },
    decrypt: (data, key, iv) =>
      kernel !== undefined && available()
        ? run({ data: new Uint8Array(data), key: new Uint8Array(key), iv: new Uint8Array(iv) })
        : IgeSlices.decrypt(kernel?.igeDecrypt ?? Aes.igeDecrypt, data, key, iv),
    close: async () => {
      closed = true
      const ended = worker
      worker = undefined
      failAll(new Error("the layer was closed"))
      await ended?.terminate()
    }
  }
}
