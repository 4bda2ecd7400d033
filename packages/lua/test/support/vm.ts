import * as LuaValue from "@effect-mtproto/lua/LuaValue"
import * as LuaVm from "@effect-mtproto/lua/LuaVm"
import { Context, Effect, Layer } from "effect"

/** A runtime whose host echoes, and keeps what was printed. */
export const make = Effect.fnUntraced(function*(options: {
  readonly limits?: LuaVm.Limits
  readonly strict?: boolean
} = {}) {
  const printed: Array<string> = []
  const calls: Array<readonly [string, ...ReadonlyArray<LuaValue.LuaValue>]> = []
  const vm = yield* LuaVm.make({
    ...options,
    // How fast the machine is, is not the subject.
    limits: { time: "10 minutes", ...options.limits },
    host: {
      methods: ["messages.echo", "messages.fail", "messages.die", "messages.never", "users.echo"],
      functions: ["get_self", "echo_all"],
      call: (method, params) => {
        calls.push([method, params])
        switch (method) {
          case "messages.fail":
            return Effect.succeed({
              ok: false,
              value: LuaValue.table({ error_code: 400n, error: "DATA_INVALID" })
            })
          case "messages.die":
            return Effect.die(new Error("a secret"))
          case "messages.never":
            return Effect.never
          default:
            return Effect.succeed({ ok: true, value: params })
        }
      },
      apply: (name, args) => {
        calls.push([name, ...args])
        return Effect.succeed({ ok: true, value: LuaValue.sequence(args) })
      },
      print: (line) => Effect.sync(() => void printed.push(line))
    }
  })
  /** Runs a script, and takes what it leaves in `result`. */
  const run = (source: string) => Effect.andThen(vm.load({ name: "test.lua", source }), vm.get("result"))
  return { vm, run, printed, calls }
})

/** One runtime for tests that leave it as it was. */
export class Shared extends Context.Service<Shared>()("test/Shared", { make: make() }) {
  static readonly layer = Layer.effect(this, this.make)
}

export const shared = Effect.tap(Shared, ({ calls, printed }) =>
  Effect.sync(() => {
    calls.length = 0
    printed.length = 0
  }))
