import * as LuaValue from "@effect-mtproto/lua/LuaValue"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import * as Vm from "./support/vm.ts"

/** The error that ends a script. */
const ends = (source: string, limits?: Parameters<typeof Vm.make>[0] extends infer O | undefined ? O : never) =>
  Effect.scoped(Effect.gen(function*() {
    const { run, vm } = yield* Vm.make(limits ?? { limits: { instructions: 300_000, memory: 2 ** 24 } })
    const error = yield* Effect.flip(run(source))
    return { kind: error.kind, limit: error.limit, line: error.line, isOver: yield* vm.ended }
  }))

const instructions = { kind: "limit" as const, limit: "instructions" as const, isOver: true }

describe("scripts that mean no good", () => {
  it.live("loop for ever", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* ends("\nwhile true do end"), { ...instructions, line: 2 })
    }))

  it.live("catch what stops them", () =>
    Effect.forEach([
      "while true do pcall(function() while true do end end) end",
      "while true do xpcall(function() while true do end end, function() while true do end end) end",
      "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
      "local t <close> = setmetatable({}, {__close = function() while true do end end}) while true do end",
      "setmetatable(_G, {__index = function(_, k) while true do end end}) local x = y",
      "table.sort({3, 2, 1}, function() while true do end end)",
      "while true do string.format('%s', setmetatable({}, {__tostring = function() return '' end})) end"
    ], (source) =>
      Effect.map(ends(source), ({ isOver, kind, limit }) =>
        assert.deepStrictEqual({ kind, limit, isOver }, instructions, source)), {
      concurrency: "unbounded",
      discard: true
    }))

  it.live("take all memory", () =>
    Effect.gen(function*() {
      const { run, vm } = yield* Vm.make({ limits: { memory: 2 ** 24 } })
      for (
        const source of [
          "local s = ('x'):rep(1e9)",
          "local s = ('x'):rep(1e3, ('y'):rep(1e6))",
          "local s = 'x' while true do s = s .. s end",
          "local t = {} for i = 1, 1e9 do t[i] = {i} end",
          "local t = {} for i = 1, math.maxinteger do t[i] = i end",
          "local t = {('x'):rep(1e6)} for i = 1, 1e4 do t[i + 1] = t[1] end result = table.concat(t)",
          "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
          "local s = ('x'):rep(1e6) result = s:gsub('x', s)",
          "local f = function() end while true do local g = f; f = function() g() end end",
          "local t = {} while true do t = {t} end"
        ]
      ) {
        const { kind, limit } = yield* Effect.flip(run(source))
        assert.deepStrictEqual([kind, limit], ["limit", "memory"], source)
        // What was taken is free again, and the runtime goes on.
        assert.isFalse(yield* vm.ended)
      }
    }))

  it.live("are short of memory, and go on", () =>
    Effect.gen(function*() {
      const { run } = yield* Vm.make({ limits: { memory: 2 ** 24 } })
      assert.deepStrictEqual(
        yield* run(`
          local ok, e = pcall(string.rep, "x", 1e9)
          assert(not ok and e == "not enough memory")
          for i = 1, 5 do local t = {} pcall(function() for j = 1, 1e9 do t[j] = j end end) end
          pcall(function() local t = {} while true do t[#t + 1] = ("x"):rep(1000) .. #t end end)
          for i = 1, 1000 do end
          assert(#("x"):rep(1e6) == 1e6)
          pcall(function() local t = {} while true do t[#t + 1] = ("x"):rep(1000) .. #t end end)
          result = messages.echo{a = 1}.a`),
        1n
      )
      assert.strictEqual(yield* run("result = #('x'):rep(1e6)"), 1000000n)
    }))

  it.live("are full when the host has something for them", () =>
    Effect.gen(function*() {
      const { run, vm } = yield* Vm.make({ limits: { memory: 2 ** 24 } })
      yield* run("t = {} pcall(function() while true do t[#t + 1] = ('x'):rep(2 ^ 16) .. #t end end)")
      const error = yield* Effect.flip(vm.set("x", "y".repeat(2 ** 20)))
      assert.deepStrictEqual([error.kind, error.limit], ["limit", "memory"])
    }))

  it.live("call themselves too deeply", () =>
    Effect.gen(function*() {
      const { run } = yield* Vm.make()
      yield* run(`
        local function f() return 1 + f() end
        assert(not pcall(f))
        local function g() return (("a"):gsub("a", g)) end
        assert(not pcall(g))
        local function h(n) return select(2, pcall(h, n + 1)) end
        h(1)
        local function c(n) return coroutine.wrap(c)(n + 1) end
        assert(not pcall(c, 1))
        local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k + 1] end
        assert(not pcall(function() return t[1] end))
        getmetatable(t).__index = t
        assert(not pcall(function() return t[1] end))
        assert(not load("return " .. ("("):rep(1000) .. "1" .. (")"):rep(1000)))
        assert(not pcall(string.find, ("x"):rep(1e4), (".-"):rep(1e3) .. "y", 1, false) or true)
        assert(not pcall(string.rep, "x", -1) or string.rep("x", -1) == "")
        result = 1
      `)
    }))

  // No instruction is counted inside these: only time ends them.
  it.effect("hide in functions of C", () =>
    Effect.gen(function*() {
      for (
        const source of [
          "\nlocal s = ('a'):rep(60); s:find(('a*'):rep(30) .. 'b')",
          "\ntable.move({}, 1, math.maxinteger - 1, 2)",
          "\nsetmetatable({}, {__gc = function() while true do end end}) collectgarbage() collectgarbage()"
        ]
      ) {
        const how = yield* Effect.scoped(Effect.gen(function*() {
          const { run, vm } = yield* Vm.make({ limits: { time: "3 seconds" } })
          const fiber = yield* Effect.forkChild(Effect.flip(run(source)), { startImmediately: true })
          yield* Effect.yieldNow
          yield* TestClock.adjust("3 seconds")
          const { kind, limit } = yield* Fiber.join(fiber)
          return { kind, limit, isOver: yield* vm.ended }
        }))
        assert.deepStrictEqual(how, { kind: "limit", limit: "time", isOver: true }, source)
      }
    }))

  it.effect("and are named with their line even so", () =>
    Effect.gen(function*() {
      const { printed, run } = yield* Vm.make({ limits: { time: "3 seconds" } })
      const fiber = yield* Effect.forkChild(
        Effect.flip(run("\nlocal s = ('a'):rep(60)\nprint('in it') s:find(('a*'):rep(30) .. 'b')")),
        { startImmediately: true }
      )
      while (printed.length === 0) yield* Effect.promise(() => new Promise(setImmediate))
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual((yield* Fiber.join(fiber)).message, "test.lua:3: more than 3 s of computing")

      const { run: small } = yield* Vm.make({ limits: { memory: 2 ** 24, time: "5 minutes" } })
      const error = yield* Effect.flip(small("local s = 'x'\n\ns = s:rep(1e9)"))
      assert.deepInclude(error, { limit: "memory", line: 3 })
    }))

  it.effect("the host's time is not theirs", () =>
    Effect.gen(function*() {
      const { run } = yield* Vm.make({ limits: { time: "3 seconds" } })
      const fiber = yield* Effect.forkChild(run("result = messages.never{}"), { startImmediately: true })
      yield* TestClock.adjust("1 hour")
      assert.isUndefined(fiber.pollUnsafe())
      yield* Fiber.interrupt(fiber)
    }))

  it.live("say anything", () =>
    Effect.gen(function*() {
      const { printed, run } = yield* Vm.make()
      yield* run(`
        print("\\255\\0\\u{1F98A}", 0/0, math.mininteger, 2^63, -0.0, nil, true)
        var_dump("\\255", 0/0, math.maxinteger, {[0/0 == 0 and 1 or "k"] = 1}, print == nil)
        local t = {} t.t = t var_dump(t)
        local d = {} for i = 1, 100 do d = {d} end var_dump(d)
        assert(not pcall(string.format, "%d", 1.5) and not pcall(string.format, "%d", 2^63))
        assert(not pcall(string.format, ("%1"):rep(100) .. "000d", 1))
        assert(string.format("%5.2s|%q", "abc", 1/3) == "   ab|0x1.5555555555555p-2")
        assert(not pcall(string.rep) and not pcall(setmetatable, 1, {}))
        assert(not pcall(print, setmetatable({}, {__tostring = function() return {} end})))
      `)
      assert.strictEqual(printed[0], "\ufffd\0🦊\t-nan\t-9223372036854775808\t9.2233720368548e+18\t-0.0\tnil\ttrue")
      assert.strictEqual(printed[4], "{\n  k = 1\n}")
      assert.strictEqual(printed[6], "{\n  t = { ... }\n}")
      // Long lines are refused, not cut.
      const error = yield* Effect.flip(run("print(('x'):rep(2e7))"))
      assert.deepStrictEqual([error.kind, error.line], ["runtime", 1])
    }))

  it.live("break what they were given", () =>
    Effect.gen(function*() {
      const { run, vm } = yield* Vm.make()
      yield* run(`
        for k in pairs(_G) do if k ~= "_G" and k ~= "messages" and k ~= "string" and k ~= "setmetatable" then _G[k] = nil end end
        for k in next or function() end, string do string[k] = nil end
        setmetatable(_G, {__index = function(_, k) return "everything" end, __newindex = function() end})
        result = 5
      `)
      assert.isFalse(yield* vm.listens)
      yield* vm.deliver(LuaValue.table({ _: "update" }))
      yield* run("string = nil; messages = nil; madeline_update_callback = 'no function'")
      assert.isFalse(yield* vm.listens)
    }))
})
