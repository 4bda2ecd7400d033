/**
 * A copy of libtdjson that trusts the test server.
 *
 * Two things are compiled into TDLib: the RSA keys of Telegram's servers, and their IPv4 addresses. The patch puts
 * the test server's key in the place of both keys (production and test), and moves the addresses into 127.0.0.0/8.
 * Every replacement has the length of what it replaces, and each pattern must be found exactly once: another build
 * of the library is refused, never half patched.
 */
import * as RsaPublicKey from "@effect-mtproto/crypto/RsaPublicKey"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { getTdjson } from "prebuilt-tdlib"

/** The library does not look like the build that the patch was made for. */
export class PatchError extends Schema.TaggedError<PatchError>()("PatchError", {
  problem: Schema.String
}) {
  override get message() {
    return `libtdjson cannot be patched: ${this.problem}`
  }
}

const begin = "-----BEGIN RSA PUBLIC KEY-----\n"
const end = "-----END RSA PUBLIC KEY-----"

/** First characters of the keys of the production and the test servers. */
const keys = ["MIIBCgKCAQEA6LszBcC1", "MIIBCgKCAQEAyMEdY1aR"]

/** Prefixes of all built-in IPv4 addresses (149.154.x.y and 95.161.x.y). They are instruction operands, not text. */
const addresses: ReadonlyArray<readonly [from: string, to: string]> = [["149.154", "127.154"], ["95.161.", "127.16."]]

const findOnce = (library: Buffer, pattern: string): Effect.Effect<number, PatchError> => {
  const at = library.indexOf(pattern, 0, "latin1")
  if (at < 0) return Effect.fail(new PatchError({ problem: `"${pattern.trim()}" is not in it` }))
  if (library.indexOf(pattern, at + 1, "latin1") >= 0) {
    return Effect.fail(new PatchError({ problem: `"${pattern.trim()}" is in it more than once` }))
  }
  return Effect.succeed(at)
}

/** Replaces keys and addresses in `library`, in place. */
export const patch = Effect.fnUntraced(function*(library: Buffer, pem: string) {
  for (const key of keys) {
    const at = yield* findOnce(library, begin + key)
    const length = library.indexOf(end, at, "latin1") + end.length - at
    if (length !== pem.length) {
      return yield* new PatchError({ problem: `its key has ${length} characters, the server's has ${pem.length}` })
    }
    library.write(pem, at, "latin1")
  }
  for (const [from, to] of addresses) {
    library.write(to, yield* findOnce(library, from), "latin1")
  }
})

/** Writes a patched copy of the installed library, which trusts `key`, into `directory` and gives its path. */
export const install = Effect.fnUntraced(function*(directory: string, key: RsaPublicKey.RsaPublicKey) {
  const library = yield* Effect.promise(() => readFile(getTdjson()))
  yield* patch(library, RsaPublicKey.toPem(key).trimEnd())
  const path = join(directory, "libtdjson-patched.so")
  yield* Effect.promise(() => writeFile(path, library))
  return path
})
