import * as Api from "@effect-mtproto/core/Api"
import * as GatewayStore from "@effect-mtproto/gateway/GatewayStore"
import * as LoosePeer from "@effect-mtproto/gateway/LoosePeer"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as Support from "./support.ts"

describe("groups and channels", () => {
  it("are named by the ids of bot-style interfaces", () => {
    const named: ReadonlyArray<readonly [unknown, LoosePeer.Peer]> = [
      [-5, { _tag: "Group", chatId: 5n }],
      ["-5", { _tag: "Group", chatId: 5n }],
      [-999_999_999_999n, { _tag: "Group", chatId: 999_999_999_999n }],
      [-1_000_000_000_001, { _tag: "Channel", channelId: 1n }],
      ["-1001234567890", { _tag: "Channel", channelId: 1_234_567_890n }],
      [-1_997_852_516_352, { _tag: "Channel", channelId: 997_852_516_352n }],
      [5, { _tag: "Id", userId: 5n }],
      ["@durov", { _tag: "Username", username: "durov" }]
    ]
    for (const [form, peer] of named) assert.deepStrictEqual(LoosePeer.peer(form), Result.succeed(peer))
    // the offset alone, and what is a secret chat
    for (const form of [0, -1_000_000_000_000, -1_997_852_516_353, -2_000_000_000_005, "-1.5", "", -1.5]) {
      assert.isTrue(Result.isFailure(LoosePeer.peer(form)), String(form))
    }
    assert.deepStrictEqual(LoosePeer.channel("7"), Result.succeed({ _tag: "Channel", channelId: 7n }))
    assert.strictEqual(LoosePeer.channelDialogId(1_234_567_890n), -1_001_234_567_890n)
  })

  it.live("are named in lists, however a query or form writes those", () =>
    Effect.gen(function*() {
      const { ann, client } = yield* Support.world()
      const names = (answer: Support.Reply) => answer.body.result?.map((user: any) => user.first_name)
      const query = (text: string) => Effect.map(client.fetch(`${ann}/users.getUsers?${text}`), names)
      assert.deepStrictEqual(yield* query("id[]=@bobby"), ["Bob"])
      assert.deepStrictEqual(yield* query("id[1]=@bobby&id[0]=@annie"), ["Ann", "Bob"])
      assert.deepStrictEqual(yield* query("id[0][_]=inputUserSelf&id[]=@bobby"), ["Ann", "Bob"])
      assert.deepStrictEqual(yield* query("id[]={\"_\":\"inputUserSelf\"}"), ["Ann"])
      const policy = yield* client.fetch(`${ann}/setPolicy`, {
        method: "POST",
        body: new URLSearchParams("accept[]=5")
      })
      assert.deepStrictEqual(policy.body.result, { accept: ["5"] })
      const updates = yield* client.fetch(`${ann}/getUpdates?allowed_updates[]=secret_chats`)
      assert.isArray(updates.body.result)
    }).pipe(Effect.scoped))

  it.live("are found by id in any method, once the session has met them", () =>
    Effect.gen(function*() {
      const { ann, client, telegram } = yield* Support.world()
      const store = Context.get(client.store, GatewayStore.GatewayStore)
      const sent = Effect.map(telegram.calls("messages.sendMessage"), (calls) => (calls.at(-1)!.request as any).peer)
      const say = (peer: unknown) => client.post(`${ann}/messages.sendMessage`, { peer, message: "x" })

      const unknown = yield* say(-1_001_234_567_890)
      assert.deepStrictEqual([unknown.status, unknown.body.parameters.type], [404, "CHANNEL_UNKNOWN"])
      assert.strictEqual((yield* say("-2000000000005")).body.parameters.type, "PEER_INVALID")
      for (const session of yield* store.sessions) {
        yield* store.putPeople(session.id, [{ id: LoosePeer.channelDialogId(1_234_567_890n), accessHash: 77n }])
      }
      yield* say("-1001234567890")
      assert.deepStrictEqual(yield* sent, {
        _tag: "inputPeerChannel",
        channelId: 1_234_567_890n,
        accessHash: 77n
      })
      yield* say(-42)
      assert.deepStrictEqual(yield* sent, { _tag: "inputPeerChat", chatId: 42n })
      // a channel is no person, and a group is no channel
      for (
        const [method, params] of [["users.getUsers", { id: [-42] }], ["channels.getFullChannel", { channel: -42 }]]
      ) {
        const wrong = yield* client.post(`${ann}/${method}`, params)
        assert.deepStrictEqual([wrong.status, wrong.body.parameters.type], [400, "PEER_INVALID"])
      }
    }).pipe(Effect.scoped))

  it.live("of which an update told are known from then on", () =>
    Effect.gen(function*() {
      const { ann, client, telegram } = yield* Support.world()
      const id = 1_234_567_890n
      const named = { _: "inputChannel", channel_id: String(id), access_hash: "-77" }
      const sent = Effect.map(
        telegram.calls("messages.sendMessage"),
        (calls) => (calls.at(-1)!.request as any).peer
      )
      const before = yield* client.post(`${ann}/messages.sendMessage`, { peer: -1_001_234_567_890, message: "x" })
      assert.strictEqual(before.body.parameters.type, "CHANNEL_UNKNOWN")

      // the server has no channels: it tells of one in a difference
      let told = false
      yield* telegram.answer(Api.updates.getDifference, ({ date, pts, qts }): Api.updates.Difference => {
        if (told) return { _tag: "updates.differenceEmpty", date, seq: 0 }
        told = true
        const peerId = { _tag: "peerChannel", channelId: id } as const
        return {
          _tag: "updates.difference",
          newMessages: [],
          newEncryptedMessages: [],
          otherUpdates: [{
            _tag: "updateNewChannelMessage",
            message: { _tag: "message", id: 3, peerId, date, message: "said in a channel" },
            pts: 9_000,
            ptsCount: 1
          }],
          chats: [{
            _tag: "channel",
            broadcast: true,
            id,
            accessHash: -77n,
            title: "News",
            photo: { _tag: "chatPhotoEmpty" },
            date
          }],
          users: [],
          state: { _tag: "updates.state", pts, qts, date, seq: 0, unreadCount: 0 }
        }
      })
      yield* telegram.faults.updatesTooLong("+15550001")
      const updates = yield* Support.hear(client, ann, (update) => update._ === "updateNewChannelMessage")
      const { chats, update } = updates.find((one) => one.update._ === "updateNewChannelMessage")
      assert.deepStrictEqual([update.message.message, update.pts], ["said in a channel", 9_000])
      assert.deepStrictEqual(chats.map((chat: any) => [chat._, chat.id, chat.title]), [["channel", String(id), "News"]])

      yield* client.post(`${ann}/messages.sendMessage`, { peer: "-1001234567890", message: "x" })
      assert.deepStrictEqual(yield* sent, { _tag: "inputPeerChannel", channelId: id, accessHash: -77n })
      // what was missed in it can be asked for
      yield* telegram.answer(Api.updates.getChannelDifference, ({ channel, pts }) => {
        assert.deepStrictEqual(channel, { _tag: "inputChannel", channelId: id, accessHash: -77n })
        return { _tag: "updates.channelDifferenceEmpty", final: true, pts }
      })
      for (const channel of [-1_001_234_567_890, "-1001234567890", String(id), named]) {
        const difference = yield* client.call(`${ann}/updates.getChannelDifference`, {
          channel,
          filter: { _: "channelMessagesFilterEmpty" },
          pts: 9_000,
          limit: 100
        })
        assert.deepStrictEqual(difference, { _: "updates.channelDifferenceEmpty", final: true, pts: 9_000 })
      }
    }).pipe(Effect.scoped))
})
