/**
 * Paths of the gateway, read.
 *
 * - `/user{TOKEN}/{method}`, `/bot{TOKEN}/{method}`: the documented forms; `->` may be written for `.`
 * - `/api/{session}/{method}`: the form of TelegramApiServer
 * - `/phonelogin`, which needs no token
 * - `/health` and its like, which are only read
 *
 * A path is read once and literally: no `..`, no empty segments, no encoded slashes, no control characters. What does not
 * fit is not found.
 *
 * @since 1.0.0
 */
import * as Redacted from "effect/Redacted"

/**
 * @category models
 * @since 1.0.0
 */
export type Route =
  | { readonly _tag: "PhoneLogin" }
  | {
    readonly _tag: "Session"
    readonly kind: "user" | "bot"
    readonly token: Redacted.Redacted<string>
    /** Empty if the path ends before it. */
    readonly method: string
  }
  | { readonly _tag: "Alias"; readonly session: Redacted.Redacted<string>; readonly method: string }
  /** One of `systemPaths`. */
  | { readonly _tag: "System"; readonly path: string }
  /** `*`: what `OPTIONS` names the whole server with. */
  | { readonly _tag: "Server" }
  | { readonly _tag: "NotFound" }
  /** `%` without two digits, control characters, too long. */
  | { readonly _tag: "Malformed" }

/**
 * Paths that need no token and are only read.
 *
 * @category constants
 * @since 1.0.0
 */
export const systemPaths = ["/health", "/ready", "/metrics", "/openapi.json", "/docs"] as const

/**
 * The methods of HTTP that a route has, as `Allow` names them.
 *
 * @category accessors
 * @since 1.0.0
 */
export const allow = (route: Route): string => {
  switch (route._tag) {
    case "System":
      return "GET, HEAD, OPTIONS"
    case "Server":
      return "GET, HEAD, POST, OPTIONS"
    case "PhoneLogin":
    case "Session":
    case "Alias":
      // not HEAD: a GET may send something
      return "GET, POST, OPTIONS"
    default:
      return ""
  }
}

const MAX_PATH = 1024
const notFound: Route = { _tag: "NotFound" }
const malformed: Route = { _tag: "Malformed" }

const decode = (segment: string): string | undefined => {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}

/** The name of a method: `->` is written for `.` where a dot is inconvenient. */
const methodOf = (text: string): string => text.replaceAll("->", ".")

// oxlint-disable-next-line no-control-regex
const unprintable = /[\u0000-\u001f\u007f]/

/**
 * Reads the path of a request; the query is not part of it.
 *
 * @category parsing
 * @since 1.0.0
 */
export const parse = (path: string): Route => {
  if (path === "*") return { _tag: "Server" }
  // one slash at the end changes nothing
  const system = systemPaths.find((one) => one === path || `${one}/` === path)
  if (system !== undefined) return { _tag: "System", path: system }
  if (path.length > MAX_PATH || !path.startsWith("/")) return malformed
  const segments: Array<string> = []
  for (const raw of path.slice(1).split("/")) {
    const segment = decode(raw)
    if (segment === undefined || unprintable.test(segment)) return malformed
    if (segment.includes("/") || segment.includes("\\") || segment === "." || segment === "..") return notFound
    segments.push(segment)
  }
  if (segments.length > 1 && segments.at(-1) === "") segments.pop()
  const [first = "", ...rest] = segments
  if (segments.includes("")) return notFound
  if (first === "api") {
    const [session, method = "", ...more] = rest
    return session === undefined || more.length > 0
      ? notFound
      : { _tag: "Alias", session: Redacted.make(session, { label: "session" }), method: methodOf(method) }
  }
  if (rest.length > 1) return notFound
  if (rest.length === 0 && first.toLowerCase() === "phonelogin") return { _tag: "PhoneLogin" }
  for (const kind of ["user", "bot"] as const) {
    if (!first.startsWith(kind)) continue
    const token = Redacted.make(first.slice(kind.length), { label: "token" })
    return { _tag: "Session", kind, token, method: methodOf(rest[0] ?? "") }
  }
  return notFound
}
