/** What goes wrong in a call, as the table that the script gets in place of a result. */
import type { Outcome } from "@effect-mtproto/secret-chats/Outcome"
import { LuaError } from "../LuaError.ts"
import * as LuaValue from "../LuaValue.ts"
import type { Answer } from "../LuaVm.ts"

/** A refusal of the host itself. */
export class Refusal extends Error {
  readonly code: number
  readonly word: string
  constructor(code: number, word: string, description: string) {
    super(description)
    this.code = code
    this.word = word
  }
}

export const invalid = (description: string): Refusal => new Refusal(400, "PARAMETERS_INVALID", description)

/** What the server took, as a table. */
export const outcome = ({ chatId, date, index, randomId, _tag, file }: Outcome): LuaValue.LuaTable =>
  LuaValue.table({
    _: _tag,
    date: BigInt(date),
    chat_id: BigInt(chatId),
    random_id: randomId,
    index: BigInt(index),
    file: file === undefined ? undefined : LuaValue.table({
      _: "encryptedFile",
      id: file.id,
      access_hash: file.accessHash,
      size: file.size,
      dc_id: BigInt(file.dcId),
      key_fingerprint: BigInt(file.keyFingerprint)
    })
  })

const make = (
  code: number,
  word: string,
  description: string,
  more: { readonly retryAfter?: number; readonly sent?: unknown } = {}
): LuaValue.LuaTable =>
  LuaValue.table({
    error_code: BigInt(code),
    error: LuaValue.fromText(word),
    description: LuaValue.fromText(description),
    retry_after: more.retryAfter === undefined ? undefined : BigInt(more.retryAfter),
    sent: Array.isArray(more.sent) && more.sent.length > 0
      ? LuaValue.sequence((more.sent as ReadonlyArray<Outcome>).map(outcome))
      : undefined
  })

const words: { readonly [tag: string]: readonly [number, string] } = {
  SecretChatUnknown: [404, "CHAT_UNKNOWN"],
  SecretChatNotReady: [409, "CHAT_NOT_READY"],
  SecretChatClosed: [409, "CHAT_CLOSED"],
  MessageInvalid: [400, "MESSAGE_INVALID"],
  TransportError: [502, "TRANSPORT_FAILED"],
  StoreError: [500, "STORE_FAILED"],
  CryptoError: [500, "CRYPTO_FAILED"],
  FileError: [400, "FILE_INVALID"],
  TlError: [400, "PARAMETERS_INVALID"]
}

const internal = make(500, "INTERNAL", "The host has failed; its log says more")

/** The table for an error of any layer; `undefined` if it is none that a script should see. */
export const fromError = (error: unknown): LuaValue.LuaTable | undefined => {
  if (error instanceof Refusal) return make(error.code, error.word, error.message)
  if (error instanceof LuaError) return make(400, "PARAMETERS_INVALID", error.message)
  if (!(error instanceof Error) || !("_tag" in error)) return undefined
  const { _tag, code, message, sent, seconds, type } = error as unknown as {
    readonly [key: string]: unknown
    readonly message: string
  }
  if (typeof type === "string" && typeof code === "number") {
    return make(code, type, message, { sent, ...typeof seconds === "number" ? { retryAfter: seconds } : {} })
  }
  const known = words[_tag as string]
  return known === undefined ? undefined : make(known[0], known[1], message, { sent })
}

export const answer = (error: unknown): Answer => ({ ok: false, value: fromError(error) ?? internal })
