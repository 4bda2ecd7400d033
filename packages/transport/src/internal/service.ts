/**
 * The service messages of MTProto as bytes.
 */
import * as Api from "@effect-mtproto/core/Api"
import * as MtprotoApi from "@effect-mtproto/core/MtprotoApi"
import * as Tl from "@effect-mtproto/core/Tl"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import { isTlError } from "@effect-mtproto/core/TlError"

const client = TlCodec.make(MtprotoApi.ClientMessage)
const server = TlCodec.make(MtprotoApi.ServerMessage)
const rpcError = TlCodec.make(MtprotoApi.rpc_error)
const gzipPacked = TlCodec.make(MtprotoApi.gzip_packed)

const RPC_ERROR = Tl.constructorId(MtprotoApi.rpc_error)
const GZIP_PACKED = Tl.constructorId(MtprotoApi.gzip_packed)
const NOTHING = new Uint8Array(0)

/** The most identifiers in one message. */
export const MAX_IDS = 8_192

export const encode = (message: MtprotoApi.ClientMessage): Uint8Array => client.encode(message)

/** What stands before a query that waits for another one. */
export const invokeAfter = (msgId: bigint): Uint8Array => Api.wrap(Api.invokeAfterMsg, { msgId }, NOTHING)

/** A query, perhaps packed, that asks for no updates. */
export const withoutUpdates = (query: Uint8Array): Uint8Array => Api.wrap(Api.invokeWithoutUpdates, {}, query)

/** Whether an object of the server is a service message; anything else is an update. */
export const isServerMessage = (body: Uint8Array): boolean => MtprotoApi.isServerMessage(MtprotoApi.idOf(body) ?? 0)

/** `undefined` if it is broken. */
export const decode = (body: Uint8Array): MtprotoApi.ServerMessage | undefined => attempt(server, body)

/** The error in a result; `undefined` if the result is none. */
export const readError = (result: Uint8Array): { readonly code: number; readonly message: string } | undefined => {
  if (MtprotoApi.idOf(result) !== RPC_ERROR) return undefined
  const error = attempt(rpcError, result)
  return error === undefined
    ? { code: 500, message: "RPC_ERROR_UNREADABLE" }
    : { code: error.errorCode, message: error.errorMessage }
}

export const isPacked = (result: Uint8Array): boolean => MtprotoApi.idOf(result) === GZIP_PACKED

/** The compressed data of a `gzip_packed`; `undefined` if it is broken. */
export const readPacked = (body: Uint8Array): Uint8Array | undefined => attempt(gzipPacked, body)?.packedData

export const writePacked = (packedData: Uint8Array): Uint8Array =>
  gzipPacked.encode({ _tag: "gzip_packed", packedData })

const attempt = <A>(codec: TlCodec.TlCodec<A>, body: Uint8Array): A | undefined => {
  try {
    return codec.decode(body)
  } catch (error) {
    if (isTlError(error)) return undefined
    throw error
  }
}
