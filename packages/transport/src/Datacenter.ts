/**
 * Where Telegram's servers are (core.telegram.org/api/datacenter).
 *
 * @since 1.0.0
 */
import * as Schema from "effect/Schema"

/**
 * One address of a data centre.
 *
 * @since 1.0.0
 * @category models
 */
export const Datacenter = Schema.Struct({
  /** 1 to 5 on Telegram. */
  id: Schema.Int,
  /** An address or a host name. */
  host: Schema.String,
  port: Schema.Int
})

/**
 * @since 1.0.0
 * @category models
 */
export type Datacenter = typeof Datacenter.Type

/**
 * The production servers.
 *
 * @since 1.0.0
 * @category constants
 */
export const production: ReadonlyArray<Datacenter> = [
  { id: 1, host: "149.154.175.50", port: 443 },
  { id: 2, host: "149.154.167.51", port: 443 },
  { id: 3, host: "149.154.175.100", port: 443 },
  { id: 4, host: "149.154.167.91", port: 443 },
  { id: 5, host: "149.154.171.5", port: 443 }
]

/**
 * The test servers, which know other accounts than the production ones.
 *
 * @since 1.0.0
 * @category constants
 */
export const test: ReadonlyArray<Datacenter> = [
  { id: 1, host: "149.154.175.10", port: 443 },
  { id: 2, host: "149.154.167.40", port: 443 },
  { id: 3, host: "149.154.175.117", port: 443 }
]

/**
 * The data centre that a new account is first looked for in.
 *
 * @since 1.0.0
 * @category constants
 */
export const first = 2
