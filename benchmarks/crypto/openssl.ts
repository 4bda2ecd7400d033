/** What OpenSSL itself reaches with AES-256-CBC: the ceiling of anything that encrypts block after block. */
import { execFileSync } from "node:child_process"
import { createCipheriv, createSecretKey, randomBytes } from "node:crypto"
import * as Versions from "../lib/Versions.ts"

export interface Ceiling {
  readonly name: string
  /** MB/s, measured now, for about a second. */
  readonly measure: (size: number) => number
}

const speed = (size: number): number => {
  const output = execFileSync(
    "openssl",
    ["speed", "-mr", "-seconds", "1", "-bytes", String(size), "-evp", "aes-256-cbc"],
    { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }
  )
  const line = output.split("\n").find((l) => l.startsWith("+F:"))
  const perSecond = Number(line?.split(":").at(-1))
  if (!(perSecond > 0)) throw new Error(`openssl speed said something else: ${output}`)
  return perSecond / 1e6
}

/** The stand-in where the system has no `openssl`: the cipher of node, which is OpenSSL's, with one call per message. */
const nodeSpeed = (size: number): number => {
  const cipher = createCipheriv("aes-256-cbc", createSecretKey(randomBytes(32)), randomBytes(16))
  cipher.setAutoPadding(false)
  const data = randomBytes(size)
  const start = performance.now()
  let bytes = 0
  while (performance.now() - start < 1000) {
    cipher.update(data)
    bytes += size
  }
  return bytes / 1e3 / (performance.now() - start)
}

export const ceiling = (): Ceiling => {
  const version = Versions.openssl()
  return version === undefined
    ? { name: `node's aes-256-cbc (OpenSSL ${process.versions.openssl})`, measure: nodeSpeed }
    : { name: `openssl ${version} speed -evp aes-256-cbc`, measure: speed }
}
