/** What a client sees most: updates with new messages, and one encrypted message on its way out. */
import type * as Api from "@effect-mtproto/core/Api"

const text = "The quick brown fox jumps over the lazy dog, and then it rests. "

const message = (index: number): Api.message => ({
  _tag: "message",
  id: 1000 + index,
  out: index % 3 === 0 ? true : undefined,
  fromId: { _tag: "peerUser", userId: 5_000_000_000n + BigInt(index % 10) },
  peerId: { _tag: "peerChannel", channelId: 1_600_000_000n },
  date: 1_750_000_000 + index,
  message: text.repeat(1 + index % 3) + index,
  entities: [
    { _tag: "messageEntityBold", offset: 4, length: 5 },
    { _tag: "messageEntityTextUrl", offset: 10, length: 9, url: "https://example.org/fox" }
  ],
  views: 100 + index,
  forwards: index
} as Api.message)

const user = (index: number): Api.user => ({
  _tag: "user",
  id: 5_000_000_000n + BigInt(index),
  accessHash: 0x1234_5678_9abc_def0n + BigInt(index),
  firstName: `First${index}`,
  lastName: "Lastname",
  username: `user_name_${index}`,
  photo: { _tag: "userProfilePhoto", photoId: 6_000_000_000_000_000_000n, dcId: 2 },
  status: { _tag: "userStatusOffline", wasOnline: 1_750_000_000 }
})

/** `updates` with that many new messages, and their senders. */
export const updates = (messages: number, users: number): Api.Updates => ({
  _tag: "updates",
  updates: Array.from({ length: messages }, (_, i) => ({
    _tag: "updateNewChannelMessage",
    message: message(i),
    pts: 5000 + i,
    ptsCount: 1
  } as const)),
  users: Array.from({ length: users }, (_, i) => user(i)),
  chats: [],
  date: 1_750_000_123,
  seq: 0
})

/** The parameters of `messages.sendEncryptedService` with 216 bytes of data. */
export const sendEncryptedService = (data: Uint8Array): Api.Params<typeof Api.messages.sendEncryptedService> => ({
  peer: { _tag: "inputEncryptedChat", chatId: 12345, accessHash: 0x0123_4567_89ab_cdefn },
  randomId: -0x1122_3344_5566_7788n,
  data
})

/** Longs that are plain numbers in mtcute. */
export const mtcuteNumbers: ReadonlySet<string> = new Set(["userId", "channelId", "chatId", "id"])
