/**
 * Stands between mtcute and its network, for as long as the transport lives: sees what
 * mtcute itself calls, and what it is answered.
 *
 * Two things make this necessary. With `updates.getDifference` a client tells the server
 * what it may forget, and mtcute, which has no secret chats, would tell it to forget
 * encrypted messages that nobody has stored yet: so its requests confirm no more than
 * ours do. And the results of its calls hold updates and logins that it tells nobody of.
 */
import { isUpdatesTag } from "@effect-mtproto/transport/Methods"
import type { tl } from "@mtcute/node"
import { type ErrorAnswer, isErrorAnswer, isOurs, type MtClient } from "./rawCalls.ts"

export interface Handlers {
  /** How far the server may forget. */
  readonly forgettable: () => number | undefined
  readonly onUpdates: (updates: tl.TypeUpdates) => void
  readonly onLogin: (userId: number) => void
  readonly onLogout: () => void
  /** An error of a call to the account's own data centre, also of our own calls. */
  readonly onError: (error: ErrorAnswer) => void
}

/** Answers the function that takes everything back. */
export const interpose = (mt: MtClient, handlers: Handlers): () => void => {
  const network = mt.network as { call: MtClient["network"]["call"] }
  const original = network.call
  const call = async (request: tl.RpcMethod, params?: Parameters<typeof original>[1]): Promise<unknown> => {
    const asked = isOurs(request) ? request : confine(request, handlers.forgettable())
    const answer: unknown = await original(asked as never, params)
    if (isErrorAnswer(answer)) {
      if (params?.dcId === undefined && params?.manager === undefined) handlers.onError(answer)
      return answer
    }
    if (isOurs(request)) return answer
    if (asked !== request) return closeSlice(asked as Asked, answer as tl.updates.TypeDifference)
    observe(request, answer, handlers)
    return answer
  }
  network.call = call as typeof original
  return () => {
    if (network.call === call as typeof original) network.call = original
  }
}

const confine = (request: tl.RpcMethod, forgettable: number | undefined): tl.RpcMethod =>
  request._ === "updates.getDifference" && forgettable !== undefined && request.qts > forgettable
    ? { ...request, qts: forgettable }
    : request

type Asked = tl.updates.RawGetDifferenceRequest

/** A slice of nothing but encrypted messages would come again and again: mtcute is told that this was all. */
const closeSlice = (asked: Asked, difference: tl.updates.TypeDifference): tl.updates.TypeDifference => {
  if (difference._ !== "updates.differenceSlice" || difference.newMessages.length > 0) return difference
  const { intermediateState, ...rest } = difference
  return intermediateState.pts === asked.pts
    ? { ...rest, _: "updates.difference", state: intermediateState }
    : difference
}

const observe = (request: tl.RpcMethod, answer: unknown, handlers: Handlers): void => {
  if (request._ === "auth.logOut") return handlers.onLogout()
  if (typeof answer !== "object" || answer === null || !("_" in answer)) return
  if (isUpdatesTag(answer._)) return handlers.onUpdates(answer as tl.TypeUpdates)
  const authorization = answer._ === "auth.loginTokenSuccess"
    ? (answer as tl.auth.RawLoginTokenSuccess).authorization
    : answer as tl.auth.TypeAuthorization
  // a login that is carried over to another data centre is not another one
  if (authorization._ === "auth.authorization" && request._ !== "auth.importAuthorization") {
    handlers.onLogin(authorization.user.id)
  }
}
