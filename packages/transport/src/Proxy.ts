/**
 * Proxies: SOCKS5, HTTP (`CONNECT`), and MTProto proxies, plain, with padding (`dd`)
 * and in the clothes of TLS (`ee`).
 *
 * ```ts
 * const proxy = Proxy.fromUrl(Redacted.make("tg://proxy?server=proxy.example&port=443&secret=dd..."))
 * ```
 *
 * @since 1.0.0
 */
import * as Base64Url from "effect/encoding/Base64Url"
import * as Hex from "effect/encoding/Hex"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

/**
 * @since 1.0.0
 * @category models
 */
export interface Socks5 {
  readonly _tag: "Socks5"
  readonly host: string
  readonly port: number
  readonly username?: string | undefined
  readonly password?: Redacted.Redacted<string> | undefined
}

/**
 * @since 1.0.0
 * @category models
 */
export interface Http {
  readonly _tag: "Http"
  readonly host: string
  readonly port: number
  readonly username?: string | undefined
  readonly password?: Redacted.Redacted<string> | undefined
}

/**
 * @since 1.0.0
 * @category models
 */
export interface Mtproto {
  readonly _tag: "Mtproto"
  readonly host: string
  readonly port: number
  /** 16 bytes. */
  readonly secret: Redacted.Redacted<Uint8Array>
  /** Whether lengths of packets are hidden, as secrets that begin with `dd` or `ee` want. */
  readonly padded: boolean
  /** The domain that a TLS connection is feigned to. */
  readonly domain?: string | undefined
}

/**
 * @since 1.0.0
 * @category models
 */
export type Proxy = Socks5 | Http | Mtproto

/**
 * What was given is no proxy. Shows nothing of it.
 *
 * @since 1.0.0
 * @category errors
 */
export class ProxyError extends Schema.TaggedError<ProxyError>()("ProxyError", {
  problem: Schema.Literals(["url", "secret"])
}) {
  override get message(): string {
    return this.problem === "url"
      ? "A proxy is socks5://, http://, tg://proxy?..., tg://socks?... or https://t.me/proxy?..."
      : "The secret of an MTProto proxy is 16 bytes, or 17 that begin with dd, or more that begin with ee and end with a domain; as hex or base64"
  }
}

const MAX_DOMAIN = 182

/**
 * An MTProto proxy by its secret, as links have it: hex or base64.
 *
 * @since 1.0.0
 * @category constructors
 */
export const mtproto = (options: {
  readonly host: string
  readonly port: number
  readonly secret: Redacted.Redacted<string>
}): Result.Result<Mtproto, ProxyError> => {
  const bytes = readSecret(Redacted.value(options.secret))
  const wrong = Result.fail(new ProxyError({ problem: "secret" }))
  if (bytes === undefined) return wrong
  const make = (secret: Uint8Array, padded: boolean, domain?: string): Mtproto => ({
    _tag: "Mtproto",
    host: options.host,
    port: options.port,
    secret: Redacted.make(secret, { label: "proxySecret" }),
    padded,
    ...(domain === undefined ? {} : { domain })
  })
  if (bytes.length === 16) return Result.succeed(make(bytes, false))
  if (bytes.length === 17 && bytes[0] === 0xdd) return Result.succeed(make(bytes.slice(1), true))
  if (bytes.length < 18 || bytes[0] !== 0xee) return wrong
  const domain = new TextDecoder().decode(bytes.subarray(17))
  return domain.length > MAX_DOMAIN || !/^[\w.-]+$/.test(domain)
    ? wrong
    : Result.succeed(make(bytes.slice(1, 17), true, domain))
}

const readSecret = (text: string): Uint8Array | undefined => {
  const hex = /^(?:[\da-f]{2})+$/i.test(text) ? Hex.decode(text.toLowerCase()) : undefined
  if (hex !== undefined && Result.isSuccess(hex) && hex.success.length >= 16) return hex.success
  const base64 = Base64Url.decode(text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, ""))
  return Result.isSuccess(base64) ? base64.success : undefined
}

/**
 * Reads a URL: `socks5://user:password@host:port`, `http://...`, and the links that
 * Telegram apps share.
 *
 * @since 1.0.0
 * @category constructors
 */
export const fromUrl = (url: Redacted.Redacted<string>): Result.Result<Proxy, ProxyError> => {
  const wrong = Result.fail(new ProxyError({ problem: "url" }))
  const parsed = URL.parse(Redacted.value(url).trim())
  if (parsed === null) return wrong
  const { protocol, searchParams } = parsed
  if (protocol === "socks5:" || protocol === "http:") {
    const host = hostOf(parsed.hostname)
    const port = parsed.port === "" ? (protocol === "http:" ? 80 : 1080) : Number(parsed.port)
    if (host === "") return wrong
    return Result.succeed({
      _tag: protocol === "http:" ? "Http" : "Socks5",
      host,
      port,
      ...credentials(decodeURIComponent(parsed.username), decodeURIComponent(parsed.password))
    })
  }
  const kind = protocol === "tg:"
    ? parsed.hostname || parsed.pathname.replaceAll("/", "")
    : protocol === "https:" && (parsed.hostname === "t.me" || parsed.hostname === "telegram.me")
    ? parsed.pathname.slice(1)
    : ""
  const host = hostOf(searchParams.get("server") ?? "")
  const port = Number(searchParams.get("port"))
  if (host === "" || !Number.isInteger(port) || port < 1 || port > 65_535) return wrong
  if (kind === "proxy") return mtproto({ host, port, secret: Redacted.make(searchParams.get("secret") ?? "") })
  if (kind !== "socks") return wrong
  return Result.succeed({
    _tag: "Socks5",
    host,
    port,
    ...credentials(searchParams.get("user") ?? "", searchParams.get("pass") ?? "")
  })
}

const hostOf = (host: string): string => host.replace(/^\[|\]$/g, "")

const credentials = (username: string, password: string) =>
  username === "" ? {} : { username, password: Redacted.make(password) }
