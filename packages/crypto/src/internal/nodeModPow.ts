/**
 * Modular exponentiation by OpenSSL, on a worker thread.
 *
 * Node has no such function, but importing a Diffie-Hellman private key makes
 * OpenSSL compute its public value `g ^ x mod p`, by the constant-time ladder and
 * without any check on `p`. So a key is written with the wanted numbers as PKCS#8
 * (RFC 5208), and its public value read from the SubjectPublicKeyInfo of its
 * public half. 2048 bits take 2 ms, which is why a thread of its own does it.
 */
import { createPrivateKey, createPublicKey } from "node:crypto"
import { Worker } from "node:worker_threads"
import * as Bytes from "./bytes.ts"
import * as Der from "./der.ts"

/** OpenSSL refuses smaller Diffie-Hellman moduli. */
export const MIN_BITS = 512

// 1.2.840.113549.1.3.1, dhKeyAgreement
const OID = Uint8Array.of(0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x03, 0x01)

const encodeKey = (base: Uint8Array, exponent: Uint8Array, modulus: Uint8Array): Uint8Array =>
  Der.write(
    Der.SEQUENCE,
    Der.writeUnsigned(new Uint8Array(0)),
    Der.write(
      Der.SEQUENCE,
      OID,
      Der.write(Der.SEQUENCE, Der.writeUnsigned(modulus), Der.writeUnsigned(base))
    ),
    Der.write(Der.OCTET_STRING, Der.writeUnsigned(exponent))
  )

const decodeValue = (spki: Uint8Array, length: number): Uint8Array => {
  const bits = Der.readSequence(spki)?.[1]
  // a bit string starts with the number of unused bits, which is 0 here
  const value = Der.readUnsigned(bits === undefined ? undefined : Der.read(bits.content.subarray(1))?.[0])
  const padded = value === undefined ? undefined : Bytes.toLength(value, length)
  if (padded === undefined) throw new Error("unexpected form of a Diffie-Hellman public key")
  return padded
}

/** The same on the calling thread. */
export const modPowSync = (base: Uint8Array, exponent: Uint8Array, modulus: Uint8Array): Uint8Array => {
  const der = encodeKey(base, exponent, modulus)
  const key = createPrivateKey({ key: der as Buffer, format: "der", type: "pkcs8" })
  der.fill(0)
  return decodeValue(createPublicKey(key).export({ format: "der", type: "spki" }), modulus.length)
}

// Plain JavaScript in a string, so that no bundler has a file to lose.
const SOURCE = `
"use strict"
const { parentPort } = require("node:worker_threads")
const { createPrivateKey, createPublicKey } = require("node:crypto")
parentPort.on("message", ({ id, der }) => {
  try {
    const key = createPrivateKey({ key: Buffer.from(der.buffer), format: "der", type: "pkcs8" })
    der.fill(0)
    const spki = new Uint8Array(createPublicKey(key).export({ format: "der", type: "spki" }))
    parentPort.postMessage({ id, spki }, [spki.buffer])
  } catch {
    parentPort.postMessage({ id })
  }
})
`

interface Pending {
  readonly length: number
  readonly resolve: (value: Uint8Array) => void
  readonly reject: (error: unknown) => void
}

interface Answer {
  readonly id: number
  readonly spki?: Uint8Array
}

/**
 * A worker thread that is started by its first task, keeps the process alive only
 * while it has one, and ends with `close`.
 */
export const makeWorker = (): {
  readonly run: (base: Uint8Array, exponent: Uint8Array, modulus: Uint8Array) => Promise<Uint8Array>
  readonly close: () => Promise<void>
} => {
  const pending = new Map<number, Pending>()
  let worker: Worker | undefined
  let closed = false
  let next = 0

  const failAll = (error: unknown): void => {
    const tasks = [...pending.values()]
    pending.clear()
    for (const task of tasks) task.reject(error)
  }

  const start = (): Worker => {
    const started = new Worker(SOURCE, { eval: true, execArgv: [], env: {}, name: "effect-mtproto-crypto" })
    started.on("message", ({ id, spki }: Answer) => {
      const task = pending.get(id)
      if (task === undefined) return
      pending.delete(id)
      if (pending.size === 0) started.unref()
      if (spki === undefined) {
        task.reject(new Error("the modular exponentiation failed"))
      } else {
        try {
          task.resolve(decodeValue(spki, task.length))
        } catch (error) {
          task.reject(error)
        }
      }
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

  return {
    run: (base, exponent, modulus) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(new Error("the layer was closed"))
        const id = next++
        const der = encodeKey(base, exponent, modulus)
        worker ??= start()
        pending.set(id, { length: modulus.length, resolve, reject })
        worker.ref()
        worker.postMessage({ id, der }, [der.buffer as ArrayBuffer])
      }),
    close: async () => {
      closed = true
      const ended = worker
      worker = undefined
      failAll(new Error("the layer was closed"))
      await ended?.terminate()
    }
  }
}
