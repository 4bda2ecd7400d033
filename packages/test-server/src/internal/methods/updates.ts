/**
 * `updates.*`: what a device has missed (core.telegram.org/api/updates).
 */
import * as Api from "@effect-mtproto/core/Api"
import * as Failure from "../failure.ts"
import * as Faults from "../faults.ts"
import * as Mail from "../mail.ts"
import * as UpdateBox from "../updateBox.ts"
import * as World from "../world.ts"
import { type Entry, user, type UserCall } from "./method.ts"

const describe = (pts: number, state: UpdateBox.State): Api.updates.State => ({
  _tag: "updates.state",
  pts,
  ...state,
  unreadCount: 0
})

/** Where a device stands. */
export const stateOf = (call: UserCall): Api.updates.State =>
  describe(call.authorization.account.mail.pts, UpdateBox.state(call.authorization.box, call.now))

const atMost = (...limits: ReadonlyArray<number | undefined>): number =>
  Math.max(1, Math.min(...limits.filter((limit) => limit !== undefined)))

const difference = (
  call: UserCall,
  request: Api.Params<typeof Api.updates.getDifference>
): Api.updates.Difference | Failure.RpcFailure => {
  const { world } = call
  const { account, box } = call.authorization
  if (request.pts < 0 || request.qts < 0) return Failure.badRequest("PERSISTENT_TIMESTAMP_INVALID")
  const limit = atMost(world.limits.differenceMessages, world.faults.differenceLimit)
  const mail = Mail.since(account.mail, request.pts, limit)
  if (Faults.takeDifferenceTooLong(world.faults) || mail === undefined) {
    return { _tag: "updates.differenceTooLong", pts: account.mail.pts }
  }
  const found = UpdateBox.difference(box, {
    qts: request.qts,
    date: request.date,
    now: call.now,
    limit: atMost(limit, request.qtsLimit),
    maxBytes: world.limits.differenceBytes
  })
  const isEmpty = found.messages.length === 0 && found.others.length === 0 && found.state.qts === request.qts &&
    mail.pts === request.pts
  if (isEmpty) return { _tag: "updates.differenceEmpty", date: found.state.date, seq: found.state.seq }
  const content = {
    newMessages: mail.events.flatMap((event) =>
      event._tag === "New" ? [World.messageOf(world, account, event.mail)] : []
    ),
    newEncryptedMessages: found.messages,
    otherUpdates: [
      ...found.others.map((entry) => entry.update),
      ...mail.events.flatMap((event) => event._tag === "New" ? [] : [World.mailUpdate(world, account, event)])
    ],
    chats: [],
    users: World.usersFor(world, account, [
      ...found.others.flatMap((entry) => entry.users),
      ...mail.events.flatMap(World.usersInMail)
    ])
  }
  const state = describe(mail.pts, found.state)
  return found.final && mail.final
    ? { _tag: "updates.difference", ...content, state }
    : { _tag: "updates.differenceSlice", ...content, intermediateState: state }
}

export const methods: ReadonlyArray<Entry> = [
  user(Api.updates.getState, stateOf),
  user(Api.updates.getDifference, difference)
]
