/**
 * Message identifiers: unix time in units of 2^-32 seconds, whose two low bits
 * say who sent the message and why (core.telegram.org/mtproto/description,
 * "Message Identifier").
 */

/** The low bits of a message that answers a message of the client. */
export const ANSWER = 1n

/** The low bits of any other message of the server. */
export const PUSH = 3n

/** The identifier of a moment, `millis` being unix time in milliseconds. */
export const fromMillis = (millis: number): bigint => {
  const seconds = Math.floor(millis / 1000)
  const fraction = Math.floor((millis - seconds * 1000) * 4_294_967.296)
  return (BigInt(seconds) << 32n) + BigInt(fraction)
}

/** The identifier of the start of a second of unix time. */
export const fromSeconds = (seconds: number): bigint => BigInt(seconds) << 32n

/** The second of unix time in which an identifier was made. */
export const toSeconds = (id: bigint): number => Number(id >> 32n)

/** The next identifier of the server: that of `millis`, but always greater than `last`. */
export const next = (last: bigint, millis: number, low: bigint): bigint => {
  const id = ((fromMillis(millis) >> 2n) << 2n) + low
  return id > last ? id : ((last >> 2n) << 2n) + 4n + low
}

/** Whether a client may have made this identifier. */
export const isFromClient = (id: bigint): boolean => (id & 3n) === 0n
