/**
 * Lua 5.4 in WebAssembly: the few functions of its C API that are needed here, and nothing else.
 *
 * The module is the one that wasmoon ships, without its JavaScript. What the module may ask of its surroundings is given
 * here: memory up to a limit, the unwinding of errors, the time to seed hashes. Its file system, its environment, its
 * `system` and `exit` do not exist, so that whatever a script does to Lua, there is nothing to reach.
 *
 * Every error of Lua is an exception that unwinds to the next protected call. Any other exception unwinds all of them: that
 * is how a script is stopped for good.
 */
import type { LuaKey, LuaValue } from "../LuaValue.ts"

type State = number

interface Exports {
  readonly memory: WebAssembly.Memory
  readonly __indirect_function_table: WebAssembly.Table
  readonly __wasm_call_ctors: () => void
  readonly emscripten_stack_init: () => void
  readonly stackSave: () => number
  readonly stackRestore: (sp: number) => void
  readonly setThrew: (threw: number, value: number) => void
  readonly malloc: (size: number) => number
  readonly free: (pointer: number) => void
  readonly luaL_newstate: () => State
  readonly luaL_requiref: (L: State, name: number, open: number, global: number) => void
  readonly luaL_loadbufferx: (L: State, buffer: number, size: number, name: number, mode: number) => number
  readonly luaL_ref: (L: State, table: number) => number
  readonly luaL_traceback: (L: State, of: State, message: number, level: number) => void
  readonly luaL_tolstring: (L: State, index: number, length: number) => number
  readonly lua_atpanic: (L: State, f: number) => number
  readonly lua_callk: (L: State, args: number, results: number, context: number, k: number) => void
  readonly lua_checkstack: (L: State, n: number) => number
  readonly lua_createtable: (L: State, list: number, fields: number) => void
  readonly lua_error: (L: State) => number
  readonly lua_getglobal: (L: State, name: number) => number
  readonly lua_getfield: (L: State, index: number, name: number) => number
  readonly lua_getinfo: (L: State, what: number, ar: number) => number
  readonly lua_getstack: (L: State, level: number, ar: number) => number
  readonly lua_gettop: (L: State) => number
  readonly lua_isinteger: (L: State, index: number) => number
  readonly lua_newuserdatauv: (L: State, size: number, values: number) => number
  readonly lua_next: (L: State, index: number) => number
  readonly lua_pcallk: (
    L: State,
    args: number,
    results: number,
    handler: number,
    context: number,
    k: number
  ) => number
  readonly lua_pushboolean: (L: State, b: number) => void
  readonly lua_pushcclosure: (L: State, f: number, n: number) => void
  readonly lua_pushinteger: (L: State, n: bigint) => void
  readonly lua_pushlstring: (L: State, s: number, length: number) => number
  readonly lua_pushnil: (L: State) => void
  readonly lua_pushnumber: (L: State, n: number) => void
  readonly lua_rawgeti: (L: State, index: number, n: bigint) => number
  readonly lua_rawset: (L: State, index: number) => void
  readonly lua_rotate: (L: State, index: number, n: number) => void
  readonly lua_setglobal: (L: State, name: number) => void
  readonly lua_sethook: (L: State, f: number, mask: number, count: number) => void
  readonly lua_settop: (L: State, index: number) => void
  readonly lua_toboolean: (L: State, index: number) => number
  readonly lua_tointegerx: (L: State, index: number, isNumber: number) => bigint
  readonly lua_tolstring: (L: State, index: number, length: number) => number
  readonly lua_tonumberx: (L: State, index: number, isNumber: number) => number
  readonly lua_topointer: (L: State, index: number) => number
  readonly lua_type: (L: State, index: number) => number
  readonly [open: `luaopen_${string}`]: WebAssembly.ExportValue
}

export const OK = 0
export const SYNTAX = 3
export const MEMORY = 4

export const NIL = 0
const BOOLEAN = 1
const NUMBER = 3
export const STRING = 4
export const TABLE = 5
export const FUNCTION = 6
const kinds = [
  "nil",
  "a boolean",
  "userdata",
  "a number",
  "a string",
  "a table",
  "a function",
  "userdata",
  "a coroutine"
]

const REGISTRY = -1_000_000 - 1000
const MASK_LINE = 4
const MASK_COUNT = 8
const EVENT_LINE = 2

/** Lua has thrown an error; a protected call catches it. */
class LongJump extends Error {}
const longJump = new LongJump()

/** There is no room for what the host hands over; not even for the error. It ends the runtime. */
export class OutOfMemory extends Error {}
const outOfMemory = new OutOfMemory()

/** A value of Lua that has no counterpart here, and where in the value it stands. */
export class Unreadable extends Error {
  constructor(path: ReadonlyArray<string>, what: string) {
    super(`${path.length === 0 ? "" : `${path.join(".")}: `}${what}`)
  }
}

/** How deep values may be nested that are handed over. */
export const maxDepth = 64
/** Tables cost more than their bytes. */
const bytesPerValue = 16

const PAGE = 65_536
const SCRATCH = 4096

// A JavaScript function gets into Lua's table of functions only as one of WebAssembly: a module that re-exports it.
const wrap = (f: (...args: Array<any>) => unknown, parameters: number, hasResult: boolean): unknown => {
  const i32 = 0x7f
  const type = [0x60, parameters, ...Array.from({ length: parameters }, () => i32), ...hasResult ? [1, i32] : [0]]
  // magic and version; one type; import e.f of it; export it as f
  const head = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0]
  const bytes = [...head, 1, type.length + 1, 1, ...type, 2, 7, 1, 1, 0x65, 1, 0x66, 0, 0, 7, 5, 1, 1, 0x66, 0, 0]
  return new WebAssembly.Instance(new WebAssembly.Module(Uint8Array.from(bytes)), { e: { f } }).exports["f"]
}

export class Lua {
  readonly x: Exports
  readonly L: State
  /** Memory was refused since this was last set to false. */
  isFull = false
  private readonly length: number
  /** A `lua_Debug`. */
  private readonly debug: number
  private readonly scratch: number
  private readonly names = new Map<string, number>()

  /** @param memory bytes that all of Lua may take */
  constructor(module: WebAssembly.Module, memory: number) {
    const nothing = () => -1
    const missing: Record<string, Record<string, unknown>> = {}
    for (const i of WebAssembly.Module.imports(module)) {
      if (i.kind === "function") (missing[i.module] ??= {})[i.name] = nothing
    }
    const imports = {
      ...missing,
      env: {
        ...missing["env"],
        abort: () => {
          throw new Error("Lua has given up")
        },
        exit: () => {
          throw new Error("Lua has given up")
        },
        invoke_vii: (index: number, a: number, b: number) => {
          const sp = this.x.stackSave()
          try {
            ;(this.x.__indirect_function_table.get(index) as (a: number, b: number) => void)(a, b)
          } catch (error) {
            this.x.stackRestore(sp)
            if (error !== longJump) throw error
            this.x.setThrew(1, 0)
          }
        },
        _emscripten_throw_longjmp: () => {
          throw longJump
        },
        emscripten_resize_heap: (size: number) => {
          const wanted = size >>> 0
          const { memory: wasm } = this.x
          if (wanted > memory) {
            this.isFull = true
            return 0
          }
          // Growing page by page takes time that is quadratic in the size; what is not written to takes no memory.
          const now = wasm.buffer.byteLength / PAGE
          const least = Math.ceil(wanted / PAGE)
          const most = Math.max(least, Math.floor(Math.min(memory / PAGE, now * 1.25)))
          for (const pages of [most, least]) {
            try {
              wasm.grow(pages - now)
              return 1
            } catch {
              // less may do
            }
          }
          this.isFull = true
          return 0
        },
        emscripten_date_now: () => Date.now(),
        _emscripten_get_now_is_monotonic: () => 0
      },
      wasi_snapshot_preview1: {
        ...missing["wasi_snapshot_preview1"],
        environ_sizes_get: (count: number, size: number) => {
          const view = new DataView(this.x.memory.buffer)
          view.setUint32(count, 0, true)
          view.setUint32(size, 0, true)
          return 0
        },
        environ_get: () => 0
      }
    }
    this.x = new WebAssembly.Instance(module, imports as WebAssembly.Imports).exports as unknown as Exports
    this.x.__wasm_call_ctors()
    this.length = this.x.malloc(4)
    this.debug = this.x.malloc(256)
    this.scratch = this.x.malloc(SCRATCH)
    this.L = this.x.luaL_newstate()
    if (this.L === 0) throw new Error("There is not enough memory for Lua")
    this.x.lua_atpanic(this.L, 0)
  }

  // ----- functions

  /** A function of JavaScript as a `lua_CFunction`: takes a state, returns the number of its results on the stack. */
  function(f: (L: State) => number): number {
    return this.place(wrap(f, 1, true))
  }

  private place(f: unknown): number {
    const table = this.x.__indirect_function_table
    const index = table.grow(1)
    table.set(index, f)
    return index
  }

  /**
   * Calls `onCount` after every `count` instructions, and `onLine` at each new line, in a state and in every coroutine made in
   * it from then on: lines until `unhookLines` says of a state that it has seen enough of them.
   */
  hook(count: number, onCount: (L: State) => void, onLine: (L: State) => void): {
    readonly hookLines: () => void
    readonly unhookLines: (L: State) => void
  } {
    const f = this.place(wrap(
      (L: State, debug: number) =>
        new DataView(this.x.memory.buffer).getInt32(debug, true) === EVENT_LINE ? onLine(L) : onCount(L),
      2,
      false
    ))
    return {
      hookLines: () => this.x.lua_sethook(this.L, f, MASK_COUNT | MASK_LINE, count),
      unhookLines: (L) => this.x.lua_sethook(L, f, MASK_COUNT, count)
    }
  }

  /** Opens libraries of Lua by name; `base` is `_G`. */
  open(names: ReadonlyArray<string>): void {
    for (const name of names) {
      const open = this.place(this.x[`luaopen_${name}`])
      this.x.luaL_requiref(this.L, this.name(name === "base" ? "_G" : name), open, 1)
      this.pop(this.L, 1)
    }
  }

  /** A name that C can read; kept for good, so never one that a script has made up. */
  name(text: string): number {
    let pointer = this.names.get(text)
    if (pointer === undefined) {
      pointer = this.x.malloc(text.length + 1)
      if (pointer === 0) throw outOfMemory
      const at = new Uint8Array(this.x.memory.buffer, pointer, text.length + 1)
      for (let i = 0; i < text.length; i++) at[i] = text.charCodeAt(i)
      at[text.length] = 0
      this.names.set(text, pointer)
    }
    return pointer
  }

  pop(L: State, n: number): void {
    this.x.lua_settop(L, -n - 1)
  }

  /** Compiles text, never bytecode; the function or the message of the error is on the stack. */
  load(L: State, source: string, chunk: string): number {
    return this.pushWith(
      L,
      source,
      false,
      (pointer) => this.x.luaL_loadbufferx(L, pointer, source.length, this.name(chunk), this.name("t"))
    )
  }

  /** Takes the value on the stack into the registry. */
  keep(L: State): number {
    return this.x.luaL_ref(L, REGISTRY)
  }

  pushKept(L: State, reference: number): void {
    this.x.lua_rawgeti(L, REGISTRY, BigInt(reference))
  }

  /**
   * Pushes what `use` makes of bytes. They lie in memory that Lua collects garbage for, unless they are few: those have a place
   * of their own, which must be read before anything of the script runs.
   */
  private pushWith<A>(L: State, bytes: string, scratch: boolean, use: (pointer: number) => A): A {
    if (scratch && bytes.length <= SCRATCH) {
      Buffer.from(this.x.memory.buffer, this.scratch, bytes.length).write(bytes, "latin1")
      return use(this.scratch)
    }
    const pointer = this.x.lua_newuserdatauv(L, bytes.length, 0)
    Buffer.from(this.x.memory.buffer, pointer, bytes.length).write(bytes, "latin1")
    const result = use(pointer)
    this.x.lua_rotate(L, -2, -1)
    this.pop(L, 1)
    return result
  }

  /** Throws an error of Lua; only below a protected call. */
  raise(L: State, message: string): never {
    this.push(L, message)
    this.x.lua_error(L)
    throw new Error("unreachable")
  }

  // ----- handing values over

  push(L: State, value: LuaValue): void {
    if (value === null) return this.x.lua_pushnil(L)
    switch (typeof value) {
      case "boolean":
        return this.x.lua_pushboolean(L, value ? 1 : 0)
      case "bigint":
        return this.x.lua_pushinteger(L, BigInt.asIntN(64, value))
      case "number":
        return this.x.lua_pushnumber(L, value)
      case "string":
        if (this.x.lua_checkstack(L, 4) === 0) this.raise(L, "stack overflow")
        this.pushWith(L, value, true, (pointer) => this.x.lua_pushlstring(L, pointer, value.length))
        return
    }
    if (this.x.lua_checkstack(L, 4) === 0) this.raise(L, "stack overflow")
    const list = value.has(1n) ? value.size : 0
    this.x.lua_createtable(L, list, value.size - list)
    for (const [key, item] of value) {
      this.push(L, key)
      this.push(L, item)
      this.x.lua_rawset(L, -3)
    }
  }

  /** The bytes of the string at this index. */
  bytes(L: State, index: number): string | undefined {
    const pointer = this.x.lua_tolstring(L, index, this.length)
    if (pointer === 0) return undefined
    const { buffer } = this.x.memory
    const size = new DataView(buffer).getUint32(this.length, true)
    return Buffer.from(buffer, pointer, size).toString("latin1")
  }

  /**
   * The value at this index. Entries are read raw: metatables are not asked.
   *
   * @param budget what it may cost, in bytes; one object for all values of a call
   * @throws Unreadable
   */
  read(
    L: State,
    index: number,
    budget: { left: number },
    path: Array<string> = [],
    above: Array<number> = []
  ): LuaValue {
    budget.left -= bytesPerValue
    if (budget.left < 0) throw new Unreadable(path.slice(0, 3), "too much to hand over at once")
    switch (this.x.lua_type(L, index)) {
      case NIL:
        return null
      case BOOLEAN:
        return this.x.lua_toboolean(L, index) !== 0
      case NUMBER:
        return this.x.lua_isinteger(L, index) !== 0
          ? this.x.lua_tointegerx(L, index, 0)
          : this.x.lua_tonumberx(L, index, 0)
      case STRING: {
        this.x.lua_tolstring(L, index, this.length)
        budget.left -= new DataView(this.x.memory.buffer).getUint32(this.length, true)
        if (budget.left < 0) throw new Unreadable(path.slice(0, 3), "too much to hand over at once")
        return this.bytes(L, index)!
      }
      case TABLE: {
        const identity = this.x.lua_topointer(L, index)
        if (above.includes(identity)) throw new Unreadable(path.slice(0, 3), "a table that contains itself")
        if (above.length >= maxDepth) throw new Unreadable(path.slice(0, 3), `nested deeper than ${maxDepth} tables`)
        if (this.x.lua_checkstack(L, 4) === 0) throw new Unreadable(path, "no room on the stack")
        above.push(identity)
        const table = new Map<LuaKey, LuaValue>()
        const at = index < 0 ? this.x.lua_gettop(L) + index + 1 : index
        const top = this.x.lua_gettop(L)
        try {
          this.x.lua_pushnil(L)
          while (this.x.lua_next(L, at) !== 0) {
            const key = this.read(L, top + 1, budget, path, above) as LuaKey
            if (typeof key === "object") throw new Unreadable(path, "a table as a key")
            path.push(typeof key === "string" ? key.slice(0, 40) : String(key))
            table.set(key, this.read(L, top + 2, budget, path, above))
            path.pop()
            this.pop(L, 1)
          }
        } finally {
          this.x.lua_settop(L, top)
        }
        above.pop()
        return table
      }
      default:
        throw new Unreadable(path, kinds[this.x.lua_type(L, index)] ?? "an unknown value")
    }
  }

  // ----- where it is

  /** The line of the innermost function whose source is `chunk`, or 0. */
  lineIn(L: State, chunk: string): number {
    for (let level = 0; level < 200 && this.x.lua_getstack(L, level, this.debug) !== 0; level++) {
      this.x.lua_getinfo(L, this.name("Sl"), this.debug)
      const { buffer } = this.x.memory
      const view = new DataView(buffer)
      const source = view.getUint32(this.debug + 16, true)
      const size = view.getUint32(this.debug + 20, true)
      if (size === chunk.length && Buffer.from(buffer, source, size).toString("latin1") === chunk) {
        return view.getInt32(this.debug + 24, true)
      }
    }
    return 0
  }

  traceback(L: State, level: number): string {
    this.x.luaL_traceback(L, L, 0, level)
    const text = this.bytes(L, -1) ?? ""
    this.pop(L, 1)
    return text
  }
}
