/**
 * A query on its way: kept from when it is taken until it has ended.
 */

export class Outgoing {
  /** 0 until it is sent. */
  msgId = 0n
  seqNo = 0
  /** The identifier of the packet that carried it last: its own, or the container's. */
  outerId = 0n
  /** What was sent under `msgId`, with everything that stands before the query. */
  wire: Uint8Array = EMPTY
  state: "queued" | "sent" | "acked" | "done" = "queued"
  /** To be sent again as it is. */
  resend = false
  /** Not in a container with others. */
  alone = false
  /** Sent with `initConnection`. */
  wrapped = false
  /** Sent with `invokeAfterMsg`. */
  waits = false
  /** How often the server did not take it. */
  rejections = 0
  /** When the server is asked about it, and how long after that again. */
  checkAt = Infinity
  checkDelay: number
  /** Its place among the queries. */
  readonly order: number
  readonly body: Uint8Array
  readonly repeatable: boolean
  after: Outgoing | undefined

  constructor(order: number, body: Uint8Array, repeatable: boolean, after: Outgoing | undefined, checkDelay: number) {
    this.order = order
    this.body = body
    this.repeatable = repeatable
    this.after = after
    this.checkDelay = checkDelay
  }
}

const EMPTY = new Uint8Array(0)
