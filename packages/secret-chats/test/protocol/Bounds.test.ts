/** Numbers that the protocol, TDLib or a promise of the documentation fixes. */
import * as ChatState from "@effect-mtproto/secret-chats/protocol/ChatState"
import * as Chunks from "@effect-mtproto/secret-chats/protocol/Chunks"
import * as Inbox from "@effect-mtproto/secret-chats/protocol/Inbox"
import * as Layers from "@effect-mtproto/secret-chats/protocol/Layers"
import * as Outbox from "@effect-mtproto/secret-chats/protocol/Outbox"
import * as Rekey from "@effect-mtproto/secret-chats/protocol/Rekey"
import * as Sequence from "@effect-mtproto/secret-chats/protocol/Sequence"
import * as Wrapper from "@effect-mtproto/secret-chats/protocol/Wrapper"
import { assert, it } from "@effect/vitest"

it.each<readonly [string, number, number]>([
  ["numbers of one side: twice the last is an int32", Sequence.CAPACITY, 2 ** 30],
  ["messages that wait", Inbox.MAX_PENDING, 1000],
  ["bytes that wait", Inbox.MAX_PENDING_BYTES, 4_194_304],
  ["messages asked for at once", Inbox.MAX_SPAN, 500],
  ["frames kept without a key", Inbox.MAX_EARLY, 64],
  ["bytes of them", Inbox.MAX_EARLY_BYTES, 1_048_576],
  ["widest range that is answered (TDLib)", Outbox.MAX_RESEND, 1000],
  ["messages under one key (core.telegram.org/api/end-to-end/pfs)", Rekey.MESSAGES, 100],
  ["milliseconds under one key: a week", Rekey.AGE, 604_800_000],
  ["our layer", Layers.MINE, 144],
  ["the layer of MTProto 2.0", Layers.LOWEST, 73],
  ["random bytes that a wrapper must have (core.telegram.org/api/end-to-end)", Wrapper.MIN_RANDOM_BYTES, 15],
  ["random bytes that ours have (TDLib)", Wrapper.RANDOM_BYTES, 31],
  ["units of a text", Chunks.MAX_TEXT, 4096],
  ["random ids of an action", Chunks.MAX_RANDOM_IDS, 100]
])("%s", (_, value, expected) => assert.strictEqual(value, expected))

it("seconds from one Resend to the next", () =>
  assert.deepStrictEqual(Inbox.RETRY_DELAYS.map((delay) => delay / 1000), [30, 120, 600, 3600, 21600]))

it("seconds until something refused is sent again", () =>
  assert.deepStrictEqual(Outbox.RETRY_DELAYS.map((delay) => delay / 1000), [5, 30, 120, 600, 3600]))

it("nothing is known of a new chat", () =>
  assert.deepStrictEqual(ChatState.empty(7), {
    chatId: 7,
    role: "creator",
    userId: 0n,
    userAccessHash: 0n,
    accessHash: 0n,
    date: 0,
    phase: { _tag: "New" },
    sequence: { myIn: 0, myOut: 0, hisIn: 0, inOrderLayer: 0 },
    layers: { his: 0, announced: 0 },
    ttl: { certain: 0, pending: [] },
    inbox: { seen: 0, early: [], pending: [], pendingBytes: 0 },
    outbox: { records: [], refusals: 0 },
    readUntil: 0
  }))
