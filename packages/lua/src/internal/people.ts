/** Who is named: people by id, `@name`, `+phone`, `me`, or by the tables that the server gave. */
import * as Api from "@effect-mtproto/core/Api"
import type { Transport } from "@effect-mtproto/transport/Transport"
import * as Effect from "effect/Effect"
import * as LuaValue from "../LuaValue.ts"
import { Refusal } from "./failure.ts"

type Person = Api.inputUser | Api.inputUserSelf

/** People that are remembered. */
const capacity = 10_000

export interface People {
  readonly hashes: Map<bigint, bigint>
  readonly names: Map<string, Person>
}

export const make = (): People => ({ hashes: new Map(), names: new Map() })

const keep = <K, V>(map: Map<K, V>, key: K, value: V): void => {
  map.delete(key)
  map.set(key, value)
  if (map.size > capacity) map.delete(map.keys().next().value!)
}

/** Remembers how those can be addressed that came with an answer. */
export const remember = (people: People, value: unknown): void => {
  if (typeof value !== "object" || value === null) return
  const users = Array.isArray(value) ? value : "users" in value && Array.isArray(value.users) ? value.users : [value]
  for (const user of users as ReadonlyArray<Api.User>) {
    if (user?._tag === "user" && user.accessHash !== undefined && user.min !== true) {
      keep(people.hashes, user.id, user.accessHash)
    }
  }
}

/** A name that has to be asked for. */
export class NeedsLookup extends Error {
  readonly who: string
  constructor(who: string) {
    super("A name has to be looked up")
    this.who = who
  }
}

const nobody = new Refusal(404, "USER_UNKNOWN", "Nobody is known by that name")

const long = (value: LuaValue.LuaValue | undefined): bigint | undefined => {
  if (typeof value === "bigint") return value
  if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : undefined
  return typeof value === "string" && /^-?\d{1,19}$/.test(value) ? BigInt(value) : undefined
}

const byId = (people: People, userId: bigint): Person => {
  const accessHash = people.hashes.get(userId)
  if (accessHash === undefined) {
    throw new Refusal(
      404,
      "USER_UNKNOWN",
      "Nobody with this id was met: name them by @name, +phone or a table with access_hash"
    )
  }
  return { _tag: "inputUser", userId, accessHash }
}

/**
 * The person that is named; `undefined` if it is a table to be read as it is.
 *
 * @throws Refusal | NeedsLookup
 */
export const find = (people: People, value: LuaValue.LuaValue): Person | undefined => {
  if (LuaValue.isTable(value)) {
    const tag = value.get("_")
    if (tag === "inputUserSelf" || tag === "inputPeerSelf") return { _tag: "inputUserSelf" }
    const isSelf = tag === "user" && value.get("self") === true
    if (isSelf) return { _tag: "inputUserSelf" }
    const userId = long(tag === "user" ? value.get("id") : value.get("user_id"))
    if (userId === undefined) return undefined
    const accessHash = long(value.get("access_hash"))
    if (tag === "user" || tag === "inputUser" || tag === "inputPeerUser" || tag === undefined || tag === "peerUser") {
      return accessHash === undefined ? byId(people, userId) : { _tag: "inputUser", userId, accessHash }
    }
    return undefined
  }
  if (value === "me" || value === "self") return { _tag: "inputUserSelf" }
  const id = long(value)
  if (id !== undefined && !(typeof value === "string" && value.startsWith("+"))) return byId(people, id)
  if (typeof value === "string" && /^(@\w{1,64}|\+[\d ()-]{5,30})$/.test(value)) {
    const known = people.names.get(value)
    if (known === undefined) throw new NeedsLookup(value)
    return known
  }
  throw nobody
}

const lookUp = Effect.fnUntraced(function*(people: People, transport: Transport["Service"], name: string) {
  const found = name.startsWith("+")
    ? yield* transport.invoke(Api.contacts.resolvePhone({ phone: name.replace(/\D/g, "") }))
    : yield* transport.invoke(Api.contacts.resolveUsername({ username: name.slice(1) }))
  remember(people, found)
  const { peer } = found
  const user = peer._tag === "peerUser"
    ? found.users.find((one) => one._tag === "user" && one.id === peer.userId)
    : undefined
  if (user?._tag !== "user") return yield* Effect.fail(nobody)
  keep(people.names, name, { _tag: "inputUser", userId: user.id, accessHash: user.accessHash ?? 0n })
})

/** Runs what may need names, after looking up those it needs. */
export const withNames = <A>(
  people: People,
  transport: Transport["Service"],
  run: () => A
): Effect.Effect<A, unknown> =>
  Effect.suspend((): Effect.Effect<A, unknown> => {
    try {
      return Effect.succeed(run())
    } catch (error) {
      return error instanceof NeedsLookup
        ? Effect.andThen(lookUp(people, transport, error.who), withNames(people, transport, run))
        : Effect.fail(error)
    }
  })

export const asPeer = (person: Person): Api.InputPeer =>
  person._tag === "inputUserSelf" ? { _tag: "inputPeerSelf" } : { ...person, _tag: "inputPeerUser" }
