/** Which version of what is being measured. */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { cpus } from "node:os"
import { dirname, join } from "node:path"

const require = createRequire(import.meta.url)

const read = (path: string): { readonly name?: string; readonly version?: string } =>
  JSON.parse(readFileSync(path, "utf8"))

/** The version of an installed package, whether or not its manifest is among its exports. */
export const versionOf = (name: string): string => {
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      return read(join(folder, name, "package.json")).version ?? "?"
    } catch {
      // not in this folder
    }
  }
  return "?"
}

/** A package with its version, as it stands in results. */
export const named = (name: string): string => `${name} ${versionOf(name)}`

/** The version of the system's OpenSSL, if there is one. */
export const openssl = (): string | undefined => {
  try {
    return execFileSync("openssl", ["version"], { encoding: "utf8" }).split(" ")[1]
  } catch {
    return undefined
  }
}

const commit = (): string => {
  try {
    return execFileSync("git", ["rev-parse", "--short", "HEAD"], {
      cwd: dirname(import.meta.dirname),
      encoding: "utf8"
    }).trim()
  } catch {
    return "unknown"
  }
}

/** Everything that a reader of figures has to know besides them. */
export const environment = (): ReadonlyArray<readonly [what: string, version: string]> => [
  ["effect-mtproto", `${read(join(import.meta.dirname, "../../package.json")).version} (${commit()})`],
  ["node", process.versions.node],
  ["V8", process.versions.v8],
  ["OpenSSL of node", process.versions.openssl],
  ["OpenSSL of the system", openssl() ?? "none"],
  ["CPU", `${cpus()[0]?.model ?? "unknown"}, ${cpus().length} threads`],
  ...["effect", "@mtcute/core", "@mtcute/wasm", "@cryptography/aes", "@mtproto/core"].map((name) =>
    [name, versionOf(name)] as const
  )
]
