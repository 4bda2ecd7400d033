/**
 * From the protocol's phases and refusals to what users see.
 *
 * @since 1.0.0
 */
import type * as Api from "@effect-mtproto/core/Api"
import type { ChatState } from "../protocol/ChatState.ts"
import type { ServerChat } from "../protocol/Input.ts"
import type { Refusal } from "../protocol/Machine.ts"
import * as Errors from "../SecretChatError.ts"

/** @internal */
export type PublicState = "requesting" | "waiting" | "requested" | "accepting" | "ready" | "closed"

/** @internal */
export const publicState = (state: Pick<ChatState, "phase">): PublicState => {
  switch (state.phase._tag) {
    case "New":
    case "Requesting":
      return "requesting"
    case "Waiting":
    case "Agreeing":
      return "waiting"
    case "Requested":
      return "requested"
    case "Accepting":
    case "Confirming":
      return "accepting"
    case "Ready":
      return "ready"
    case "Closed":
      return "closed"
  }
}

/** Why nothing can be sent in this state; `undefined` if something can. @internal */
export const obstacle = (state: ChatState): Errors.SecretChatNotReady | Errors.SecretChatClosed | undefined => {
  const { chatId, phase } = state
  if (phase._tag === "Closed") return new Errors.SecretChatClosed({ chatId, reason: phase.reason })
  const now = publicState(state)
  return now === "ready" || now === "closed" ? undefined : new Errors.SecretChatNotReady({ chatId, state: now })
}

/** @internal */
export const refused = (
  state: ChatState,
  refusal: Refusal
): Errors.SecretChatNotReady | Errors.SecretChatClosed | Errors.MessageInvalid => {
  const invalid = (...path: ReadonlyArray<string>) => new Errors.MessageInvalid({ path, problem: refusal.detail })
  switch (refusal.reason) {
    case "random-id":
      return invalid("randomId")
    case "reserved":
      return invalid("action")
    case "layer":
    case "exhausted":
      return invalid()
    case "not-ready":
    case "closed":
    case "phase":
      return obstacle(state) ?? invalid()
  }
}

/**
 * Whether something is outstanding that a restart has to take up: a call, a computation, or a message to be sent.
 *
 * @internal
 */
export const isOutstanding = (state: ChatState): boolean => {
  const { keys, phase } = state
  switch (phase._tag) {
    case "Requesting":
    case "Agreeing":
    case "Accepting":
    case "Confirming":
      return true
    case "Waiting":
      return !phase.known
    case "Closed":
      return phase.discard
    case "Ready":
      return keys !== undefined && ["Starting", "Answering", "Committing"].includes(keys.exchange._tag)
    default:
      return false
  }
}

/** The server's word about a chat, for the protocol. @internal */
export const serverChat = (chat: Api.EncryptedChat): ServerChat => {
  switch (chat._tag) {
    case "encryptedChatRequested": {
      const { folderId: _, ...rest } = chat
      return rest
    }
    case "encryptedChatDiscarded": {
      const { _tag, historyDeleted, id } = chat
      return { _tag, id, ...(historyDeleted === true ? { historyDeleted } : {}) }
    }
    default:
      return chat
  }
}
