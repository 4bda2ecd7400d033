/**
 * What the server was told to do wrong. Each order is used up by the calls or
 * packets that it spoils; without orders, looking costs nothing.
 */

/** How one call of a method is spoiled. */
export type CallFault =
  /** Answered with an error, and not executed. */
  | { readonly _tag: "Fail"; readonly code: number; readonly type: string }
  /** Executed, but the answer is kept back until it is asked for or the client connects again. */
  | { readonly _tag: "DropAnswer" }
  /** Executed late. */
  | { readonly _tag: "Delay"; readonly millis: number }
  /** Answered twice, with the same message. */
  | { readonly _tag: "DuplicateAnswer" }
  /** Answered with `msg_detailed_info`; the answer itself comes when it is asked for. */
  | { readonly _tag: "AnnounceAnswer" }
  /** The connection breaks before or after execution; the answer, if any, is kept for the next one. */
  | { readonly _tag: "Disconnect"; readonly when: "before" | "after" }

interface CallOrder {
  readonly method: string
  readonly phone: string | undefined
  readonly fault: CallFault
  remaining: number
}

/** How a key exchange is spoiled: which value the server gets wrong, or how it refuses. */
export type HandshakeFault =
  | "resPQ.nonce"
  | "resPQ.pq"
  | "resPQ.fingerprints"
  | "serverDhParams.nonce"
  | "serverDhParams.serverNonce"
  | "serverDhParams.hash"
  | "serverDhParams.length"
  | "serverDhInner.nonce"
  | "serverDhInner.serverNonce"
  | "serverDhInner.prime"
  | "serverDhInner.generator"
  | "serverDhInner.gA"
  | "dhGen.nonce"
  | "dhGen.serverNonce"
  | "dhGen.hash"
  | "dhGen.retry"
  | "dhGen.fail"
  | "refuse.reqPq"
  | "refuse.reqDhParams"
  | "refuse.setClientDhParams"

export interface Faults {
  calls: Array<CallOrder>
  handshake: Array<{ readonly fault: HandshakeFault; remaining: number }>
  /** Packets to refuse: with `bad_server_salt` for 48, else with `bad_msg_notification`. */
  packets: Array<{ readonly code: number; readonly phone: string | undefined; remaining: number }>
  /** Encrypted frames to answer with a transport error. */
  transport: Array<{ readonly code: number; remaining: number }>
  /** Answers `updates.differenceTooLong` to so many calls. */
  differencesTooLong: number
  /** The greatest number of messages in one difference. */
  differenceLimit: number | undefined
  /** Encrypted messages that are queued, but not pushed, by phone number. */
  readonly unpushed: Map<string, number>
  /** Updates that are sent after the next message, by phone number. */
  readonly late: Map<string, number>
}

export const make = (): Faults => ({
  calls: [],
  handshake: [],
  packets: [],
  transport: [],
  differencesTooLong: 0,
  differenceLimit: undefined,
  unpushed: new Map(),
  late: new Map()
})

const take = <A extends { remaining: number }>(
  orders: Array<A>,
  matches: (order: A) => boolean
): A | undefined => {
  if (orders.length === 0) return undefined
  const index = orders.findIndex(matches)
  if (index === -1) return undefined
  const order = orders[index]!
  order.remaining--
  if (order.remaining <= 0) orders.splice(index, 1)
  return order
}

/** Uses up an order of one of these kinds for a call, if there is one. */
export const takeCall = <Tag extends CallFault["_tag"]>(
  faults: Faults,
  method: string,
  phone: string | undefined,
  tag: Tag
): Extract<CallFault, { readonly _tag: Tag }> | undefined =>
  take(
    faults.calls,
    (order) =>
      order.fault._tag === tag && order.method === method && (order.phone === undefined || order.phone === phone)
  )?.fault as Extract<CallFault, { readonly _tag: Tag }> | undefined

/** As {@link takeCall}, for a disconnection at the given moment. */
export const takeDisconnect = (
  faults: Faults,
  method: string,
  phone: string | undefined,
  when: "before" | "after"
): boolean =>
  take(
    faults.calls,
    (order) =>
      order.fault._tag === "Disconnect" && order.fault.when === when && order.method === method &&
      (order.phone === undefined || order.phone === phone)
  ) !== undefined

/** Uses up one of the given orders for a key exchange, if there is one. */
export const takeHandshake = (
  faults: Faults,
  among: ReadonlyArray<HandshakeFault>
): HandshakeFault | undefined => take(faults.handshake, (order) => among.includes(order.fault))?.fault

export const takePacket = (faults: Faults, phone: string | undefined): number | undefined =>
  take(faults.packets, (order) => order.phone === undefined || order.phone === phone)?.code

export const takeTransport = (faults: Faults): number | undefined => take(faults.transport, () => true)?.code

export const takeDifferenceTooLong = (faults: Faults): boolean => {
  if (faults.differencesTooLong === 0) return false
  faults.differencesTooLong--
  return true
}

const takeOne = (orders: Map<string, number>, phone: string): boolean => {
  const left = orders.get(phone)
  if (left === undefined) return false
  if (left <= 1) orders.delete(phone)
  else orders.set(phone, left - 1)
  return true
}

/** Whether the push of the next encrypted message to this account is to be left out. */
export const takeUnpushed = (faults: Faults, phone: string): boolean => takeOne(faults.unpushed, phone)

/** Whether the next update to this account is to come late. */
export const takeLate = (faults: Faults, phone: string): boolean => takeOne(faults.late, phone)
