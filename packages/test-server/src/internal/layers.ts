/**
 * What the server says, in the layer that a client has announced; and what clients of older layers say.
 *
 * Nearly everything is the same in all layers that clients use, and goes through the generated code of `Api`. Older
 * forms stand in `olderForms.ts`: an object that has one, or may contain one, is written field by field.
 */
import * as Api from "@effect-mtproto/core/Api"
import * as ApiSchema from "@effect-mtproto/core/ApiSchema"
import { isTlError } from "@effect-mtproto/core/TlError"
import { TlReader } from "@effect-mtproto/core/TlReader"
import { TlWriter } from "@effect-mtproto/core/TlWriter"
import { readInt } from "./bytes.ts"
import * as OlderForms from "./olderForms.ts"
import * as TlForms from "./tlForms.ts"

type Combinator = ApiSchema.Combinator

const parse = (line: string): Combinator => {
  const [head, ...words] = line.split(" ") as [string, ...Array<string>]
  const [name, id] = head.split("#") as [string, string]
  const equals = words.indexOf("=")
  return {
    name,
    id: Number.parseInt(id, 16),
    generics: [],
    fields: words.slice(0, equals).map((word) => {
      const colon = word.indexOf(":")
      return { name: word.slice(0, colon), type: word.slice(colon + 1) }
    }),
    result: words.slice(equals + 1).join(" "),
    line
  }
}

interface Form extends OlderForms.OlderForm {
  readonly combinator: Combinator
}

const forms: ReadonlyArray<Form> = /*#__PURE__*/ OlderForms.constructors.map((form) => ({
  ...form,
  combinator: parse(form.line)
}))

const NEWEST_OLD = /*#__PURE__*/ Math.max(...forms.map((form) => form.upTo))

/** Whether a client of this layer gets what the generated code writes. */
const isCurrent = (layer: number): boolean => layer > NEWEST_OLD

// -----------------------------------------------------------------------------
// writing
// -----------------------------------------------------------------------------

const writings = new Map<number, TlForms.Dictionary>()

const writingOf = (layer: number): TlForms.Dictionary => {
  // one dictionary for all layers that have the same forms
  const step = Math.min(...forms.map((form) => form.upTo).filter((upTo) => upTo >= layer))
  const known = writings.get(step)
  if (known !== undefined) return known
  const older = new Map<string, Form>()
  for (const form of forms) {
    if (form.upTo >= step && !older.has(form.combinator.name)) older.set(form.combinator.name, form)
  }
  const writing: TlForms.Dictionary = {
    byName: (name) => older.get(name)?.combinator ?? ApiSchema.constructors().get(name),
    byId: () => undefined
  }
  writings.set(step, writing)
  return writing
}

const write = (layer: number, type: string, value: unknown): Uint8Array => {
  const w = new TlWriter()
  const tag = typeof value === "object" && value !== null && "_tag" in value ? value._tag as string : ""
  // only whole answers need filling: nothing that they contain does
  const fill = OlderForms.fills.get(tag)
  TlForms.write(w, writingOf(layer), type, fill === undefined ? value : { ...fill, ...value as TlForms.Value })
  return w.take()
}

/** The result of a method for a client of this layer. */
export const encodeResult = (layer: number, method: Api.AnyMethod, result: unknown): Uint8Array => {
  if (isCurrent(layer)) return method.response.encode(result)
  const older = OlderForms.results.get(method.tag)
  if (older !== undefined && layer <= older.upTo) return write(layer, older.type, older.of(result))
  const type = ApiSchema.methods().get(method.tag)?.result
  return type === undefined || type === "Bool" ? method.response.encode(result) : write(layer, type, result)
}

/** Updates for a client of this layer. */
export const encodeUpdates = (layer: number, updates: Api.Updates): Uint8Array =>
  isCurrent(layer) ? Api.Updates.encode(updates) : write(layer, "Updates", updates)

// -----------------------------------------------------------------------------
// reading
// -----------------------------------------------------------------------------

const olderMethods: ReadonlyMap<number, Combinator> = /*#__PURE__*/ new Map(
  OlderForms.methods.map(parse).map((method) => [method.id, method])
)

/** The name of a method by an id that it had in an older layer. */
export const olderMethodOf = (id: number): string | undefined => olderMethods.get(id >>> 0)?.name

let reading: TlForms.Dictionary | undefined

/** All forms, old and new: ids are never used twice. */
const readingOf = (): TlForms.Dictionary => {
  if (reading === undefined) {
    const byId = new Map<number, Combinator>()
    for (const combinator of ApiSchema.constructors().values()) byId.set(combinator.id, combinator)
    for (const { combinator } of forms) byId.set(combinator.id, combinator)
    reading = { byName: () => undefined, byId: (id) => byId.get(id) }
  }
  return reading
}

/** Fields as they are named today. */
const upgrade = (value: TlForms.Value): TlForms.Value => {
  const { replyToMsgId, topMsgId: _topMsgId, ...rest } = value
  return (value._tag === "messages.sendMessage" || value._tag === "messages.sendMedia") && replyToMsgId !== undefined
    ? { ...rest, _tag: value._tag, replyTo: { _tag: "inputReplyToMessage", replyToMsgId } }
    : value
}

const decodeOlder = (method: Api.AnyMethod, body: Uint8Array): unknown => {
  const combinator = olderMethods.get(readInt(body, 0) >>> 0) ?? ApiSchema.methods().get(method.tag)
  if (combinator === undefined) return method.params.decode(body)
  const r = new TlReader(body)
  r.int()
  const value = TlForms.readRequest(r, readingOf(), combinator)
  r.finish()
  return upgrade(value)
}

/**
 * A request, whatever layer it is written in.
 *
 * @throws TlError if it is in none
 */
export const decodeRequest = (method: Api.AnyMethod, body: Uint8Array): Api.AnyRequest => {
  if (olderMethods.has(readInt(body, 0) >>> 0)) return decodeOlder(method, body) as Api.AnyRequest
  try {
    return method.params.decode(body) as unknown as Api.AnyRequest
  } catch (error) {
    if (!isTlError(error) || error.reason !== "UnknownConstructor") throw error
    return decodeOlder(method, body) as Api.AnyRequest
  }
}
