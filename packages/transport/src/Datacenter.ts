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
 * The production servers, for networks with IPv6.
 *
 * @since 1.0.0
 * @category constants
 */
export const productionIpv6: ReadonlyArray<Datacenter> = [
  { id: 1, host: "2001:b28:f23d:f001::a", port: 443 },
  { id: 2, host: "2001:67c:4e8:f002::a", port: 443 },
  { id: 3, host: "2001:b28:f23d:f003::a", port: 443 },
  { id: 4, host: "2001:67c:4e8:f004::a", port: 443 },
  { id: 5, host: "2001:b28:f23f:f005::a", port: 443 }
]

/**
 * The test servers, for networks with IPv6.
 *
 * @since 1.0.0
 * @category constants
 */
export const testIpv6: ReadonlyArray<Datacenter> = [
  { id: 1, host: "2001:b28:f23d:f001::e", port: 443 },
  { id: 2, host: "2001:67c:4e8:f002::e", port: 443 },
  { id: 3, host: "2001:b28:f23d:f003::e", port: 443 }
]

/**
 * The data centre that a new account is first looked for in.
 *
 * @since 1.0.0
 * @category constants
 */
export const first = 2
