import * as ApiSchema from "@effect-mtproto/core/ApiSchema"
import * as LuaHost from "@effect-mtproto/lua/LuaHost"
import * as LuaValue from "@effect-mtproto/lua/LuaValue"
import * as Transport from "@effect-mtproto/transport/Transport"
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { Values } from "../../core/test/support/apiValues.ts"
import { Accounts } from "./support/accounts.ts"

const values = new Values(31)
const made = (name: string, fields: object = {}): any => ({
  ...values.combinator(ApiSchema.constructors().get(name)!, 0),
  ...fields
})

const group = made("chat", { id: 77n, title: "Group" })
const news = made("channel", { id: 88n, title: "News", accessHash: -88n, username: "news" })
const club = made("channel", { id: 99n, title: "Club", accessHash: 99n, megagroup: true })
const robot = made("user", { id: 66n, accessHash: 6n, bot: true, firstName: "Robot" })

/** What the server of the tests does not have: groups, channels, bots, and dialogs in several pages. */
const answers: { readonly [method: string]: (request: any) => unknown } = {
  "users.getUsers": ({ id: [who] }) => who.userId === 66n ? [robot] : undefined,
  "messages.getChats": ({ id }) => ({ _tag: "messages.chats", chats: id[0] === 77n ? [group] : [] }),
  "channels.getChannels": ({ id: [{ channelId }] }) => ({
    _tag: "messages.chats",
    chats: [news, club].filter((one) => one.id === channelId)
  }),
  "messages.getFullChat": () => ({
    _tag: "messages.chatFull",
    fullChat: made("chatFull", { id: 77n, about: "all of us" }),
    chats: [group],
    users: []
  }),
  "channels.getFullChannel": () => ({
    _tag: "messages.chatFull",
    fullChat: made("channelFull", { id: 88n, about: "what is new" }),
    chats: [news, club],
    users: []
  }),
  "contacts.resolveUsername": ({ username }) => ({
    _tag: "contacts.resolvedPeer",
    peer: username === "news" ? { _tag: "peerChannel", channelId: 88n } : { _tag: "peerUser", userId: 66n },
    chats: username === "news" ? [news] : [],
    users: username === "news" ? [] : [robot]
  }),
  "messages.getDialogs": ({ offsetId, offsetPeer }) => {
    const dialog = (peer: object, topMessage: number) => made("dialog", { peer, topMessage })
    const message = (peerId: object, id: number) => made("message", { peerId, id, date: id })
    const [a, b, c] = [
      { _tag: "peerUser", userId: 66n },
      { _tag: "peerChannel", channelId: 88n },
      { _tag: "peerChat", chatId: 77n }
    ]
    const page = offsetId === 0
      ? { dialogs: [dialog(a!, 9), dialog(b!, 8)], messages: [message(a!, 9), message(b!, 8)] }
      : offsetId === 8 && offsetPeer._tag === "inputPeerChannel" && offsetPeer.accessHash === -88n
      ? { dialogs: [dialog(b!, 8), dialog(c!, 7)], messages: [message(c!, 7)] }
      : { dialogs: [], messages: [] }
    return { _tag: "messages.dialogsSlice", count: 3, ...page, chats: [news, group], users: [robot] }
  },
  "messages.getBotCallbackAnswer": () => ({ _tag: "messages.botCallbackAnswer", message: "pressed", cacheTime: 0 }),
  "messages.setTyping": () => true,
  "messages.deleteMessages": () => ({ _tag: "messages.affectedMessages", pts: 1, ptsCount: 1 }),
  "channels.deleteMessages": () => ({ _tag: "messages.affectedMessages", pts: 1, ptsCount: 1 }),
  "channels.readHistory": () => true
}

/** A runtime for Ann; what it asked the server is kept. */
const vmOf = Effect.fnUntraced(function*(options: LuaHost.Options & { readonly real?: boolean } = {}) {
  const { ann } = yield* Accounts
  const transport = Context.get(ann.services, Transport.Transport)
  const requests: Array<any> = []
  const { real = false, ...rest } = options
  const invoke = (request: any, more: any) => {
    requests.push(request)
    const answer = real ? undefined : answers[request._tag]?.(request)
    return answer === undefined ? transport.invoke(request, more) : Effect.succeed(answer)
  }
  const services = Context.add(ann.services, Transport.Transport, { ...transport, invoke: invoke as never })
  const host = Context.get(
    yield* Effect.provideContext(
      Layer.build(LuaHost.layer({ ...rest, limits: { time: "5 minutes" } })),
      services
    ),
    LuaHost.LuaHost
  )
  const vm = yield* host.vm()
  const asked = (method: string) => requests.filter(({ _tag }) => _tag === method)
  return { vm, asked, run: (source: string) => Effect.andThen(vm.load({ name: "test.lua", source }), vm.get("result")) }
})

layer(Accounts.layer, { excludeTestServices: true, timeout: 60_000 })("what scripts had in 2018", (it) => {
  it.effect("get_info and get_full_info of people, bots, groups, channels", () =>
    Effect.gen(function*() {
      const { run } = yield* vmOf({ strict: true })
      yield* run(`
        local me = get_info("me")
        assert(me.type == "user" and me.User.first_name == "Ann" and me.bot_api_id == me.user_id)
        assert(me.Peer._ == "peerUser" and me.InputPeer._ == "inputPeerSelf")
        local bot = get_info("@robot")
        assert(bot.type == "bot" and bot.user_id == 66 and bot.InputPeer.access_hash == 6)
        local group = get_info(-77)
        assert(group.type == "chat" and group.chat_id == 77 and group.bot_api_id == -77 and group.Chat.title == "Group")
        local news = get_info("@news")
        assert(news.type == "channel" and news.channel_id == 88 and news.bot_api_id == -1000000000088)
        assert(news.InputPeer._ == "inputPeerChannel" and news.InputPeer.access_hash == -88)
        -- what came can be given again
        assert(get_info(news.Chat).channel_id == 88 and get_info(news.Peer).channel_id == 88)
        assert(get_info(news.InputPeer).channel_id == 88 and get_info(news.bot_api_id).channel_id == 88)
        local full = get_full_info("@news")
        assert(full.full.about == "what is new" and full.Chat.title == "News" and full.type == "channel")
        assert(get_info(-1000000000099).type == "supergroup")
        assert(get_full_info(-77).full.about == "all of us")`)
      const { run: really } = yield* vmOf({ strict: true, real: true })
      yield* really(`
        local me = get_full_info("me")
        assert(me.full._ == "userFull" and me.full.id == me.user_id and me.User.first_name == "Ann")
        assert(not pcall(get_info, "nobody") and not pcall(get_info) and not pcall(get_info, {_ = "inputPeerEmpty"}))
        assert(not pcall(getFullInfo, {}))`)
    }))

  it.effect("a channel by its name is a peer, and no person", () =>
    Effect.gen(function*() {
      const { asked, run } = yield* vmOf()
      yield* run(`
        messages.setTyping{peer = "@news", action = {_ = "sendMessageTypingAction"}}
        channels.readHistory{channel = "@news", max_id = 5}
        local r = request_secret_chat("@news")
        assert(r.error_code == 400 and r.description:find("group or channel"))`)
      assert.deepStrictEqual(asked("messages.setTyping")[0].peer, {
        _tag: "inputPeerChannel",
        channelId: 88n,
        accessHash: -88n
      })
      assert.deepInclude(asked("channels.readHistory")[0].channel, { channelId: 88n, accessHash: -88n })
    }))

  it.effect("get_dialogs: all pages, each dialog once, and each a peer", () =>
    Effect.gen(function*() {
      const { asked, run } = yield* vmOf({ strict: true })
      yield* run(`
        local all = get_dialogs()
        assert(#all == 3 and all[1].user_id == 66 and all[2].channel_id == 88 and all[3].chat_id == 77)
        assert(#getDialogs(1) == 1 and #get_dialogs(2.0) == 2)
        assert(not pcall(get_dialogs, 0) and not pcall(get_dialogs, "x") and not pcall(get_dialogs, 1.5))
        for _, peer in ipairs(all) do messages.setTyping{peer = peer, action = {_ = "sendMessageTypingAction"}} end`)
      assert.strictEqual(asked("messages.setTyping").length, 3)
      const { run: really } = yield* vmOf({ strict: true, real: true })
      yield* really("assert(type(get_dialogs()) == 'table')")
    }))

  it.effect("what there is no more says why", () =>
    Effect.gen(function*() {
      const { run } = yield* vmOf()
      yield* run(`
        for name, word in pairs{rekey = "NOT_NEEDED", accept_rekey = "NOT_NEEDED", commit_rekey = "NOT_NEEDED",
          complete_rekey = "NOT_NEEDED", complete_secret_chat = "NOT_NEEDED", phone_login = "METHOD_REFUSED",
          complete_phone_login = "METHOD_REFUSED", complete_2fa_login = "METHOD_REFUSED",
          complete_signup = "METHOD_REFUSED", bot_login = "METHOD_REFUSED", logout = "METHOD_REFUSED",
          import_authorization = "METHOD_REFUSED", export_authorization = "METHOD_REFUSED",
          request_call = "NOT_SUPPORTED", accept_call = "NOT_SUPPORTED", discard_call = "NOT_SUPPORTED",
          get_call = "NOT_SUPPORTED", get_call_status = "NOT_SUPPORTED"} do
          local camel = name:gsub("_(%w)", string.upper)
          for _, f in ipairs{_G[name], _G[camel]} do
            local r = f("+15550001")
            assert(r.error == word and r.error_code >= 400 and #r.description > 20, name)
          end
        end
        assert(_G.complete2faLogin and _G.phoneLogin and _G.requestCall)`)
    }))

  it.effect("buttons can be pressed", () =>
    Effect.gen(function*() {
      const { asked, run, vm } = yield* vmOf({ real: false })
      const button = (_: string, more: { readonly [name: string]: LuaValue.LuaValue }) =>
        LuaValue.table({ _, text: "Yes", ...more })
      yield* run(`
        contacts.resolveUsername{username = "robot"}
        function madeline_update_callback(update)
          local row = update.message.reply_markup.rows[1].buttons
          result = {callback = row[1].click(), url = row[2]:click(), other = row[3].click(), keys = 0}
          for k in pairs(row[1]) do result.keys = result.keys + 1 end
          result.typed = messages.setTyping{peer = update, action = {_ = "sendMessageTypingAction"}}
        end`)
      yield* vm.deliver(LuaValue.table({
        _: "updateNewMessage",
        message: LuaValue.table({
          _: "message",
          id: 12n,
          peer_id: LuaValue.table({ _: "peerUser", user_id: 66n }),
          reply_markup: LuaValue.table({
            _: "replyInlineMarkup",
            rows: LuaValue.sequence([LuaValue.table({
              _: "keyboardButtonRow",
              buttons: LuaValue.sequence([
                button("keyboardButtonCallback", { data: "\xff\0" }),
                button("keyboardButtonUrl", { url: "https://example.org" }),
                button("keyboardButtonRequestPhone", {})
              ])
            })])
          })
        })
      }))
      const result = yield* vm.get("result")
      assert.strictEqual(LuaValue.get(LuaValue.get(result, "callback"), "message"), "pressed")
      assert.strictEqual(LuaValue.get(result, "url"), "https://example.org")
      assert.strictEqual(LuaValue.get(LuaValue.get(result, "other"), "error"), "PARAMETERS_INVALID")
      assert.strictEqual(LuaValue.get(result, "keys"), 3n)
      assert.strictEqual(LuaValue.get(result, "typed"), true)
      const [request] = asked("messages.getBotCallbackAnswer")
      assert.deepStrictEqual([request.msgId, request.data, request.peer.userId], [12, Uint8Array.of(255, 0), 66n])
    }))
})

layer(Accounts.layer, { excludeTestServices: true, timeout: 60_000 })("the dialect of telegram-cli", (it) => {
  it.effect("in a secret chat: write, read, delete, timer, screenshot, typing, close", () =>
    Effect.gen(function*() {
      const { bob, hears, hearsText, openChat } = yield* Accounts
      const chatId = yield* openChat
      const { run, vm } = yield* vmOf({ strict: true, real: true })
      yield* vm.set("chat", BigInt(chatId))
      yield* run(`
        local extras
        local sent = tdcli_function({ID = "SendMessage", chat_id_ = chat, reply_to_message_id_ = 0,
          disable_notification_ = 1, from_background_ = 1, reply_markup_ = nil,
          input_message_content_ = {ID = "InputMessageText", text_ = "bold", disable_web_page_preview_ = 1,
            clear_draft_ = 0, entities_ = {[0] = {ID = "MessageEntityBold", offset_ = 0, length_ = 4}}}},
          function(extra, result) extras = {extra, result} end, "extra")
        assert(sent.ID == "messages.sentEncryptedMessage" and sent.random_id_ == extras[2].random_id_)
        assert(extras[1] == "extra")
        -- the id of the dialog is as good
        tdcli_function{ID = "SendMessage", chat_id_ = chat - 2000000000000,
          input_message_content_ = {ID = "InputMessageText", text_ = "<b>too</b>", entities_ = {},
            parse_mode_ = {ID = "TextParseModeHTML"}}}
        tdcli_function{ID = "SendChatAction", chat_id_ = chat, action_ = {ID = "SendMessageTypingAction"}}
        tdcli_function{ID = "SendChatSetTtlMessage", chat_id_ = chat, ttl_ = 60}
        tdcli_function{ID = "SendChatScreenshotTakenNotification", chat_id_ = chat}
        tdcli_function{ID = "DeleteMessages", chat_id_ = chat, message_ids_ = {[0] = sent.random_id_}}
        assert(tdcli_function{ID = "GetSecretChat", secret_chat_id_ = chat}.state_ == "ready")
        assert(tdcli_function{ID = "OpenChat", chat_id_ = chat}.ID == "Ok")`)
      const bold = yield* hearsText(chatId, "bold")
      assert.deepInclude(bold.message, { silent: true })
      assert.deepStrictEqual(bold.message.entities, [{ _tag: "messageEntityBold", offset: 0, length: 4 }])
      assert.strictEqual((yield* hearsText(chatId, "too")).message.entities?.[0]?._tag, "messageEntityBold")
      yield* hears((h) => h.chatId === chatId && h.event._tag === "TtlChanged" && h.event.ttl === 60)
      yield* hears((h) => h.chatId === chatId && h.event._tag === "Screenshot")
      yield* hears((h) => h.chatId === chatId && h.event._tag === "MessagesDeleted")
      yield* bob.chats.sendText(chatId, "read me")
      yield* run(`
        local update
        repeat
          for _, message in ipairs(get_secret_messages(chat)) do
            if not message.out then update = message end
          end
          if not update then sleep(0.01) end
        until update
        tdcli_function{ID = "ViewMessages", chat_id_ = chat, message_ids_ = {[0] = update.random_id}}
        tdcli_function{ID = "OpenMessageContent", chat_id_ = chat, message_id_ = update.random_id}
        assert(not pcall(tdcli_function, {ID = "ViewMessages", chat_id_ = chat, message_ids_ = {5}}))`)
      yield* hears((h) => h.chatId === chatId && h.event._tag === "MessagesRead")
      yield* hears((h) => h.chatId === chatId && h.event._tag === "ContentOpened")
      yield* run(`tdcli_function{ID = "CloseSecretChat", secret_chat_id_ = chat}`)
      yield* hears((h) => h.chatId === chatId && h.event._tag === "ChatClosed")
    }))

  it.effect("in ordinary chats", () =>
    Effect.gen(function*() {
      const { bob } = yield* Accounts
      const { asked, run, vm } = yield* vmOf()
      yield* vm.set("bob", bob.user.id)
      yield* run(`
        local found = contacts.resolvePhone{phone = "15550002"}
        assert(found.users[1].id == bob)
        local sent = tdcli_function{ID = "SendMessage", chat_id_ = bob, reply_to_message_id_ = 0, disable_notification_ = 0,
          input_message_content_ = {ID = "InputMessageText", text_ = "_plain_", disable_web_page_preview_ = 1,
            parse_mode_ = {ID = "TextParseModeMarkdown"}}}
        assert(not sent.error_code, sent.description_)
        assert(tdcli_function{ID = "GetMe"}.first_name_ == "Ann")
        assert(tdcli_function{ID = "GetUser", user_id_ = bob}.first_name_ == "Bob")
        assert(tdcli_function{ID = "GetChat", chat_id_ = bob}.type_ == "user")
        assert(tdcli_function{ID = "SearchPublicChat", username_ = "news"}.channel_id_ == 88)
        tdcli_function{ID = "SendChatAction", chat_id_ = bob}
        tdcli_function{ID = "DeleteMessages", chat_id_ = bob, message_ids_ = {[0] = 5, 6}}
        tdcli_function{ID = "DeleteMessages", chat_id_ = -1000000000088, message_ids_ = {[0] = 7}}
        tdcli_function{ID = "ViewMessages", chat_id_ = -1000000000088, message_ids_ = {3, 9, 7}}
        local refused = tdcli_function{ID = "SendChatSetTtlMessage", chat_id_ = bob, ttl_ = 5}
        assert(refused.error == "PARAMETERS_INVALID" and refused.error_code == 400)
        assert(tdcli_function{ID = "SendMessage", chat_id_ = bob, input_message_content_ = {ID = "InputMessagePhoto"}}.error)
        assert(tdcli_function{ID = "SendMessage", input_message_content_ = {ID = "InputMessageText", text_ = "x"}}.error)
        assert(tdcli_function{ID = "NoSuchThing"}.error == "METHOD_INVALID")
        -- any method, by its own name
        local users = tdcli_function{ID = "users.getUsers", id_ = {[0] = {ID = "InputUserSelf"}}}
        assert(users[0].ID == "User" and users[0].first_name_ == "Ann")`)
      assert.deepInclude(asked("messages.sendMessage")[0], { message: "plain", noWebpage: true })
      assert.isUndefined(asked("messages.sendMessage")[0].silent)
      assert.deepStrictEqual(asked("messages.deleteMessages")[0].id, [5, 6])
      assert.deepStrictEqual(asked("channels.deleteMessages")[0].id, [7])
      assert.strictEqual(asked("channels.readHistory")[0].maxId, 9)
      assert.strictEqual(asked("messages.setTyping")[0].action._tag, "sendMessageTypingAction")
    }))

  it.effect("messages that come look as TDLib's did", () =>
    Effect.gen(function*() {
      const { run, vm } = yield* vmOf()
      yield* run("function tdcli_update_callback(data) result = data end")
      const look = (tag: string, more: { readonly [name: string]: LuaValue.LuaValue }, source: string) =>
        Effect.andThen(
          vm.deliver(LuaValue.table({
            _: tag,
            message: LuaValue.table({ _: "message", id: 5n, date: 9n, message: "hi", ...more })
          })),
          run(`local data = result; local m = data.message_; ${source}`)
        )
      const userPeer = LuaValue.table({ _: "peerUser", user_id: 66n })
      yield* look(
        "updateNewMessage",
        {
          peer_id: userPeer,
          silent: true,
          reply_to: LuaValue.table({ _: "messageReplyHeader", reply_to_msg_id: 4n }),
          entities: LuaValue.sequence([LuaValue.table({ _: "messageEntityBold", offset: 0n, length: 2n })])
        },
        `assert(data.ID == "UpdateNewMessage" and data.disable_notification_ == true)
         assert(m.ID == "Message" and m.id_ == 5 and m.date_ == 9 and m.chat_id_ == 66 and m.sender_user_id_ == 66)
         assert(m.content_.ID == "MessageText" and m.content_.text_ == "hi" and m.message_ == "hi")
         assert(m.content_.entities_[0].ID == "MessageEntityBold" and m.reply_to_message_id_ == 4)
         assert(m.send_state_.ID == "MessageIsIncoming" and m.is_post_ == false)`
      )
      yield* look(
        "updateNewChannelMessage",
        {
          peer_id: LuaValue.table({ _: "peerChannel", channel_id: 88n }),
          post: true,
          media: LuaValue.table({ _: "messageMediaPhoto" }),
          fwd_from: LuaValue.table({ _: "messageFwdHeader", date: 3n, from_id: userPeer })
        },
        `assert(data.ID == "UpdateNewMessage" and m.chat_id_ == -1000000000088 and m.sender_user_id_ == 0)
         assert(m.content_.ID == "MessagePhoto" and m.content_.caption_ == "hi" and m.is_post_)
         assert(m.forward_info_.sender_user_id_ == 66 and m.forward_info_.date_ == 3)`
      )
      yield* look(
        "updateNewMessage",
        { peer_id: LuaValue.table({ _: "peerChat", chat_id: 77n }), from_id: userPeer, out: true },
        `assert(m.chat_id_ == -77 and m.sender_user_id_ == 66)
         assert(m.send_state_.ID == "MessageIsSuccessfullySent" and next(m.content_.entities_) == nil)`
      )
      yield* vm.deliver(LuaValue.table({
        _: "updateNewEncryptedMessage",
        message: LuaValue.table({
          _: "encryptedMessage",
          chat_id: -5n,
          random_id: 2n ** 62n,
          decrypted_message: LuaValue.table({
            _: "decryptedMessage",
            message: "a photo",
            reply_to_random_id: 7n,
            media: LuaValue.table({ _: "decryptedMessageMediaPhoto" })
          })
        })
      }))
      yield* run(`
        local m = result.message_
        assert(result.ID == "UpdateNewEncryptedMessage" and m.chat_id_ == -5 and m.random_id_ == 1 << 62)
        assert(m.content_.ID == "MessagePhoto" and m.content_.caption_ == "a photo" and m.reply_to_message_id_ == 7)
        assert(m.decrypted_message_.ID == "DecryptedMessage" and m.decrypted_message_.message_ == "a photo")`)
    }))
})
