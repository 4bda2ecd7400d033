/**
 * The methods that the server has, and the names of all that exist.
 */
import type * as Api from "@effect-mtproto/core/Api"
import * as ApiMethods from "@effect-mtproto/core/ApiMethods"
import { readInt } from "../bytes.ts"
import * as Layers from "../layers.ts"
import * as Account from "./account.ts"
import * as Auth from "./auth.ts"
import * as Help from "./help.ts"
import * as LoginToken from "./loginToken.ts"
import * as Messages from "./messages.ts"
import type { Entry } from "./method.ts"
import * as Password from "./password.ts"
import * as People from "./people.ts"
import * as SecretChats from "./secretChats.ts"
import * as Startup from "./startup.ts"
import * as Updates from "./updates.ts"
import * as Upload from "./upload.ts"

const entries: ReadonlyMap<number, Entry> = new Map(
  [Account, Auth, Help, LoginToken, Messages, Password, People, SecretChats, Startup, Updates, Upload]
    .flatMap((group) => group.methods)
    .map((entry) => [entry.method.id, entry])
)

/** How the server answers a method, if it does. */
export const entryOf = (method: Api.AnyMethod): Entry | undefined => entries.get(method.id)

let all: ReadonlyMap<number, Api.AnyMethod> | undefined

/** A method of the API by its constructor id, whether the server has it or not. */
export const methodOf = (id: number): Api.AnyMethod | undefined => {
  const known = entries.get(id >>> 0)
  if (known !== undefined) return known.method
  const older = Layers.olderMethodOf(id)
  if (older !== undefined) return ApiMethods.byName(older)
  if (all === undefined) {
    all = new Map([...ApiMethods.all().values()].map((method) => [method.id, method]))
  }
  return all.get(id >>> 0)
}

/** What a query calls: the method's name, or its constructor if there is no such method. */
export const nameOf = (body: Uint8Array): string => {
  if (body.length < 4) return ""
  const id = readInt(body, 0)
  return methodOf(id)?.tag ?? `#${(id >>> 0).toString(16).padStart(8, "0")}`
}
