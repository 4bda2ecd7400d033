/**
 * What the two threads say to each other. The thread of the script is idle until it is told something, and then works until
 * it has said `done` or `failed`; a `request` in between waits for its `answer`.
 */
import type { LuaErrorKind, LuaLimit } from "../LuaError.ts"
import type { LuaValue } from "../LuaValue.ts"

export interface Limits {
  /** Bytes. */
  readonly memory: number
  /** Of Lua's machine, for the script itself and for each call into it. */
  readonly instructions: number
  /** Bytes and values of one call. */
  readonly transfer: number
}

export interface Setup {
  readonly module: WebAssembly.Module
  readonly port: MessagePort
  /** 0: rises with every message to the script. 1: the line where the script was last seen. */
  readonly shared: Int32Array
  readonly limits: Limits
  readonly prelude: string
  /** What the prelude gets: the names of methods and of functions. */
  readonly methods: ReadonlyArray<string>
  readonly functions: ReadonlyArray<string>
  readonly strict: boolean
}

export type Order =
  | { readonly tag: "load"; readonly source: string; readonly name: string }
  /** A function of the prelude. */
  | { readonly tag: "internal"; readonly name: string; readonly args: ReadonlyArray<LuaValue> }
  | { readonly tag: "call"; readonly name: string; readonly args: ReadonlyArray<LuaValue> }
  | { readonly tag: "get"; readonly name: string }
  | { readonly tag: "set"; readonly name: string; readonly value: LuaValue }

export interface Answer {
  readonly tag: "answer"
  readonly ok: boolean
  readonly value: LuaValue
}

export interface Failed {
  readonly tag: "failed"
  readonly kind: LuaErrorKind
  readonly detail: string
  readonly line?: number
  readonly limit?: LuaLimit
  readonly traceback?: string
  /** Nothing more comes from this thread. */
  readonly fatal: boolean
}

export type Report =
  | { readonly tag: "ready" }
  | { readonly tag: "done"; readonly values: ReadonlyArray<LuaValue> }
  | Failed
  | { readonly tag: "request"; readonly name: string; readonly args: ReadonlyArray<LuaValue> }
