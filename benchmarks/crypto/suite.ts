/** The cryptography of MTProto on Node, against what other clients use, and against OpenSSL. */
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as Effect from "effect/Effect"
import type { Bench } from "../lib/Bench.ts"
import * as Exchange from "./exchange.ts"
import * as Ige from "./ige.ts"
import * as Message from "./message.ts"
import * as Numbers from "./numbers.ts"

export const run = (bench: Bench): Promise<void> =>
  Effect.runPromise(
    Effect.gen(function*() {
      const crypto = yield* Crypto
      for (const part of [Ige, Message, Numbers, Exchange]) yield* Effect.promise(() => part.run(bench, crypto))
    }).pipe(Effect.provide(NodeCrypto.layer))
  )
