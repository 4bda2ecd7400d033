/**
 * How a gateway is set up. Everything has a default that is safe.
 *
 * @since 1.0.0
 */
import type * as MtprotoTransport from "@effect-mtproto/transport/MtprotoTransport"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import type * as Redacted from "effect/Redacted"

/**
 * What strangers may ask of the gateway. Sizes are in bytes.
 *
 * @category models
 * @since 1.0.0
 */
export interface Limits {
  /** A body of JSON or a form. Default 1 MiB. */
  readonly body: number
  /** A file that is uploaded. Default 2000 MiB. */
  readonly file: number
  /** How long a body of JSON or a form may take to arrive. Default 10 seconds. */
  readonly bodyTime: Duration.Input
  /** How long nothing may come of a file. Default 30 seconds. */
  readonly fileIdle: Duration.Input
  /** How long a call may take. What is committed by then is sent all the same. Default 2 minutes. */
  readonly requestTime: Duration.Input
  /** Requests of one session in a second; short bursts may be twice as many. 0 = any number. Default 200. */
  readonly requestsPerSecond: number
  /** Logins that one address may begin in a minute, and wrong tokens that it may try. 0 = any number. Default 20. */
  readonly attemptsPerMinute: number
  /** Updates of a session that wait to be fetched. Default 100,000. */
  readonly updates: number
}

/** @category models @since 1.0.0 */
export const defaultLimits: Limits = {
  body: 1 << 20,
  file: 2000 * (1 << 20),
  bodyTime: "10 seconds",
  fileIdle: "30 seconds",
  requestTime: "2 minutes",
  requestsPerSecond: 200,
  attemptsPerMinute: 20,
  updates: 100_000
}

/** @category models @since 1.0.0 */
export interface Options {
  /** How Telegram is reached: `apiId`, `apiHash` and what else `MtprotoTransport` takes. */
  readonly telegram: MtprotoTransport.Options
  /** Whoever begins a login has to know it, if it is set: `Authorization: Bearer …` or `X-Admin-Token`. */
  readonly adminToken?: Redacted.Redacted<string> | undefined
  /** Origins that browsers may call from. Default none. */
  readonly cors?: ReadonlyArray<string> | undefined
  /** A session that nobody uses is closed after this time; nothing is lost by it. Default 5 minutes. */
  readonly idle?: Duration.Input | undefined
  readonly limits?: Partial<Limits> | undefined
  /** How long the pause before the first repetition of a webhook is; it doubles up to 5 minutes. Default 1 second. */
  readonly webhookRetry?: Duration.Input | undefined
}

/**
 * Limits whose times have been read: they are asked for with every request.
 *
 * @category models
 * @since 1.0.0
 */
export interface FixedLimits extends Limits {
  readonly bodyTime: Duration.Duration
  readonly fileIdle: Duration.Duration
  readonly requestTime: Duration.Duration
}

/** @category services @since 1.0.0 */
export class GatewayOptions
  extends Context.Service<GatewayOptions, Omit<Options, "limits"> & { readonly limits: FixedLimits }>()(
    "@effect-mtproto/gateway/GatewayOptions"
  )
{}

/** @category constructors @since 1.0.0 */
export const make = (options: Options): GatewayOptions["Service"] => {
  const limits = { ...defaultLimits, ...options.limits }
  return {
    ...options,
    limits: {
      ...limits,
      bodyTime: Duration.fromInputUnsafe(limits.bodyTime),
      fileIdle: Duration.fromInputUnsafe(limits.fileIdle),
      requestTime: Duration.fromInputUnsafe(limits.requestTime)
    }
  }
}
