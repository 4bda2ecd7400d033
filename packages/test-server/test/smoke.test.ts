import * as Api from "@effect-mtproto/core/Api"
import { assert, describe } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Client from "./support/client.ts"
import { withServer } from "./support/fixture.ts"

describe("smoke", () => {
  withServer("logs in", ({ crypto, server }) =>
    Effect.gen(function*() {
      const { client, self, state } = yield* Client.user(crypto, server, "+15550001")
      assert.strictEqual(self.phone, "15550001")
      assert.strictEqual(state.qts, 1)
      const config = yield* client.call(Api.help.getConfig())
      assert.strictEqual(config.thisDc, 2)
    }))
})
