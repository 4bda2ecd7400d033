/**
 * What the generated modules of the API are made of: codecs of types, methods, requests. `Api` exports it.
 *
 * @since 1.0.0
 * @internal
 */
import type * as RpcError from "../RpcError.ts"
import type { TlCodec } from "../TlCodec.ts"
import { isTlError, TlError } from "../TlError.ts"
import { TlReader } from "../TlReader.ts"
import { TlWriter } from "../TlWriter.ts"
import { locate } from "./apiLocate.ts"

// ----- codecs

/**
 * The binary codec of a type of the API.
 *
 * @category models
 * @since 1.0.0
 */
export interface TypeCodec<in out A> extends TlCodec<A> {
  /** The name in TL, `messages.DhConfig`. */
  readonly name: string
}

/** @internal */
export type Mutable<A> = { -readonly [K in keyof A]: A[K] }

type Read<A> = (r: TlReader) => A
type Write<A> = (w: TlWriter, value: A) => void

let idle: TlWriter | undefined

const encode = <A>(write: Write<A>, value: A): Uint8Array => {
  const writer = idle ?? new TlWriter()
  // A getter of the value may encode something itself.
  idle = undefined
  try {
    write(writer, value)
    return writer.take()
  } catch (error) {
    writer.reset()
    throw isTlError(error) ? located(error, write, value) : error
  } finally {
    idle = writer
  }
}

/**
 * The same error with the path of the value that caused it. Writers do not keep track of where they are, so the value is
 * written once more through proxies: what was looked at last is what could not be written.
 */
const located = <A>(error: TlError, write: Write<A>, value: A): TlError => {
  let last: ReadonlyArray<string | number> = []
  const watch = (watched: any, path: ReadonlyArray<string | number>): any =>
    typeof watched !== "object" || watched === null || ArrayBuffer.isView(watched) ? watched : new Proxy(
      // Not the value itself: a proxy of a frozen object could not answer with proxies.
      Array.isArray(watched) ? [] : {},
      {
        get(_, key) {
          const found = watched[key]
          if (typeof key === "symbol") return found
          const at = key === "_tag" ? path : [...path, Array.isArray(watched) ? Number(key) : key]
          if (!(Array.isArray(watched) && key === "length")) last = at
          return watch(found, at)
        }
      }
    )
  try {
    write(new TlWriter(), watch(value, []))
  } catch (again) {
    if (isTlError(again)) {
      const { expected, found, offset, reason } = again
      return new TlError({ reason, path: last, offset, expected, found })
    }
  }
  return error
}

const decode = <A>(read: Read<A>, bytes: Uint8Array): A => {
  const reader = new TlReader(bytes)
  let value: A
  try {
    value = read(reader)
  } catch (error) {
    if (!isTlError(error)) throw error
    const { expected, found, offset, reason } = error
    throw new TlError({ reason, path: locate(read, bytes), offset, expected, found })
  }
  reader.finish()
  return value
}

/** @internal */
export const codec = <A>(name: string, read: Read<A>, write: Write<A>): TypeCodec<A> => ({
  name,
  read,
  write,
  encode: (value) => encode(write, value),
  decode: (bytes) => decode(read, bytes)
})

// ----- methods and requests

/**
 * The key under which a request carries its method.
 *
 * @category type ids
 * @since 1.0.0
 */
export const MethodTypeId: unique symbol = Symbol.for("~@effect-mtproto/core/Api/Method")

/** The key of the types of a method; nothing stands there at run time. */
declare const TypesId: unique symbol

/**
 * What a method is sent as: its parameters with `_tag`.
 *
 * @internal
 */
export type MethodValue<M extends AnyMethod> = NonNullable<M[typeof TypesId]>["value"]

/**
 * A method of the API: a function from its parameters to a request, and everything known about it.
 *
 * @category models
 * @since 1.0.0
 */
export interface Method<Tag extends string, in out P, in out A, out E> extends RpcError.Source<E> {
  (...args: {} extends P ? [params?: P] : [params: P]): Request<Tag, P, A, E>
  /** The name in TL, `messages.sendEncryptedService`. */
  readonly tag: Tag
  /** The constructor id, unsigned. */
  readonly id: number
  /** The request as a whole, with its id. What it decodes carries its method, so it is a request again. */
  readonly params: TypeCodec<{ readonly _tag: Tag } & P>
  /** The result. */
  readonly response: TypeCodec<A>
  /** The documented errors; `%d` in a type stands for a number. */
  readonly errors: ReadonlyArray<RpcError.Documentation>
  readonly [TypesId]?: {
    readonly params: P
    readonly value: { readonly _tag: Tag } & P
    readonly response: A
    readonly errors: E
  }
}

/**
 * A call that can be sent: the parameters with `_tag`, the name of the method. It carries its method under a symbol that is
 * not enumerable, so it prints, compares and serialises as plain data; a copy made by spreading is no request.
 *
 * @category models
 * @since 1.0.0
 */
export type Request<Tag extends string, P, A, E> = P & {
  readonly _tag: Tag
  readonly [MethodTypeId]: Method<Tag, P, A, E>
}

/**
 * Any method.
 *
 * @category models
 * @since 1.0.0
 */
export type AnyMethod = Method<any, any, any, any>

/**
 * Any request.
 *
 * @category models
 * @since 1.0.0
 */
export interface AnyRequest {
  readonly _tag: string
  readonly [MethodTypeId]: AnyMethod
}

type TypesOf<M extends AnyRequest | AnyMethod> = NonNullable<
  M extends AnyRequest ? M[typeof MethodTypeId][typeof TypesId] : M extends AnyMethod ? M[typeof TypesId] : never
>

/**
 * The result of a method, or of the method of a request.
 *
 * @category utility types
 * @since 1.0.0
 */
export type Response<M extends AnyRequest | AnyMethod> = TypesOf<M>["response"]

/**
 * The documented errors of a method, or of the method of a request.
 *
 * @category utility types
 * @since 1.0.0
 */
export type ErrorOf<M extends AnyRequest | AnyMethod> = TypesOf<M>["errors"]

/**
 * The parameters of a method, or of the method of a request.
 *
 * @category utility types
 * @since 1.0.0
 */
export type Params<M extends AnyRequest | AnyMethod> = TypesOf<M>["params"]

const carry = (value: object, of: AnyMethod): any => Object.defineProperty(value, MethodTypeId, { value: of })

/** What `method` is given, and what it makes of it when somebody asks. */
class Descriptor {
  readonly read: Read<any>
  readonly write: Write<any>
  readonly readResponse: Read<any>
  readonly writeResponse: Write<any>
  readonly documentation: string
  params: TypeCodec<any> | undefined = undefined
  response: TypeCodec<any> | undefined = undefined
  errors: ReadonlyArray<RpcError.Documentation> | undefined = undefined

  constructor(
    read: Read<any>,
    write: Write<any>,
    readResponse: Read<any>,
    writeResponse: Write<any>,
    documentation: string
  ) {
    this.read = read
    this.write = write
    this.readResponse = readResponse
    this.writeResponse = writeResponse
    this.documentation = documentation
  }
}

/** `400 A B;500 C` as a list. */
const parseDocumentation = (text: string): ReadonlyArray<RpcError.Documentation> =>
  text === "" ? [] : text.split(";").flatMap((group) => {
    const [code, ...types] = group.split(" ")
    return types.map((type) => ({ code: Number(code), type }))
  })

interface Internal extends AnyMethod {
  readonly descriptor: Descriptor
}

const accessors = (): object =>
  Object.create(Function.prototype, {
    params: {
      get(this: Internal) {
        const d = this.descriptor
        return d.params ??= codec(this.tag, (r) => carry(d.read(r), this), d.write)
      }
    },
    response: {
      get(this: Internal) {
        const d = this.descriptor
        return d.response ??= codec(`the result of ${this.tag}`, d.readResponse, d.writeResponse)
      }
    },
    errors: {
      get(this: Internal) {
        const d = this.descriptor
        return d.errors ??= parseDocumentation(d.documentation)
      }
    },
    toString: {
      value(this: Internal) {
        return this.tag
      }
    }
  })

let methodPrototype: object | undefined

/** @internal */
export const method = <Tag extends string, P, A, E>(
  tag: Tag,
  id: number,
  read: Read<NoInfer<{ readonly _tag: Tag } & P>>,
  write: Write<NoInfer<{ readonly _tag: Tag } & P>>,
  readResponse: Read<NoInfer<A>>,
  writeResponse: Write<NoInfer<A>>,
  documentation: string
): Method<Tag, P, A, E> => {
  const self: any = (params?: object) => carry({ _tag: tag, ...params }, self)
  self.tag = tag
  self.id = id
  self.descriptor = new Descriptor(read, write, readResponse, writeResponse, documentation)
  return Object.setPrototypeOf(self, methodPrototype ??= accessors())
}

/**
 * True for what a method has made.
 *
 * @category guards
 * @since 1.0.0
 */
export const isRequest = (u: unknown): u is AnyRequest => typeof u === "object" && u !== null && MethodTypeId in u

/**
 * The method of a request.
 *
 * @category requests
 * @since 1.0.0
 */
export const methodOf = <R extends AnyRequest>(request: R): R[typeof MethodTypeId] => {
  const found = request[MethodTypeId]
  if (found === undefined) {
    throw new TlError({
      reason: "NoTlForm",
      path: [],
      offset: 0,
      expected: "a request made by a method of Api",
      found: "an object without its method (a copy?)"
    })
  }
  return found
}

/**
 * The bytes of a request, constructor id first.
 *
 * @category requests
 * @since 1.0.0
 */
export const encodeRequest = (request: AnyRequest): Uint8Array => methodOf(request).params.encode(request)

/**
 * Reads the result that the server sent for `request`.
 *
 * @category requests
 * @since 1.0.0
 */
export const decodeResponse = <R extends AnyRequest>(request: R, bytes: Uint8Array): Response<R> =>
  methodOf(request).response.decode(bytes)

/**
 * Puts a request, or the bytes of one, into a wrapper: `wrap(Api.invokeWithLayer, { layer: Api.layer }, request)`. The
 * answer to the bytes that this returns is the answer to `query`.
 *
 * @category requests
 * @since 1.0.0
 */
export const wrap = <M extends Method<any, any, Uint8Array, any>>(
  wrapper: M,
  params: Omit<Params<M>, "query">,
  query: AnyRequest | Uint8Array
): Uint8Array =>
  wrapper.params.encode({
    _tag: wrapper.tag,
    ...params,
    query: query instanceof Uint8Array ? query : encodeRequest(query)
  })

/**
 * Methods by constructor id.
 *
 * @category models
 * @since 1.0.0
 */
export interface MethodTable<M extends AnyMethod> {
  /** The method whose constructor id is `id`, signed or unsigned. */
  readonly get: (id: number) => M | undefined
  /** The method that `bytes` start with. */
  readonly peek: (bytes: Uint8Array) => M | undefined
  /** Reads the request in `bytes`; a method that is not in the table is a `TlError` with the reason `UnknownConstructor`. */
  readonly decode: (bytes: Uint8Array) => ReturnType<M>
}

/**
 * Makes the table of the given methods, for servers and for tools that read traffic.
 *
 * @category requests
 * @since 1.0.0
 */
export const methodTable = <M extends AnyMethod>(methods: Iterable<M>): MethodTable<M> => {
  const byId = new Map<number, M>()
  for (const m of methods) byId.set(m.id, m)
  const get = (id: number): M | undefined => byId.get(id >>> 0)
  return {
    get,
    peek: (bytes) => bytes.length < 4 ? undefined : get(new TlReader(bytes).int()),
    decode: (bytes) => {
      const r = new TlReader(bytes)
      const id = r.int()
      const found = get(id)
      return found === undefined ? r.unknown("the known methods", id) : found.params.decode(bytes) as ReturnType<M>
    }
  }
}
