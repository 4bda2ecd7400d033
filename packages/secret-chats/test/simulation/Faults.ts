/** How bad the world is. Probabilities, unless they say otherwise. */
export interface Faults {
  /** Of a stop of the program, at every commit (half before it, half after) and at every confirmation of an event. */
  readonly crashAtStore: number
  /** At every call (half before the server has it, half after). */
  readonly crashAtCall: number
  /** Of a store that says it failed: before anything happened, or after everything did. */
  readonly storeFails: number
  /** Of a store that cannot be read. */
  readonly readFails: number
  /** Of a frame that the server forgets. */
  readonly drop: number
  /** Of an update that comes twice. */
  readonly twice: number
  /** Of an update that takes very long. */
  readonly late: number
  /** Of a call that does not reach the server, and ends with a timeout. */
  readonly callLost: number
  /** Of an answer that never comes. */
  readonly answerLost: number
  readonly refuse: number
  /** Of an error 500 or MSG_WAIT_FAILED. */
  readonly internal: number
  /** Of "RANDOM_ID_DUPLICATE" to a message that the server has. */
  readonly duplicate: number
  /** Milliseconds; the longest ordinary way of a packet. */
  readonly latency: number
}

export const calm: Faults = {
  crashAtStore: 0,
  crashAtCall: 0,
  storeFails: 0,
  readFails: 0,
  drop: 0,
  twice: 0,
  late: 0,
  callLost: 0,
  answerLost: 0,
  refuse: 0,
  internal: 0,
  duplicate: 0,
  latency: 40
}
