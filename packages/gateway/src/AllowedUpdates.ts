/**
 * Which updates a session wants in its inbox: `allowed_updates`, a list of names.
 *
 * - names of updates: `updateNewMessage`, `updateNewEncryptedMessage`, `updateSecretChat`, …
 * - `secret_chats`: all those of secret chats
 * - `*`: everything
 *
 * An empty list is what holds until something is chosen: everything but who is online or typing in ordinary chats, which is
 * worth little when it is read later, and is most of what there is.
 *
 * @since 1.0.0
 */
import type * as Api from "@effect-mtproto/core/Api"
import * as ApiSchema from "@effect-mtproto/core/ApiSchema"
import * as SecretUpdate from "@effect-mtproto/secret-chats/SecretUpdate"
import * as OtherUpdates from "@effect-mtproto/transport/OtherUpdates"
import * as Result from "effect/Result"
import * as Failure from "./Failure.ts"
import * as Json from "./Json.ts"

const MAX_NAMES = 500

let known: ReadonlySet<string> | undefined

const isKnown = (name: string): boolean => {
  known ??= new Set([
    "*",
    "secret_chats",
    ...SecretUpdate.tags,
    ...(ApiSchema.types().get("Update") ?? []).map((one) => one.name)
  ])
  return known.has(name)
}

const invalid = (problem: string) =>
  Result.fail(Failure.badRequest(`Parameter allowed_updates: ${problem}`, "PARAMETERS_INVALID"))

/**
 * The list that a parameter is: an array of names, its JSON, or one name; each name once, in order.
 *
 * @category parsing
 * @since 1.0.0
 */
export const parse = (value: unknown): Result.Result<ReadonlyArray<string>, Failure.Failure> => {
  if (typeof value === "string" && value.trim().startsWith("[")) {
    const parsed = Json.parse(value)
    return Result.isSuccess(parsed) ? parse(parsed.success) : invalid("an array of names is required")
  }
  const names = typeof value === "string" ? value === "" ? [] : [value] : value
  if (!Array.isArray(names) || names.length > MAX_NAMES) return invalid("an array of names is required")
  for (const name of names) {
    if (typeof name !== "string") return invalid("an array of names is required")
    if (!isKnown(name)) return invalid(`there is no update ${JSON.stringify(name.slice(0, 64))}`)
  }
  return Result.succeed([...new Set(names as ReadonlyArray<string>)].toSorted())
}

/**
 * Whether an update of this name is wanted.
 *
 * @category filtering
 * @since 1.0.0
 */
export const filter = (names: ReadonlyArray<string> = []): (tag: string) => boolean => {
  if (names.length === 0) return (tag) => !OtherUpdates.isMomentary({ _tag: tag as Api.Update["_tag"] })
  if (names.includes("*")) return () => true
  const wanted = new Set(names)
  if (wanted.has("secret_chats")) { for (const tag of SecretUpdate.tags) wanted.add(tag) }
  return (tag) => wanted.has(tag)
}
