import type * as Api from "@effect-mtproto/core/Api"
import * as ApiMethods from "@effect-mtproto/core/ApiMethods"
import * as ApiSchema from "@effect-mtproto/core/ApiSchema"
import * as SecretApi from "@effect-mtproto/core/SecretApi"
import * as LuaTl from "@effect-mtproto/lua/LuaTl"
import type * as LuaValue from "@effect-mtproto/lua/LuaValue"
import { assert, layer } from "@effect/vitest"
import { Arbitrary, Effect, Result, Schema } from "effect"
import { Values } from "../../core/test/support/apiValues.ts"
import * as Vm from "./support/vm.ts"

/** Values of each constructor; the flags that they have differ. */
const rounds = 2

interface Case {
  readonly name: string
  readonly schema: Schema.Schema<any>
  readonly value: unknown
}

/** Lua copies every table, field by field, as a script does that writes what it was given. */
const copier = `
  local function copy(v)
    if type(v) ~= "table" then return v end
    local out = {}
    for k, item in pairs(v) do out[k] = copy(item) end
    return out
  end
  function copies(...)
    local all = {...}
    for i = 1, #all do all[i] = copy(all[i]) end
    return table.unpack(all)
  end`

/** Hands all values to a script and takes back what it made of them. */
const survive = Effect.fnUntraced(function*(cases: ReadonlyArray<Case>) {
  const { vm } = yield* Vm.Shared
  yield* vm.load({ name: "copier.lua", source: copier })
  const writers = new Map<Schema.Schema<any>, (value: any) => LuaValue.LuaValue>()
  const readers = new Map<Schema.Schema<any>, ReturnType<typeof LuaTl.fromLua>>()
  for (let i = 0; i < cases.length; i += 200) {
    const some = cases.slice(i, i + 200)
    const given = some.map(({ schema, value }) => {
      if (!writers.has(schema)) {
        writers.set(schema, LuaTl.toLua(schema))
        readers.set(schema, LuaTl.fromLua(schema))
      }
      return writers.get(schema)!(value)
    })
    const back = yield* vm.call("copies", ...given)
    assert.strictEqual(back.length, given.length)
    for (let k = 0; k < some.length; k++) {
      const { name, schema, value } = some[k]!
      assert.deepStrictEqual(back[k], given[k], name)
      assert.deepStrictEqual(Result.getOrThrow(readers.get(schema)!(back[k]!)), value, name)
    }
  }
})

layer(Vm.Shared.layer)("through a script and back, exactly", (it) => {
  it.effect("every constructor of the API, in its type", () => {
    const values = new Values(21)
    const cases: Array<Case> = []
    for (const [name, members] of ApiSchema.types()) {
      const schema = ApiSchema.type(name as keyof Api.Types) as Schema.Schema<any>
      for (const c of members) {
        for (let i = 0; i < rounds; i++) cases.push({ name: c.name, schema, value: values.combinator(c, i) })
      }
    }
    assert.isAbove(cases.length, rounds * 1_500)
    return survive(cases)
  })

  it.effect("every request, and every result", () => {
    const values = new Values(22)
    const cases: Array<Case> = []
    for (const c of ApiSchema.methods().values()) {
      const method = ApiMethods.byName(c.name)
      assert.isDefined(method)
      const [params, response] = [ApiSchema.params(method!), ApiSchema.response(method!)] as const
      for (let i = 0; i < rounds; i++) {
        cases.push({ name: c.name, schema: params, value: values.combinator(c, i) })
        if (c.result !== "X") cases.push({ name: c.name, schema: response, value: values.value(c.result, i) })
      }
    }
    assert.isAbove(cases.length, rounds * 1_000)
    return survive(cases)
  })

  it.effect("every constructor of secret chats, in all layers", () =>
    Effect.gen(function*() {
      const cases: Array<Case> = []
      for (const [name, one] of Object.entries(SecretApi)) {
        if (!Schema.isSchema(one)) continue
        const schema = one as Schema.Schema<any>
        for (
          const value of yield* Arbitrary.sampleEffect(Arbitrary.schema(schema), { count: 4, seed: name })
        ) cases.push({ name, schema, value })
      }
      assert.isAbove(cases.length, 300)
      yield* survive(cases)
    }))
})
