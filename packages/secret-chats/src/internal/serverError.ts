/**
 * What the answer to a call means: whether it failed for good, failed for now, or could not be made.
 *
 * @since 1.0.0
 */
import type { TransportError } from "@effect-mtproto/transport/Transport"
import type { ServerError } from "../protocol/Events.ts"
import * as Errors from "../SecretChatError.ts"

/** Anything that `invoke` can fail with. @internal */
export type InvokeError = { readonly _tag: string } & Partial<ServerError>

/** @internal */
export const isTransportError = (error: InvokeError): error is TransportError => error._tag === "TransportError"

/** What the server said; errors of the transport have no such part. @internal */
export const saidBy = (error: InvokeError): ServerError => ({ code: error.code ?? 0, type: error.type ?? error._tag })

/** @internal */
export const fromTransport = (error: TransportError): Errors.TransportError =>
  new Errors.TransportError({ reason: error.reason, detail: error.detail })

/** @internal */
export const translate = (error: InvokeError): Errors.ServerError | Errors.TransportError =>
  isTransportError(error) ? fromTransport(error) : Errors.fromServer(saidBy(error))

/** The transport will not work again. @internal */
export const isFinal = (error: TransportError): boolean =>
  ["closed", "unauthorized", "handshake", "store", "configuration"].includes(error.reason)

/**
 * - `duplicate`: the server has it already, which is success
 * - `wait`: a call that this one waits for failed; the same bytes again
 * - `transient`: the server has a problem of its own; the same bytes again
 * - `network`: the call could not be made
 * - `unauthorized`: the account is logged out; nothing is wrong with the message
 * - `refused`: for good
 *
 * @internal
 */
export type Verdict = "duplicate" | "wait" | "transient" | "network" | "unauthorized" | "refused"

/** @internal */
export const judge = (error: InvokeError): Verdict => {
  if (isTransportError(error)) return error.reason === "too-large" ? "refused" : "network"
  const { code, type } = saidBy(error)
  if (type === "RANDOM_ID_DUPLICATE") return "duplicate"
  if (type === "MSG_WAIT_FAILED" || type === "MSG_WAIT_TIMEOUT") return "wait"
  if (code === 401) return "unauthorized"
  return code >= 500 || code < 0 ? "transient" : "refused"
}

/** What a refusal is to the protocol: a request that the transport cannot carry is too long for the server too. @internal */
export const refusal = (error: InvokeError): ServerError =>
  isTransportError(error) ? { code: 400, type: "DATA_TOO_LONG" } : saidBy(error)
