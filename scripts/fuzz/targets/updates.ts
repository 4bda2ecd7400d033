/** Updates in any order, with any counters, as a server may send them. */
import * as Api from "@effect-mtproto/core/Api"
import { TlError } from "@effect-mtproto/core/TlError"
import * as Updates from "@effect-mtproto/transport/Updates"
import { isOneOf as is } from "../makeCrypto.ts"
import { below, pick, type Random, type Target } from "../Target.ts"

const edges = [0, 1, 2, 100, 101, 2 ** 31 - 1, -1, -(2 ** 31), 1_000_010]
const counter = (next: Random): number => next() < 0.6 ? 95 + below(next, 12) : pick(next, edges)

const message = (next: Random): Api.EncryptedMessage => ({
  _tag: "encryptedMessageService",
  randomId: BigInt(below(next, 99)),
  chatId: below(next, 5),
  date: counter(next),
  bytes: new Uint8Array(below(next, 8))
})

const update = (next: Random): Api.Update => {
  switch (below(next, 5)) {
    case 0:
      return { _tag: "updateNewEncryptedMessage", message: message(next), qts: counter(next) }
    case 1:
      return { _tag: "updateEncryption", chat: { _tag: "encryptedChatEmpty", id: below(next, 5) }, date: 1 }
    case 2:
      return { _tag: "updateDeleteMessages", messages: [], pts: counter(next), ptsCount: counter(next) }
    case 3:
      return { _tag: "updateEncryptedChatTyping", chatId: 1 }
    default:
      return { _tag: "updatePtsChanged" }
  }
}

const several = <A>(next: Random, make: (next: Random) => A): ReadonlyArray<A> =>
  Array.from({ length: below(next, 6) }, () => make(next))

const updates = (next: Random): Api.Updates => {
  const rest = { users: [], chats: [], date: counter(next) }
  switch (below(next, 5)) {
    case 0:
      return { _tag: "updatesTooLong" }
    case 1:
      return { _tag: "updateShort", update: update(next), date: counter(next) }
    case 2:
      return {
        _tag: "updatesCombined",
        updates: several(next, update),
        ...rest,
        seqStart: counter(next),
        seq: counter(next)
      }
    default:
      return { _tag: "updates", updates: several(next, update), ...rest, seq: counter(next) }
  }
}

const state = (next: Random): Api.updates.State => ({
  _tag: "updates.state",
  pts: counter(next),
  qts: counter(next),
  date: counter(next),
  seq: counter(next),
  unreadCount: 0
})

const difference = (next: Random): Api.updates.Difference => {
  const content = {
    newMessages: [],
    newEncryptedMessages: several(next, message),
    otherUpdates: several(next, update),
    chats: [],
    users: []
  }
  switch (below(next, 4)) {
    case 0:
      return { _tag: "updates.differenceEmpty", date: counter(next), seq: counter(next) }
    case 1:
      return { _tag: "updates.differenceTooLong", pts: counter(next) }
    case 2:
      return { _tag: "updates.differenceSlice", ...content, intermediateState: state(next) }
    default:
      return { _tag: "updates.difference", ...content, state: state(next) }
  }
}

/** Whatever comes, what is confirmed never runs ahead of what was delivered, and positions only rise. */
const drive = (next: Random, feed: (machine: Updates.Updates, now: number) => void): void => {
  const machine = Updates.make({ window: 16 })
  let now = 1_000_000
  let delivered = -1
  const open: Array<number> = []
  machine.start(now, next() < 0.7 ? { pts: 100, qts: 100, date: 1_000, seq: 100 } : undefined)
  for (let i = 0; i < 30; i++) {
    now += below(next, 2_000)
    feed(machine, now)
    for (const command of machine.commands()) {
      if (command._tag !== "Deliver") continue
      const { position } = command.delivery
      if (position <= delivered) throw new Error(`position ${position} after ${delivered}`)
      delivered = position
      open.push(position)
    }
    if (open.length > 0 && next() < 0.6) machine.confirm(now, open.splice(below(next, open.length), 1)[0]!)
    if (next() < 0.1) machine.confirm(now, below(next, 50))
    if (!(machine.wakeAt() >= 0)) throw new Error(`wakes at ${machine.wakeAt()}`)
    machine.poll(now)
  }
}

export const make = (): ReadonlyArray<Target> => {
  const fixed = (seed: number): Random => () => (seed = (seed * 16807) % 2147483647) / 2147483647
  const seeds = Array.from({ length: 12 }, (_, i) => Api.Updates.encode(updates(fixed(i + 1))).slice())
  return [
    {
      name: "transport/Updates, any order",
      seeds: [],
      rarity: 2,
      run: (_, next) =>
        drive(next, (machine, now) => {
          switch (below(next, 8)) {
            case 0:
              return machine.onDifference(now, difference(next))
            case 1: {
              const { _tag: _, unreadCount: __, ...rest } = state(next)
              return machine.onState(now, rest)
            }
            case 2:
              return machine.onFailure(now, next() < 0.5)
            case 3:
              return next() < 0.5 ? machine.onReconnect(now) : machine.onSessionCreated(now)
            case 4:
              return machine.onUnreadable(now)
            default:
              return machine.onUpdates(now, updates(next))
          }
        }),
      isExpected: () => false
    },
    {
      name: "transport/Updates, damaged",
      seeds,
      run: (input, next) => {
        const read = Api.Updates.decode(input)
        drive(
          next,
          (machine, now) => next() < 0.3 ? machine.onDifference(now, difference(next)) : machine.onUpdates(now, read)
        )
      },
      isExpected: is(TlError)
    }
  ]
}
