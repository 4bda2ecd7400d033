// A program of a stranger, which knows the package by its published name. It answers with what it has computed, in the
// page and in a worker.
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as DiffieHellman from "@effect-mtproto/crypto/DiffieHellman"
import * as Frame from "@effect-mtproto/crypto/Frame"
import * as KeyVisualization from "@effect-mtproto/crypto/KeyVisualization"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import * as WebCrypto from "@effect-mtproto/crypto/WebCrypto"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { compute } from "./compute.js"

const modules = { Crypto, DiffieHellman, Frame, KeyVisualization, Result, SharedKey }

// what the policy of the page refused
const violations = []
globalThis.addEventListener?.("securitypolicyviolation", (event) => violations.push(event.blockedURI))

const answer = async () => {
  const numbers = await Effect.runPromise(Effect.provide(compute(modules, Effect), WebCrypto.layer))
  // a violation is told in a later turn
  await new Promise((resolve) => setTimeout(resolve, 50))
  return { numbers, violations }
}

if (globalThis.document !== undefined) {
  globalThis.answerHere = answer
  globalThis.answerInWorker = (url) =>
    new Promise((resolve, reject) => {
      const worker = new Worker(url, { type: "module" })
      worker.addEventListener("message", ({ data }) => "error" in data ? reject(new Error(data.error)) : resolve(data))
      worker.addEventListener("error", ({ message }) => reject(new Error(message)))
    })
} else {
  answer().then(
    (value) => globalThis.postMessage(value),
    (error) => globalThis.postMessage({ error: String(error) })
  )
}
