/**
 * A server and an engine for one test.
 */
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import { it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as TestServer from "../../src/TestServer.ts"

export interface Fixture {
  readonly server: TestServer.TestServer["Service"]
  readonly crypto: Crypto["Service"]
}

/** A test on a server of its own, over real sockets and in real time. */
export const withServer = (
  name: string,
  run: (fixture: Fixture) => Effect.Effect<unknown, unknown, Scope.Scope>,
  options?: TestServer.Options
): void => {
  it.live(name, () =>
    Effect.gen(function*() {
      const server = yield* TestServer.make(options)
      const crypto = yield* Crypto
      yield* run({ server, crypto })
    }).pipe(Effect.scoped, Effect.provide(NodeCrypto.layer)))
}

/** A test on a server of its own, over real sockets, but in virtual time that starts at 0. */
export const withVirtualTime = (
  name: string,
  run: (fixture: Fixture) => Effect.Effect<unknown, unknown, Scope.Scope>,
  options?: TestServer.Options
): void => {
  it.effect(name, () =>
    Effect.gen(function*() {
      const server = yield* TestServer.make(options)
      const crypto = yield* Crypto
      yield* run({ server, crypto })
    }).pipe(Effect.scoped, Effect.provide(NodeCrypto.layer)))
}
