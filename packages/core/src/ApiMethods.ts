/**
 * The methods of the API by name and by id, for programs that learn at run time what to call: gateways, scripting hosts,
 * tools that read traffic. Importing this module keeps the whole layer in a bundle; a program that knows its methods uses
 * `Api` alone, and `Api.methodTable` where it has to tell a few apart.
 *
 * @since 1.0.0
 */
import * as Api from "./Api.ts"

let methods: ReadonlyMap<string, Api.AnyMethod> | undefined
let table: Api.MethodTable<Api.AnyMethod> | undefined

const isMethod = (u: unknown): u is Api.AnyMethod =>
  typeof u === "function" && typeof (u as { readonly tag?: unknown }).tag === "string"

/**
 * Every method of the layer by its name in TL.
 *
 * @category methods
 * @since 1.0.0
 */
export const all = (): ReadonlyMap<string, Api.AnyMethod> => {
  if (methods === undefined) {
    const found = new Map<string, Api.AnyMethod>()
    const add = (u: unknown): void => {
      if (isMethod(u)) found.set(u.tag, u)
    }
    for (const value of Object.values(Api as Readonly<Record<string, unknown>>)) {
      add(value)
      // Namespaces are module objects; codecs of types are plain ones and hold no method.
      if (typeof value === "object" && value !== null) Object.values(value).forEach(add)
    }
    methods = found
  }
  return methods
}

/**
 * The method of this name: `messages.sendEncryptedService`. Names are case-sensitive.
 *
 * @category methods
 * @since 1.0.0
 */
export const byName = (name: string): Api.AnyMethod | undefined => all().get(name)

/**
 * The table of all methods, to read any request.
 *
 * @category methods
 * @since 1.0.0
 */
export const tableOfAll = (): Api.MethodTable<Api.AnyMethod> => table ??= Api.methodTable(all().values())
