/**
 * Calls of mtcute with bytes in place of its own objects, and its objects as bytes.
 *
 * mtcute writes a request by looking its name up in a table of writers, and reads the
 * answer of a request whose name is in a table of readers of answers with that reader.
 * So a name of ours for each method, with a writer that writes bytes as they are and a
 * reader that leaves them as they are, makes a call that mtcute serialises nothing of.
 * A name for each method, since mtcute keeps books by name: of floods, for one.
 */
import * as Api from "@effect-mtproto/core/Api"
import { isTlError } from "@effect-mtproto/core/TlError"
import { TlReader } from "@effect-mtproto/core/TlReader"
import { TransportError } from "@effect-mtproto/transport/Transport"
import type { BaseTelegramClient, RpcCallOptions, tl } from "@mtcute/node"
import { TlBinaryWriter } from "@mtcute/node/utils.js"
import * as Effect from "effect/Effect"

/** The client without what is above the network. */
export type MtClient = BaseTelegramClient["mt"]

const PREFIX = "effect-mtproto/"

/** Whether a request is one of ours, made by `call`. */
export const isOurs = (request: { readonly _: string }): boolean => request._.startsWith(PREFIX)

/** An error of the server, as mtcute has it before it makes an `Error` of it. */
export interface ErrorAnswer {
  readonly _: "mt_rpc_error"
  readonly errorCode: number
  readonly errorMessage: string
}

export const isErrorAnswer = (answer: unknown): answer is ErrorAnswer =>
  typeof answer === "object" && answer !== null && "_" in answer && answer._ === "mt_rpc_error"

const nameOf = (mt: MtClient, tag: string): string => {
  const name = PREFIX + tag
  if (mt._writerMap[name] === undefined) {
    mt._writerMap[name] = (writer: TlBinaryWriter, value: { readonly body: Uint8Array }) => writer.raw(value.body)
    const results = mt._readerMap._results ??= {}
    results[name] = (reader: { readonly raw: () => Uint8Array }) => reader.raw()
  }
  return name
}

/** Sends a serialised method; the answer is the serialised result, perhaps with the padding of its message behind it. */
export const call = (
  mt: MtClient,
  tag: string,
  body: Uint8Array,
  options: RpcCallOptions
): Promise<Uint8Array | ErrorAnswer> => {
  const request = { _: nameOf(mt, tag), body }
  return mt.call(request as unknown as tl.RpcMethod, options) as Promise<Uint8Array | ErrorAnswer>
}

/** Reads a result, and nothing behind it. */
export const readResult = <M extends Api.AnyRequest>(
  request: M,
  bytes: Uint8Array
): Effect.Effect<Api.Response<M>, TransportError> => {
  try {
    return Effect.succeed(Api.methodOf(request).response.read(new TlReader(bytes)) as Api.Response<M>)
  } catch (cause) {
    if (!isTlError(cause)) throw cause
    return Effect.fail(
      new TransportError({ reason: "protocol", detail: "the answer cannot be read", method: request._tag, cause })
    )
  }
}

/** An object of mtcute's as bytes; no bytes if mtcute cannot write what it has read. */
export const serialise = (mt: MtClient, object: tl.TlObject): Uint8Array => {
  try {
    return TlBinaryWriter.serializeObject(mt._writerMap, object)
  } catch {
    return new Uint8Array(0)
  }
}
