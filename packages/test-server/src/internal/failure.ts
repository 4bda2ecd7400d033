/**
 * Errors of the server API, as the values that go on the wire.
 */

/** An `rpc_error`: handlers return it in place of a result. */
export interface RpcFailure {
  readonly _tag: "rpc_error"
  /** The family of the error, as in HTTP: 303, 400, 401, 403, 406, 420, 500, or -503. */
  readonly errorCode: number
  /** The machine-readable name, as `CHAT_ID_INVALID`. */
  readonly errorMessage: string
}

export const make = (errorCode: number, errorMessage: string): RpcFailure => ({
  _tag: "rpc_error",
  errorCode,
  errorMessage
})

export const isFailure = (value: unknown): value is RpcFailure =>
  typeof value === "object" && value !== null && "_tag" in value && value._tag === "rpc_error"

export const badRequest = (name: string): RpcFailure => make(400, name)
export const forbidden = (name: string): RpcFailure => make(403, name)
export const unauthorized = (name: string): RpcFailure => make(401, name)
export const floodWait = (seconds: number): RpcFailure => make(420, `FLOOD_WAIT_${seconds}`)
