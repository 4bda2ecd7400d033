/**
 * The thread of a script. It imports nothing but the bindings, so that it starts in milliseconds, and has no event loop:
 * it sleeps until the host has something for it.
 */
import { receiveMessageOnPort, workerData } from "node:worker_threads"
import type { LuaValue } from "../LuaValue.ts"
import { FUNCTION, Lua, MEMORY, OK, OutOfMemory, STRING, TABLE, Unreadable } from "./lua54.ts"
import type { Answer, Failed, Order, Report, Setup } from "./protocol.ts"

const { functions, limits, methods, module, port, prelude, shared, strict } = workerData as Setup

const report = (message: Report) => port.postMessage(message)

const receive = <A>(): A => {
  for (;;) {
    const seen = Atomics.load(shared, 0)
    const received = receiveMessageOnPort(port as never)
    if (received !== undefined) return received.message as A
    Atomics.wait(shared, 0, seen)
  }
}

/** The script has used up what it was given: unwinds all of Lua. */
class Exhausted extends Error {}

const lua = new Lua(module, limits.memory)
const { L, x } = lua

let chunk = "=?"
let used = 0
/** What the present order does, in a protected call. */
let body: (L: number) => number = () => 0
let results: ReadonlyArray<LuaValue> = []
/** Where the error happened that is being unwound. */
let place: { readonly line: number; readonly traceback: string; readonly detail: string } | undefined

let collector = 0

/**
 * Collects garbage where memory was refused. Lua does so itself, except for the buffers of its string functions: without this
 * they would find no room beside garbage.
 */
const relieve = (state: number): void => {
  if (!lua.isFull) return
  lua.isFull = false
  lua.pushKept(state, collector)
  x.lua_callk(state, 0, 0, 0, 0)
}

// ----- functions of Lua

const INTERVAL = 1000
/** Lines of an order that are seen one by one; after them, one in so many instructions. Most orders have fewer. */
const LINES = 2000
let lines = 0

const see = (state: number): void => {
  const line = lua.lineIn(state, chunk)
  if (line > 0) Atomics.store(shared, 1, line)
}

const onLine = (state: number): void => {
  if (++lines > LINES) unhookLines(state)
  else see(state)
}

const onCount = (state: number): void => {
  used += INTERVAL
  see(state)
  if (used > limits.instructions) throw new Exhausted()
  relieve(state)
}

const { hookLines, unhookLines } = lua.hook(INTERVAL, onCount, onLine)

let unreadable: Unreadable | undefined

// What cannot be handed over must not unwind Lua: it goes on to live.
const run = lua.function((state) => {
  try {
    relieve(state)
    return body(state)
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    unreadable = error
    return 0
  }
})

const handler = lua.function((state) => {
  const line = lua.lineIn(state, chunk)
  const traceback = lua.traceback(state, 1)
  // An error may be a table as calls return it.
  const isSaid = x.lua_type(state, 1) === TABLE &&
    ["description", "error"].some((name) => x.lua_getfield(state, 1, lua.name(name)) === STRING)
  if (!isSaid) x.luaL_tolstring(state, 1, 0)
  place = { line, traceback, detail: lua.bytes(state, -1) ?? "an error" }
  return 1
})

/** `host(name, ...)`: asks, waits, and returns what the prelude makes of it. */
const host = lua.function((state) => {
  const budget = { left: limits.transfer }
  const count = x.lua_gettop(state)
  const name = lua.bytes(state, 1) ?? ""
  const args: Array<LuaValue> = []
  const tells = name === "call" || name === "function"
  try {
    for (let i = 2; i <= count; i++) args.push(lua.read(state, i, budget))
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error
    const detail = `This cannot be handed over: ${error.message}`
    if (!tells) lua.raise(state, detail)
    x.lua_settop(state, 0)
    lua.push(state, false)
    lua.push(
      state,
      new Map<string, LuaValue>([["error_code", 400n], ["error", "PARAMETERS_INVALID"], ["description", detail]])
    )
    return 2
  }
  report({ tag: "request", name, args })
  const answer = receive<Answer>()
  x.lua_settop(state, 0)
  if (tells) lua.push(state, answer.ok)
  lua.push(state, answer.value)
  return tells ? 2 : 1
})

// ----- running

/** An error that Lua wrote, `script:12: what`; a coroutine that failed has put its own line before it. */
const split = (text: string): { readonly line: number; readonly detail: string } => {
  const prefix = `${chunk.slice(1)}:`
  let line = 0
  let detail = text
  while (detail.startsWith(prefix)) {
    const rest = /^(\d+): ?([\s\S]*)$/.exec(detail.slice(prefix.length))
    if (rest === null) break
    line = Number(rest[1])
    detail = rest[2]!
  }
  // What the prelude has to say, it says about the script.
  detail = detail.replace(/^\[host\]:\d+: /, "")
  return { line, detail }
}

const failed = (kind: Failed["kind"], detail: string, more: Partial<Failed> = {}): Failed => {
  const { line, ...rest } = more
  return {
    tag: "failed",
    kind,
    detail: detail.slice(0, 2000),
    fatal: false,
    ...rest,
    ...line === undefined || line <= 0 ? {} : { line }
  }
}

const protectedly = (what: (L: number) => number): Report => {
  used = 0
  Atomics.store(shared, 1, 0)
  place = undefined
  unreadable = undefined
  results = []
  body = what
  x.lua_settop(L, 0)
  x.lua_pushcclosure(L, handler, 0)
  x.lua_pushcclosure(L, run, 0)
  let status: number
  try {
    status = x.lua_pcallk(L, 0, 0, 1, 0, 0)
  } catch (error) {
    const line = Atomics.load(shared, 1)
    if (error instanceof Exhausted) {
      return failed("limit", `more than ${limits.instructions} instructions`, {
        limit: "instructions",
        line,
        fatal: true
      })
    }
    if (error instanceof OutOfMemory) {
      return failed("limit", `more than ${limits.memory} bytes of memory`, { limit: "memory", line, fatal: true })
    }
    if (error instanceof RangeError) {
      return failed("limit", "calls nested too deeply", { limit: "stack", line, fatal: true })
    }
    return failed("host", `Lua has stopped: ${String(error)}`, { line, fatal: true })
  }
  if (unreadable !== undefined) return failed("conversion", (unreadable as Unreadable).message)
  if (status === OK) return { tag: "done", values: results }
  const text = lua.bytes(L, -1) ?? "an error"
  x.lua_settop(L, 0)
  if (status === MEMORY) {
    return failed("limit", `more than ${limits.memory} bytes of memory`, {
      limit: "memory",
      line: Atomics.load(shared, 1)
    })
  }
  const at: { readonly line: number; readonly traceback: string; readonly detail: string } | undefined = place
  const said = split(at === undefined ? text : (at as { readonly detail: string }).detail)
  return failed("runtime", said.detail, {
    line: said.line > 0 ? said.line : (at as { readonly line: number } | undefined)?.line ?? 0,
    ...at === undefined ? {} : { traceback: (at as { readonly traceback: string }).traceback }
  })
}

/** Takes what a call has left on the stack. */
const take = (state: number, from: number): ReadonlyArray<LuaValue> => {
  const budget = { left: limits.transfer }
  const values: Array<LuaValue> = []
  for (let i = from; i <= x.lua_gettop(state); i++) values.push(lua.read(state, i, budget))
  return values
}

let internals = 0
const VALUES = -1

const load = (source: string, name: string): Report => {
  chunk = `=${name}`
  // The first line may be for the shell.
  const text = source.replace(/^\u00EF\u00BB\u00BF/, "").replace(/^#/, "--")
  let problem: string | undefined
  const done = protectedly((state) => {
    if (lua.load(state, text, chunk) === OK) x.lua_callk(state, 0, 0, 0, 0)
    else problem = lua.bytes(state, -1) ?? ""
    return 0
  })
  if (done.tag === "failed" || problem === undefined) return done
  const said = split(problem)
  return said.detail === "not enough memory"
    ? failed("limit", `more than ${limits.memory} bytes of memory`, { limit: "memory" })
    : failed("syntax", said.detail, { line: said.line })
}

const obey = (order: Order): Report => {
  lines = 0
  hookLines()
  switch (order.tag) {
    case "load":
      return load(order.source, order.name)
    case "internal":
      return protectedly((state) => {
        lua.pushKept(state, internals)
        x.lua_getfield(state, -1, lua.name(order.name))
        for (const arg of order.args) lua.push(state, arg)
        x.lua_callk(state, order.args.length, VALUES, 0, 0)
        results = take(state, 2)
        return 0
      })
    case "call":
      return protectedly((state) => {
        lua.push(state, order.name)
        if (x.lua_getglobal(state, lua.name(order.name)) !== FUNCTION) {
          lua.raise(state, "there is no such function")
        }
        for (const arg of order.args) {
          if (x.lua_checkstack(state, 4) === 0) lua.raise(state, "too many arguments")
          lua.push(state, arg)
        }
        x.lua_callk(state, order.args.length, VALUES, 0, 0)
        results = take(state, 2)
        return 0
      })
    case "get":
      return protectedly((state) => {
        x.lua_getglobal(state, lua.name(order.name))
        results = take(state, 1)
        return 0
      })
    case "set":
      return protectedly((state) => {
        lua.push(state, order.value)
        x.lua_setglobal(state, lua.name(order.name))
        return 0
      })
  }
}

const begin = (): Report => {
  lua.open(["base", "coroutine", "table", "string", "utf8", "math"])
  if (lua.load(L, prelude, "=[host]") !== OK) return failed("host", lua.bytes(L, -1) ?? "", { fatal: true })
  const setUp = lua.keep(L)
  x.lua_getglobal(L, lua.name("collectgarbage"))
  collector = lua.keep(L)
  const done = protectedly((state) => {
    lua.pushKept(state, setUp)
    x.lua_pushcclosure(state, host, 0)
    for (const names of [methods, functions]) {
      lua.push(state, new Map(names.map((name, i) => [BigInt(i + 1), name])))
    }
    lua.push(state, strict)
    x.lua_callk(state, 4, 1, 0, 0)
    internals = lua.keep(state)
    return 0
  })
  if (done.tag === "failed") return { ...done, fatal: true }
  return { tag: "ready" }
}

let last = begin()
report(last)
while (!(last.tag === "failed" && last.fatal)) report(last = obey(receive<Order>()))
