/**
 * Comparisons with TDLib: it has Telegram's addresses compiled in, so it runs only in a network namespace of its own that
 * has nothing but a loopback interface.
 */
import { spawn, spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import type { Bench } from "./Bench.ts"

/** One row, as the program prints it: as JSON in a line. */
export type Figure = Parameters<Bench["add"]>[0]

// `ip` lives in a folder that is not on everybody's PATH
const env = { ...process.env, PATH: `${process.env["PATH"] ?? ""}:/usr/sbin:/sbin` }

/** Why TDLib cannot run here, or how a namespace is made. */
const isolation = (): { readonly flags: ReadonlyArray<string> } | { readonly problem: string } => {
  if (process.platform !== "linux" || process.arch !== "x64") return { problem: "its build is for linux-x64" }
  if (!existsSync(join(import.meta.dirname, "../../interop/tdlib/node_modules/tdl"))) {
    return { problem: "it is not installed: run `npm run interop:tdlib` first" }
  }
  const probe = (flags: ReadonlyArray<string>) =>
    spawnSync("unshare", [...flags, "sh", "-c", "ip link set lo up"], { env, stdio: "ignore" }).status === 0
  const flags = [["-n"], ["-rn"]].find(probe)
  return flags === undefined ? { problem: "a network namespace cannot be made here" } : { flags }
}

/** Runs a program in a namespace and adds its rows; answers why it cannot be run, if it cannot. */
export const run = async (
  program: string,
  args: ReadonlyArray<string>,
  bench: Bench
): Promise<string | undefined> => {
  const how = isolation()
  if ("problem" in how) return how.problem
  const inside = ["sh", "-c", "ip link set lo up && exec \"$@\"", "sh", process.execPath, program, ...args]
  const child = spawn("unshare", [...how.flags, ...inside], { env, stdio: ["ignore", "pipe", "inherit"] })
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line.startsWith("{")) bench.add(JSON.parse(line) as Figure)
    else process.stdout.write(`${line}\n`)
  })
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve))
  if (code !== 0) throw new Error(`${program} ended with ${code}`)
  return undefined
}
