/** What a peer of a chat can send, and what may stand in a damaged store. */
import * as ChatState from "@effect-mtproto/secret-chats/protocol/ChatState"
import * as Events from "@effect-mtproto/secret-chats/protocol/Events"
import * as Machine from "@effect-mtproto/secret-chats/protocol/Machine"
import * as Result from "effect/Result"
import {
  action,
  encodePayload,
  firstKey,
  fromPeer,
  NOW,
  ready,
  receive,
  send,
  text as textMessage
} from "../../../packages/secret-chats/test/protocol/support.ts"
import { isOneOf as is } from "../makeCrypto.ts"
import { bytes, type Random, type Target } from "../Target.ts"

export const make = (): ReadonlyArray<Target> => {
  // A chat with some history: something sent, something received, something missing.
  let chat = ready("creator")
  for (let i = 1n; i < 5n; i++) chat = send(chat, textMessage(i)).state
  chat = receive(chat, textMessage(50n)).state
  const gap = Machine.step(
    chat,
    fromPeer(chat, { index: chat.sequence.myIn + 2, content: textMessage(52n) }),
    { now: NOW, entropy: new Uint8Array(Machine.entropyBytes) }
  )
  const waiting = Result.getOrThrow(gap)
  const seals = waiting.outputs.flatMap((o) => o._tag === "Seal" ? [o.record] : [])
  const holds = waiting.outputs.flatMap((o) => o._tag === "Hold" ? [o.pending] : [])
  const events = send(chat, textMessage(9n)).events.concat(receive(chat, textMessage(51n)).events)

  const numbers = { inSeqNo: 2 * chat.sequence.hisIn + 1, outSeqNo: 2 * chat.sequence.myIn }
  const payloads = [
    textMessage(60n),
    textMessage(61n, "long ".repeat(900)),
    action({ _tag: "decryptedMessageActionNoop" }, 62n),
    action({ _tag: "decryptedMessageActionResend", startSeqNo: 0, endSeqNo: 6 }, 63n),
    action({ _tag: "decryptedMessageActionResend", startSeqNo: 0, endSeqNo: 0x7ffffffe }, 64n),
    action({ _tag: "decryptedMessageActionNotifyLayer", layer: 46 }, 65n),
    action({ _tag: "decryptedMessageActionDeleteMessages", randomIds: [1n, 2n, 3n] }, 66n),
    action({ _tag: "decryptedMessageActionRequestKey", exchangeId: 5n, gA: new Uint8Array(256).fill(7) }, 67n),
    action({ _tag: "decryptedMessageActionCommitKey", exchangeId: 5n, keyFingerprint: 9n }, 68n),
    action({ _tag: "decryptedMessageActionAbortKey", exchangeId: 5n }, 69n)
  ].map((message) => encodePayload({ ...numbers, message }).slice())

  const receiveAll = (input: Uint8Array, next: Random): unknown => {
    const step = (state: ChatState.ChatState, payload: Uint8Array): ChatState.ChatState =>
      Result.getOrThrow(
        Machine.step(
          state,
          { _tag: "Received", payload, key: firstKey.fingerprint, randomId: 70n, date: 2000 },
          { now: NOW, entropy: bytes(next, Machine.entropyBytes) }
        )
      ).state
    // The second frame meets what the first one has left behind; what is left can be stored.
    return ChatState.encode(step(step(chat, input), next() < 0.5 ? input : payloads[2]!))
  }

  return [
    {
      name: "secret-chats/Machine.step, Received",
      seeds: payloads,
      run: receiveAll,
      // faults of the peer are no failures
      isExpected: () => false
    },
    {
      name: "secret-chats/ChatState.decode",
      seeds: [ChatState.encode(chat), ChatState.encode(ChatState.empty(7)), ChatState.encode(waiting.state)],
      run: (head) => Result.getOrThrow(ChatState.decode({ head, outbox: [], pending: [] })),
      isExpected: is(ChatState.StateError)
    },
    {
      name: "secret-chats/ChatState.decodeRecord",
      seeds: seals.map(ChatState.encodeRecord),
      run: (input) => Result.getOrThrow(ChatState.decodeRecord(input)),
      isExpected: is(ChatState.StateError)
    },
    {
      name: "secret-chats/ChatState.decodePending",
      seeds: holds.map(ChatState.encodePending),
      run: (input) => Result.getOrThrow(ChatState.decodePending(input)),
      isExpected: is(ChatState.StateError)
    },
    {
      name: "secret-chats/Events.decode",
      seeds: events.map(Events.encode),
      run: (input) => Result.getOrThrow(Events.decode(input)),
      isExpected: is(Events.EventError)
    }
  ]
}
