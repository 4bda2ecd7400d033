/** A client that has never run before: the time until it has a key. Everything is imported before. */
import * as Clients from "./clients.ts"
import type { Address } from "./server.ts"

const { address, who } = JSON.parse(process.argv[2]!) as {
  readonly who: "ours" | "mtcute"
  readonly address: Address
}
// What mtcute is imported for on demand belongs to loading, not to connecting.
if (who === "mtcute") await Promise.all([import("@mtcute/node"), import("@mtcute/node/utils.js")])
process.send!(await Clients.keyTime(who, address))
