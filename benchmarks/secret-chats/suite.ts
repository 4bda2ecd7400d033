/**
 * Durable messages: each is committed to a SQLite file in a way that survives power loss, sent to the server, and reported
 * when the server has it; at the other side it is committed before it is reported and confirmed. Against TDLib, which does
 * the same with its own files, on the same server in the same run.
 *
 * The whole comparison runs in a network namespace that is loopback only, for TDLib has Telegram's addresses compiled in.
 * Where that cannot be had, or TDLib is not installed (`npm run interop:tdlib` does that), a line says so, ours alone is
 * measured, and the peer's figures are those of another machine.
 */
import { spawn, spawnSync } from "node:child_process"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import type { Bench } from "../lib/Bench.ts"
import type { Figure } from "./run.ts"

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

export const run = async (bench: Bench): Promise<void> => {
  const how = isolation()
  const program = [process.execPath, "--expose-gc", join(import.meta.dirname, "run.ts"), String(bench.rounds)]
  if ("problem" in how) process.stdout.write(`SKIPPED TDLib in benchmarks/secret-chats: ${how.problem}\n`)
  const [command, ...args] = "problem" in how
    ? [...program, "alone"]
    : ["unshare", ...how.flags, "sh", "-c", "ip link set lo up && exec \"$@\"", "sh", ...program, "tdlib"]
  const child = spawn(command!, args, { env, stdio: ["ignore", "pipe", "inherit"] })
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line.startsWith("{")) bench.add(JSON.parse(line) as Figure)
    else process.stdout.write(`${line}\n`)
  })
  const code = await new Promise<number | null>((resolve) => child.on("close", resolve))
  if (code !== 0) throw new Error(`the run ended with ${code}`)
}
