/**
 * `updates.*`: what a device has missed (core.telegram.org/api/updates).
 */
import * as Api from "@effect-mtproto/core/Api"
import * as Failure from "../failure.ts"
import * as Faults from "../faults.ts"
import * as UpdateBox from "../updateBox.ts"
import * as World from "../world.ts"
import { type Entry, user, type UserCall } from "./method.ts"

const stateOf = (state: UpdateBox.State): Api.updates.State => ({
  _tag: "updates.state",
  ...state,
  unreadCount: 0
})

const atMost = (...limits: ReadonlyArray<number | undefined>): number =>
  Math.max(1, Math.min(...limits.filter((limit) => limit !== undefined)))

const difference = (
  call: UserCall,
  request: Api.Params<typeof Api.updates.getDifference>
): Api.updates.Difference | Failure.RpcFailure => {
  const { world } = call
  const { account, box } = call.authorization
  if (request.pts < 0 || request.qts < 0) return Failure.badRequest("PERSISTENT_TIMESTAMP_INVALID")
  if (Faults.takeDifferenceTooLong(world.faults)) return { _tag: "updates.differenceTooLong", pts: box.pts }
  const found = UpdateBox.difference(box, {
    qts: request.qts,
    date: request.date,
    now: call.now,
    limit: atMost(world.limits.differenceMessages, request.qtsLimit, world.faults.differenceLimit),
    maxBytes: world.limits.differenceBytes
  })
  const isEmpty = found.messages.length === 0 && found.others.length === 0 && found.state.qts === request.qts
  if (isEmpty) return { _tag: "updates.differenceEmpty", date: found.state.date, seq: found.state.seq }
  const content = {
    newMessages: [],
    newEncryptedMessages: found.messages,
    otherUpdates: found.others.map((entry) => entry.update),
    chats: [],
    users: World.usersFor(world, account, found.others.flatMap((entry) => entry.users))
  }
  return found.final
    ? { _tag: "updates.difference", ...content, state: stateOf(found.state) }
    : { _tag: "updates.differenceSlice", ...content, intermediateState: stateOf(found.state) }
}

export const methods: ReadonlyArray<Entry> = [
  user(Api.updates.getState, (call) => stateOf(UpdateBox.state(call.authorization.box, call.now))),
  user(Api.updates.getDifference, difference)
]
