/**
 * The network that the checks may run in: loopback and nothing else.
 *
 * TDLib knows Telegram's addresses. Its library is loaded only after this module has seen that the process lives in
 * a network namespace that has no other interface and no route.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { readFileSync } from "node:fs"
import { networkInterfaces } from "node:os"

/** The process can reach more than itself. */
export class NotIsolated extends Schema.TaggedError<NotIsolated>()("NotIsolated", {
  found: Schema.String
}) {
  override get message() {
    return `refusing to load TDLib: the network is not loopback only (${this.found})`
  }
}

/** Lines of a table under /proc/net without its header. `/proc/net` follows the namespace of the reader. */
const table = (name: string, header: number): ReadonlyArray<string> =>
  readFileSync(`/proc/net/${name}`, "utf8").split("\n").slice(header).filter((line) => line.trim() !== "")

const problems = (): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (const line of table("dev", 2)) {
    const name = line.trim().split(":", 1)[0]!
    if (name !== "lo") found.push(`interface ${name}`)
  }
  for (const name of Object.keys(networkInterfaces())) {
    if (name !== "lo") found.push(`address on ${name}`)
  }
  for (const line of table("route", 1)) found.push(`route ${line.trim().split(/\s+/)[0]}`)
  // IPv6: the kernel keeps entries for ::1 and the reject route, all of them on lo
  for (const line of table("ipv6_route", 0)) {
    const device = line.trim().split(/\s+/).at(-1)!
    if (device !== "lo") found.push(`IPv6 route on ${device}`)
  }
  return found
}

/** Fails unless only the loopback interface exists and there is no route. */
export const assertIsolated: Effect.Effect<void, NotIsolated> = Effect.suspend(() => {
  const found = problems()
  return found.length === 0 ? Effect.void : Effect.fail(new NotIsolated({ found: found.join(", ") }))
})
