/**
 * The real TDLib, of `interop/tdlib`, as a client of a test server. It is loaded only in a network that is loopback only,
 * for Telegram's addresses are compiled into it.
 */
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as RsaPublicKey from "@effect-mtproto/crypto/RsaPublicKey"
import * as Effect from "effect/Effect"
import { mkdirSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import type { Account, Address } from "../rpc/server.ts"

const folder = join(import.meta.dirname, "../../interop/tdlib")
const load = (name: string): Promise<any> => import(pathToFileURL(join(folder, "src", name)).href)

/** A client that knows the key of the server; its files go into the directory. Hear its updates before it logs in. */
export const create = async (address: Address, directory: string): Promise<any> => {
  const tdl = createRequire(join(folder, "package.json"))("tdl")
  const [Namespace, Libtdjson, Parameters] = await Promise.all(
    ["Namespace.ts", "Libtdjson.ts", "Parameters.ts"].map(load)
  )
  mkdirSync(directory, { recursive: true })
  const key = await Effect.runPromise(Effect.provide(
    Effect.flatMap(Crypto, (crypto) => Effect.fromResult(RsaPublicKey.fromPem(crypto, address.publicKeyPem))),
    NodeCrypto.layer
  ))
  await Effect.runPromise(Namespace.assertIsolated)
  const tdjson = await Effect.runPromise(Libtdjson.install(directory, key) as Effect.Effect<string>)
  tdl.configure({ tdjson, verbosityLevel: 0 })
  const client = tdl.createClient(Parameters.make("benchmark", directory))
  client.on("error", () => undefined)
  return client
}

/** Logs in, and stays online: others are told at once. */
export const login = async (client: any, account: Account): Promise<void> => {
  await client.login({
    type: "user",
    getPhoneNumber: () => Promise.resolve(account.phone),
    getAuthCode: () => Promise.resolve(account.code)
  })
  const { stayOnline } = await load("Parameters.ts")
  await client.invoke(stayOnline)
}
