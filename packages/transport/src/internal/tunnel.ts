/**
 * What has to be said to a proxy before MTProto can be spoken through it, as
 * state machines over bytes: SOCKS5 (RFC 1928, 1929), HTTP CONNECT (RFC 9110).
 */
import * as Bytes from "./bytes.ts"

/**
 * - `More`: `send` this, and wait for what comes.
 * - `Open`: the way is free; `rest` has come already.
 * - `Failed`: the proxy refuses, for this reason.
 */
export type Step =
  | { readonly _tag: "More"; readonly send?: Uint8Array | undefined }
  | { readonly _tag: "Open"; readonly rest: Uint8Array }
  | { readonly _tag: "Failed"; readonly detail: string }

export interface Tunnel {
  /** What is sent first. */
  readonly first: Uint8Array
  readonly push: (chunk: Uint8Array) => Step
  /** What becomes of bytes on their way out, once it is open. */
  readonly wrap?: ((bytes: Uint8Array) => Uint8Array) | undefined
  /** What is in bytes that came, once it is open; `undefined` if they are nothing that belongs here. */
  readonly unwrap?: ((chunk: Uint8Array) => ReadonlyArray<Uint8Array> | undefined) | undefined
}

export interface Target {
  readonly host: string
  readonly port: number
}

export interface Credentials {
  readonly username: string
  readonly password: string
}

const text = new TextEncoder()
const more: Step = { _tag: "More" }
const failed = (detail: string): Step => ({ _tag: "Failed", detail })

/** Gathers what comes until `read` can make something of it. */
export const gathering = (limit: number, read: (bytes: Uint8Array) => Step & { readonly used?: number }) => {
  let bytes: Uint8Array = new Uint8Array(0)
  let isOver = false
  return (chunk: Uint8Array): Step => {
    if (isOver) return failed("it speaks out of turn")
    bytes = Bytes.concat(bytes, chunk)
    for (;;) {
      const step = read(bytes)
      if (step._tag !== "More") {
        isOver = true
        return step
      }
      if (step.used === undefined) {
        if (bytes.length <= limit) return more
        isOver = true
        return failed("it says more than it should")
      }
      bytes = bytes.slice(step.used)
      if (step.send !== undefined || bytes.length === 0) return step
    }
  }
}

// ----- SOCKS5

const SOCKS_ERRORS = [
  "",
  "general failure",
  "not allowed by its rules",
  "the network is unreachable",
  "the host is unreachable",
  "the connection was refused",
  "time ran out",
  "it does not know the command",
  "it does not know this kind of address"
]

/** An address as four or sixteen bytes; `undefined` if it is a name. */
const addressBytes = (host: string): Uint8Array | undefined => {
  const v4 = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(host)
  if (v4 !== null) return Uint8Array.from(v4.slice(1), Number)
  if (!/^[\da-fA-F:]+$/.test(host) || !host.includes(":")) return undefined
  const [head = "", tail] = host.split("::")
  const words = (part: string) => part === "" ? [] : part.split(":").map((word) => Number.parseInt(word, 16))
  const start = words(head)
  const end = tail === undefined ? [] : words(tail)
  const all = [...start, ...Array.from({ length: 8 - start.length - end.length }, () => 0), ...end]
  return all.length === 8 ? Uint8Array.from(all.flatMap((word) => [word >> 8, word & 255])) : undefined
}

const socksAddress = ({ host, port }: Target): Uint8Array => {
  const bytes = addressBytes(host)
  const name = bytes ?? text.encode(host).subarray(0, 255)
  const kind = bytes === undefined ? [3, name.length] : [bytes.length === 4 ? 1 : 4]
  return Uint8Array.of(...kind, ...name, port >> 8, port & 255)
}

export const socks5 = (target: Target, credentials: Credentials | undefined): Tunnel => {
  let state: "greeting" | "login" | "connecting" = "greeting"
  const connect = (): Step & { readonly used: number } => {
    state = "connecting"
    return { _tag: "More", used: 2, send: Uint8Array.of(5, 1, 0, ...socksAddress(target)) }
  }
  const read = (bytes: Uint8Array): Step & { readonly used?: number } => {
    if (bytes.length < 2) return more
    switch (state) {
      case "greeting": {
        if (bytes[0] !== 5) return failed("it is no SOCKS5 proxy")
        if (bytes[1] === 0) return connect()
        if (bytes[1] !== 2 || credentials === undefined) return failed("it wants another way to log in")
        state = "login"
        const username = text.encode(credentials.username).subarray(0, 255)
        const password = text.encode(credentials.password).subarray(0, 255)
        const send = Uint8Array.of(1, username.length, ...username, password.length, ...password)
        return { _tag: "More", used: 2, send }
      }
      case "login":
        return bytes[1] === 0 ? connect() : failed("it does not accept the user name and password")
      case "connecting": {
        if (bytes[0] !== 5) return failed("it is no SOCKS5 proxy")
        if (bytes[1] !== 0) return failed(SOCKS_ERRORS[bytes[1]!] ?? "it cannot connect")
        if (bytes.length < 5) return more
        const length = bytes[3] === 1 ? 4 : bytes[3] === 4 ? 16 : bytes[3] === 3 ? 1 + bytes[4]! : undefined
        if (length === undefined) return failed("it is no SOCKS5 proxy")
        const end = 4 + length + 2
        return bytes.length < end ? more : { _tag: "Open", rest: bytes.slice(end) }
      }
    }
  }
  return {
    first: credentials === undefined ? Uint8Array.of(5, 1, 0) : Uint8Array.of(5, 2, 0, 2),
    push: gathering(512, read)
  }
}

// ----- HTTP

const HTTP_LIMIT = 16 * 1_024

/** The index behind the empty line that ends a head; -1 if it has not come. */
const endOfHead = (bytes: Uint8Array): number => {
  for (let i = 3; i < bytes.length; i++) {
    if (bytes[i] === 10 && bytes[i - 1] === 13 && bytes[i - 2] === 10 && bytes[i - 3] === 13) return i + 1
  }
  return -1
}

export const http = (target: Target, credentials: Credentials | undefined): Tunnel => {
  const host = target.host.includes(":") ? `[${target.host}]` : target.host
  const authority = `${host}:${target.port}`
  const lines = [`CONNECT ${authority} HTTP/1.1`, `Host: ${authority}`]
  if (credentials !== undefined) {
    const bytes = text.encode(`${credentials.username}:${credentials.password}`)
    lines.push(`Proxy-Authorization: Basic ${btoa(String.fromCharCode(...bytes))}`)
  }
  return {
    first: text.encode(`${lines.join("\r\n")}\r\n\r\n`),
    push: gathering(HTTP_LIMIT, (bytes) => {
      const end = endOfHead(bytes)
      if (end === -1) return more
      const status = /^HTTP\/1\.[01] (\d{3})/.exec(new TextDecoder().decode(bytes.subarray(0, 64)))?.[1]
      if (status === undefined) return failed("it is no HTTP proxy")
      if (status === "407") return failed("it does not accept the user name and password")
      return status.startsWith("2")
        ? { _tag: "Open", rest: bytes.slice(end) }
        : failed(`it answers with the status ${status}`)
    })
  }
}
