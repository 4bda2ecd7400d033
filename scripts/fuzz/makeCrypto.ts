/** Real cryptography with random bytes that are the same in every run. */
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as TestCrypto from "@effect-mtproto/crypto/TestCrypto"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"

/** Lives as long as the process. */
export const makeCrypto = (): Promise<Crypto["Service"]> =>
  Effect.runPromise(
    Effect.gen(function*() {
      const scope = yield* Scope.make()
      const context = yield* Layer.buildWithScope(NodeCrypto.layer, scope)
      return TestCrypto.make(yield* Effect.provideContext(Crypto, context), { seed: "fuzz" })
    })
  )

/** Whether an error is an instance of one of these classes. */
export const isOneOf =
  (...classes: ReadonlyArray<abstract new(...args: any) => unknown>) => (error: unknown): boolean =>
    classes.some((c) => error instanceof c)
