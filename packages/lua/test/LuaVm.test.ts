import type * as LuaError from "@effect-mtproto/lua/LuaError"
import * as LuaValue from "@effect-mtproto/lua/LuaValue"
import { assert, describe, it, layer } from "@effect/vitest"
import { Arbitrary, Effect, Fiber, Schema } from "effect"
import { TestClock } from "effect/testing"
import * as Vm from "./support/vm.ts"

const failure = <A, R>(effect: Effect.Effect<A, LuaError.LuaError, R>) => Effect.flip(effect)

layer(Vm.Shared.layer, { excludeTestServices: true })("LuaVm", (it) => {
  it.effect("hands values over exactly", () =>
    Effect.gen(function*() {
      const { calls, run, vm } = yield* Vm.shared
      const all = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join("")
      const value = LuaValue.table({
        yes: true,
        no: false,
        least: -(2n ** 63n),
        most: 2n ** 63n - 1n,
        odd: 2n ** 53n + 1n,
        float: 0.1,
        whole: 3,
        nan: NaN,
        inf: -Infinity,
        bytes: all,
        empty: LuaValue.sequence([]),
        list: LuaValue.sequence([1n, "two", LuaValue.sequence([3n])])
      })
      yield* vm.set("value", value)
      const back = yield* run(`
        assert(value.most == math.maxinteger and value.least == math.mininteger)
        assert(math.type(value.whole) == "float" and math.type(value.odd) == "integer")
        assert(value.nan ~= value.nan and #value.bytes == 256 and value.bytes:byte(-1) == 255)
        assert(#value.list == 3 and value.list[3][1] == 3)
        result = messages.echo(value)
      `)
      assert.deepStrictEqual(back, value)
      assert.deepStrictEqual(calls, [["messages.echo", value]])
    }))

  it.effect("whatever is handed over comes back as it was", () =>
    Effect.gen(function*() {
      const { calls, run, vm } = yield* Vm.shared
      yield* run("function there_and_back(v) return messages.echo{v = v}.v end")
      const bytes = Arbitrary.map(
        Arbitrary.schema(Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 })))),
        (codes) => String.fromCharCode(...codes)
      )
      const long = Arbitrary.schema(Schema.BigInt.check(Schema.isBetweenBigInt({
        minimum: -(2n ** 63n),
        maximum: 2n ** 63n - 1n
      })))
      const lists = yield* Arbitrary.sampleEffect(
        Arbitrary.array(
          Arbitrary.all([bytes, long, Arbitrary.schema(Schema.Finite), Arbitrary.schema(Schema.Boolean)])
        ),
        { count: 60 }
      )
      for (const list of lists) {
        const value = new Map<LuaValue.LuaKey, LuaValue.LuaValue>(
          list.map(([name, integer, float, boolean], i) => [
            `${name}${i}`,
            LuaValue.sequence([name, integer, float, boolean, new Map([[integer, name]])])
          ])
        )
        assert.deepStrictEqual(yield* vm.call("there_and_back", value), [value])
      }
      assert.strictEqual(calls.length, lists.length)
    }))

  it.effect("calls functions, in both spellings, and back", () =>
    Effect.gen(function*() {
      const { calls, printed, run, vm } = yield* Vm.shared
      yield* run(`
        result = {get_self(1, nil, "x"), getSelf(), madeline_function({_ = "users.echo", a = 1}),
          madeline_function({_ = "echo_all", 7, 8}), madelineproto_lua}
        madeline_function({_ = "messages->echo", a = 1}, function(r, extra) print(r.a, extra) end, "extra")
        function add(a, b) return a + b, "and more" end
        var_dump({1, "a\\n", {}, key = {true}})
      `)
      assert.deepStrictEqual(calls.slice(0, 4), [
        ["get_self", 1n, null, "x"],
        ["get_self"],
        ["users.echo", LuaValue.table({ a: 1n })],
        ["echo_all", 7n, 8n]
      ])
      assert.deepStrictEqual(printed, [
        "1\textra",
        "{\n  [1] = 1\n  [2] = \"a\\n\"\n  [3] = {}\n  key = {\n    [1] = true\n  }\n}"
      ])
      assert.deepStrictEqual(yield* vm.call("add", 1n, 2.5), [3.5, "and more"])
      assert.include((yield* failure(vm.call("missing"))).detail, "no such function")
    }))

  it.effect("calls work in coroutines, in metamethods, in sort and gsub", () =>
    Effect.gen(function*() {
      const { run } = yield* Vm.shared
      assert.deepStrictEqual(
        yield* run(`
          local co = coroutine.wrap(function() coroutine.yield(messages.echo{a = 1}.a); return messages.echo{a = 2}.a end)
          local t = setmetatable({}, {__index = function(_, k) return messages.echo{a = k}.a end})
          local s = {3, 1, 2}
          table.sort(s, function(a, b) return messages.echo{a = a}.a < b end)
          result = {co(), co(), t.x, (("abc"):gsub(".", function(c) return messages.echo{a = c:upper()}.a end)), table.concat(s)}
        `),
        LuaValue.sequence([1n, 2n, "x", "ABC", "123"])
      )
    }))

  it.effect("metatables stay behind and are not called", () =>
    Effect.gen(function*() {
      const { run } = yield* Vm.shared
      assert.deepStrictEqual(
        yield* run(`
          local touched = 0
          local function touch() touched = touched + 1 return 1 end
          local t = setmetatable({a = 1}, {__index = touch, __len = touch, __pairs = touch, __tostring = touch, __name = "x",
            __eq = touch, __metatable = false})
          result = {messages.echo(t), touched}`),
        LuaValue.sequence([LuaValue.table({ a: 1n }), 0n])
      )
    }))

  it.effect("errors have a line", () =>
    Effect.gen(function*() {
      const { run } = yield* Vm.shared
      const at = Effect.fnUntraced(function*(source: string) {
        const { detail, kind, line } = yield* failure(run(source))
        return [kind, line, detail] as const
      })
      assert.deepStrictEqual(yield* at("x = = 1"), ["syntax", 1, "unexpected symbol near '='"])
      assert.deepStrictEqual(yield* at("\nlocal x = nil\nx.y = 1"), [
        "runtime",
        3,
        "attempt to index a nil value (local 'x')"
      ])
      assert.deepStrictEqual(yield* at("\nerror('no')"), ["runtime", 2, "no"])
      assert.match(String((yield* at("\nerror({})"))[2]), /^table: 0x/)
      assert.deepStrictEqual(yield* at("\nerror({error = 'said'})"), ["runtime", 2, "said"])
      assert.deepStrictEqual(yield* at("error()"), ["runtime", 1, "nil"])
      assert.deepStrictEqual(yield* at("\nerror(setmetatable({}, {__tostring = function() return 'mine' end}))"), [
        "runtime",
        2,
        "mine"
      ])
      assert.strictEqual(
        (yield* at("error(setmetatable({}, {__tostring = function() error('again') end}))"))[0],
        "runtime"
      )
      assert.deepStrictEqual(yield* at("coroutine.wrap(function()\n error('inside') end)()"), ["runtime", 2, "inside"])
      const { message, script, traceback } = yield* failure(run("local function f() error('deep') end\nf()"))
      assert.strictEqual(message, "test.lua:1: deep")
      assert.strictEqual(script, "test.lua")
      assert.include(traceback, "test.lua:2: in main chunk")
      assert.strictEqual(yield* run("#!/usr/bin/lua\nresult = 1"), 1n)
    }))

  it.effect("a script is bytes, UTF-8 or not", () =>
    Effect.gen(function*() {
      const { vm } = yield* Vm.shared
      const source = Uint8Array.from([...Buffer.from("result = '"), 0xff, 0xe9, 0xc3, ...Buffer.from("'")])
      yield* vm.load({ name: "latin.lua", source })
      assert.strictEqual(yield* vm.get("result"), "\xff\xe9\xc3")
      yield* vm.load({ name: "text.lua", source: "result = 'é'" })
      assert.strictEqual(yield* vm.get("result"), LuaValue.fromText("é"))
    }))

  it.effect("the sandbox", () =>
    Effect.gen(function*() {
      const { run } = yield* Vm.shared
      yield* run(`
        for _, name in ipairs{"io", "require", "package", "debug", "dofile", "loadfile"} do assert(_G[name] == nil, name) end
        for name in pairs(os) do assert(({time = 1, date = 1, difftime = 1})[name], name) end
        assert(string.dump == nil and ("").dump == nil)
        local code = "\\27Lua" .. ("\\0"):rep(40)
        assert(not load(code) and not load(code, "x", "b") and not load(code, "x", "bt", {}))
        assert(load("return 1 + 1")() == 2 and load("return x", "x", "t", {x = 3})() == 3)
        assert(load(function() end, "empty"))
        assert(collectgarbage("count") > 0 and collectgarbage("stop") == 0 and collectgarbage("isrunning"))
        assert(collectgarbage() == 0 and collectgarbage("setpause", 1e9) == 0 and collectgarbage("generational") == 0)
      `)
    }))
})

describe("LuaVm", () => {
  it.live("errors of calls are results, or raised", () =>
    Effect.gen(function*() {
      const { printed, run } = yield* Vm.make()
      const expected = LuaValue.table({ error_code: 400n, error: "DATA_INVALID" })
      assert.deepStrictEqual(yield* run(`result = messages.fail{}`), expected)
      assert.deepStrictEqual(
        yield* run(`
          madeline_strict(true)
          local ok, e = pcall(messages.fail, {})
          assert(not ok and e.error_code == 400)
          print(e)
          result = e`),
        expected
      )
      assert.deepStrictEqual(printed, ["DATA_INVALID (400)"])
      const error = yield* failure(run(`\n\nmessages.fail{}`))
      assert.deepStrictEqual([error.kind, error.line, error.detail], ["runtime", 3, "DATA_INVALID"])
      // A defect of the host is an error without its text.
      assert.deepStrictEqual(
        yield* run(`madeline_strict(false) result = messages.die{}`),
        LuaValue.table({ error_code: 500n, error: "Internal error of the host" })
      )
    }))

  it.live("what cannot be handed over is an error of that call", () =>
    Effect.gen(function*() {
      const { calls, run, vm } = yield* Vm.make({ limits: { transfer: 100_000 } })
      const says = (value: string) =>
        Effect.map(run(`result = messages.echo(${value})`), (result) => LuaValue.get(result, "description"))
      assert.strictEqual(yield* says("{a = {f = print}}"), "This cannot be handed over: a.f: a function")
      assert.strictEqual(
        yield* says("{c = coroutine.create(print)}"),
        "This cannot be handed over: c: a coroutine"
      )
      assert.strictEqual(yield* says("{[{}] = 1}"), "This cannot be handed over: a table as a key")
      assert.strictEqual(
        yield* says("(function() local t = {} t.t = {t = t} return t end)()"),
        "This cannot be handed over: t.t: a table that contains itself"
      )
      assert.include(
        yield* says("(function() local t = {} for i = 1, 70 do t = {t} end return t end)()"),
        "nested deeper than 64 tables"
      )
      assert.include(yield* says("(function() local t = {} for i = 1, 1e5 do t[i] = i end return t end)()"), "too much")
      assert.include(yield* says("{s = ('x'):rep(1e6)}"), "too much")
      // Shared parts, twice as many at each level.
      assert.include(
        yield* says("(function() local t = {} for i = 1, 40 do t = {t, t} end return t end)()"),
        "too much"
      )
      assert.deepStrictEqual(calls, [])
      assert.strictEqual((yield* failure(vm.get("print"))).kind, "conversion")
      yield* vm.load({ name: "x", source: "function f() return {}, print end" })
      assert.strictEqual((yield* failure(vm.call("f"))).kind, "conversion")
      // ... and nothing has suffered.
      assert.strictEqual(yield* run("result = messages.echo{a = 1}.a"), 1n)
    }))

  it.effect("time is the host's, in UTC", () =>
    Effect.gen(function*() {
      const { run } = yield* Vm.make()
      yield* TestClock.setTime(1_709_164_800_000 + 5000) // a leap day
      assert.deepStrictEqual(
        yield* run(`
          local t = os.date("*t", 1709164805)
          assert(os.time(t) == 1709164805 and t.yday == 60 and t.wday == 5)
          assert(os.time{year = 1969, month = 12, day = 31, hour = 23, min = 59, sec = 59} == -1)
          assert(os.time{year = 2024, month = 14, day = 1, hour = 0} == os.time{year = 2025, month = 2, day = 1, hour = 0})
          assert(not pcall(os.date, "%Q") and not pcall(os.date, "*t", 0/0) and not pcall(os.date, "*t", 1e300))
          assert(not pcall(os.time, {year = 1e300, month = 1, day = 1}))
          result = {os.time(), os.date("!%Y-%m-%d %H:%M:%S"), os.date("%c", 0), os.difftime(3, 1)}`),
        LuaValue.sequence([1709164805n, "2024-02-29 00:00:05", "Thu Jan 01 00:00:00 1970", 2])
      )
    }))

  it.live("what is wrong with a time is said of the script's line", () =>
    Effect.gen(function*() {
      const { run } = yield* Vm.make()
      yield* run(`
        local function fails(f, ...)
          local ok, message = pcall(function(...) return (f(...)) end, ...)
          assert(not ok)
          return message
        end
        assert(fails(os.date, "%Q"):find("^test.lua:3: invalid conversion specifier '%%Q'"), fails(os.date, "%Q"))
        assert(fails(os.time, 5):find("^test.lua:3: .*table expected, got number"))
        assert(fails(os.time, {}):find("^test.lua:3: field 'year' missing"))
        assert(fails(os.time, {year = 1e300, month = 1, day = 1}):find("^test.lua:3: field 'year'"))
        assert(fails(os.date, "%c", 1e300):find("^test.lua:3: "))
        assert(fails(os.difftime, 1):find("not a number"))`)
    }))

  it.live("one runtime has nothing of another", () =>
    Effect.gen(function*() {
      const one = yield* Vm.make()
      const other = yield* Vm.make()
      yield* one.run("string.upper = nil; x = 1")
      assert.isNull(yield* other.run("assert(('a'):upper() == 'A'); result = x"))
    }))

  it.live("a runtime ends with its scope, and with who is interrupted in the middle", () =>
    Effect.gen(function*() {
      const { vm } = yield* Effect.scoped(Vm.make())
      assert.strictEqual((yield* failure(vm.get("x"))).kind, "host")
      const second = yield* Vm.make()
      const fiber = yield* Effect.forkChild(second.run("messages.never{}"), { startImmediately: true })
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      assert.isTrue(yield* second.vm.ended)
      assert.strictEqual((yield* failure(second.vm.get("x"))).kind, "host")
    }))
})
