import { Api, DecryptedMessage, SecretApi, TlCodec } from "@effect-mtproto/core"
import { LuaError, LuaFiles, LuaHost, LuaScript, LuaValue } from "@effect-mtproto/lua"
import { FileSource, Media, type SecretChats } from "@effect-mtproto/secret-chats"
import { Transport } from "@effect-mtproto/transport"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Fiber, Layer, Stream } from "effect"
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Accounts } from "./support/accounts.ts"

const one = (outcomes: SecretChats.Outcomes) => {
  assert.isFalse(Array.isArray(outcomes))
  return outcomes as Exclude<SecretChats.Outcomes, ReadonlyArray<unknown>>
}

/** How fast the machine is, is not the subject. */
const patient = (options: LuaHost.Options): LuaHost.Options => ({
  ...options,
  limits: { time: "5 minutes", ...options.limits }
})

/** A runtime for Ann. */
const vmOf = Effect.fnUntraced(function*(options: LuaHost.Options = {}) {
  const { ann } = yield* Accounts
  const host = Context.get(
    yield* Effect.provideContext(Layer.build(LuaHost.layer(patient(options))), ann.services),
    LuaHost.LuaHost
  )
  const vm = yield* host.vm()
  return { vm, run: (source: string) => Effect.andThen(vm.load({ name: "test.lua", source }), vm.get("result")) }
})

/** Runs a script for Ann beside the test. */
const running = Effect.fnUntraced(function*(
  script: LuaScript.LuaScript,
  options: LuaHost.Options & LuaScript.RunOptions = {}
) {
  const { ann } = yield* Accounts
  return yield* LuaScript.run(script, options).pipe(
    Effect.provide(LuaHost.layer(patient(options))),
    Effect.provideContext(ann.services),
    Effect.forkScoped({ startImmediately: true })
  )
})

const example = (name: string) =>
  LuaScript.make(name, readFileSync(new URL(`../../../examples/lua/${name}`, import.meta.url), "utf8"))

layer(Accounts.layer, { excludeTestServices: true, timeout: 60_000 })("scripts and Telegram", (it) => {
  it.effect("the call of the old page, word for word", () =>
    Effect.gen(function*() {
      const { ann, hears, openChat } = yield* Accounts
      const chatId = yield* openChat
      const { run, vm } = yield* vmOf()
      yield* vm.set(
        "InputEncryptedChat",
        LuaValue.table({ _: "inputEncryptedChat", chat_id: BigInt(chatId), access_hash: 0n })
      )
      yield* vm.set(
        "DecryptedMessage",
        LuaValue.table({
          _: "decryptedMessageService",
          action: LuaValue.table({ _: "decryptedMessageActionSetMessageTTL", ttl_seconds: 60n })
        })
      )
      yield* run(
        "messages_SentEncryptedMessage = messages.sendEncryptedService({peer=InputEncryptedChat, message=DecryptedMessage, })"
      )
      const sent = yield* vm.get("messages_SentEncryptedMessage")
      assert.strictEqual(LuaValue.get(sent, "_"), "messages.sentEncryptedMessage")
      assert.isAbove(Number(LuaValue.get(sent, "date")), 1_600_000_000)
      const randomId = LuaValue.get(sent, "random_id")
      const heard = yield* hears(({ event }) => event._tag === "TtlChanged" && event.randomId === randomId)
      assert.deepInclude(heard.event, { by: "peer", ttl: 60 })
      assert.strictEqual((yield* ann.chats.get(chatId)).ttl, 60)
    }))

  it.effect("every global, in both spellings", () =>
    Effect.gen(function*() {
      const { run } = yield* vmOf()
      assert.strictEqual(
        yield* run(`
          for name in ([[messages contacts users channels account auth help photos updates phone bots payments stickers langpack
            coroutine table string utf8 math os]]):gmatch("%w+") do assert(type(_G[name]) == "table", name) end
          for name in ([[get_self get_info request_secret_chat accept_secret_chat decline_secret_chat await_secret_chat
            discard_secret_chat secret_chat_status has_secret_chat get_secret_chat get_secret_chats get_key_picture
            get_secret_message get_secret_messages notify_layer rekey upload upload_encrypted download download_to_file
            download_to_dir get_updates sleep]]):gmatch("[%a_]+") do
            assert(type(_G[name]) == "function", name)
            local camel = name:gsub("_(%l)", string.upper)
            assert(_G[camel] == _G[name], camel)
          end
          for name in ([[madeline_function tdcli_function var_dump print madeline_strict]]):gmatch("[%a_]+") do
            assert(type(_G[name]) == "function", name)
          end
          for name in ([[io require package debug dofile loadfile]]):gmatch("%a+") do assert(_G[name] == nil, name) end
          assert(messages.sendEncryptedService and users.getUsers and not _G.invoke_with_layer)
          result = madelineproto_lua`),
        1n
      )
    }))

  it.effect("every form of a peer, ids exact", () =>
    Effect.gen(function*() {
      const { ann, bob, hears, openChat } = yield* Accounts
      const chatId = yield* openChat
      const { run, vm } = yield* vmOf()
      const { randomId } = one(yield* bob.chats.sendText(chatId, "to be deleted"))
      while ((yield* ann.chats.message(chatId, randomId))._tag === "None") yield* Effect.sleep(5)
      yield* vm.set("id", BigInt(chatId))
      yield* vm.set("random_id", randomId)
      assert.deepStrictEqual(
        yield* run(`
          local noop = {action = {_ = "decryptedMessageActionNoop"}}
          local forms = {id, tostring(id), id + 0.0, id - 2000000000000, {chat_id = id}, {_ = "inputEncryptedChat", chat_id = id},
            {_ = "updateNewEncryptedMessage", message = {_ = "encryptedMessage", chat_id = id}},
            {_ = "updateEncryption", chat = {_ = "encryptedChat", id = id}}, get_secret_chat(id),
            messages.sendEncryptedService{chat_id = id, message = noop}}
          for i, form in ipairs(forms) do
            local sent = messages.sendEncryptedService{peer = form, message = noop}
            assert(sent.chat_id == id and math.type(sent.random_id) == "integer", i)
          end
          assert(get_secret_message(id, random_id).decrypted_message.random_id == random_id)
          assert(getSecretMessages(id, {limit = 1})[1]._ == "secretMessage")
          result = messages.sendEncryptedService{peer = id, message = {action = {
            _ = "decryptedMessageActionDeleteMessages", random_ids = {tostring(random_id)}}}}._`),
        "messages.sentEncryptedMessage"
      )
      const { event } = yield* hears(({ event }) => event._tag === "MessagesDeleted" && event.by === "peer")
      assert.deepInclude(event, { randomIds: [randomId] })
    }))

  it.effect("what goes wrong is a table", () =>
    Effect.gen(function*() {
      const { openChat, server } = yield* Accounts
      const chatId = yield* openChat
      const { run, vm } = yield* vmOf({ allow: (method) => method !== "help.getConfig" })
      yield* vm.set("id", BigInt(chatId))
      const says = (call: string) =>
        Effect.map(run(`result = ${call}`), (e) => [LuaValue.get(e, "error_code"), LuaValue.get(e, "error")])
      const noop = `{action = {_ = "decryptedMessageActionNoop"}}`
      yield* server.faults.failNext("messages.sendEncryptedService", { code: 400, type: "DATA_INVALID" })
      assert.deepStrictEqual(yield* says(`messages.sendEncryptedService{peer = id, message = ${noop}}`), [
        400n,
        "DATA_INVALID"
      ])
      const cases: ReadonlyArray<readonly [string, bigint, string]> = [
        [`messages.sendEncryptedService{peer = 77, message = ${noop}}`, 404n, "CHAT_UNKNOWN"],
        [`messages.sendEncryptedService{peer = print ~= nil, message = ${noop}}`, 400n, "PARAMETERS_INVALID"],
        [`messages.sendEncryptedService{message = ${noop}}`, 400n, "PARAMETERS_INVALID"],
        ["messages.sendEncrypted{peer = id}", 400n, "PARAMETERS_INVALID"],
        ["messages.sendEncrypted{peer = id, message = 5}", 400n, "PARAMETERS_INVALID"],
        ["messages.sendEncrypted{peer = id, message = '\\255'}", 400n, "PARAMETERS_INVALID"],
        ["messages.sendEncrypted(5)", 400n, "PARAMETERS_INVALID"],
        ["messages.readEncryptedHistory{peer = id, max_date = 1.5}", 400n, "PARAMETERS_INVALID"],
        ["messages.sendEncryptedFile{peer = id, message = {}, file = {content = 'x'}}", 400n, "PARAMETERS_INVALID"],
        ["messages.requestEncryption{}", 400n, "METHOD_REFUSED"],
        ["auth.logOut{}", 403n, "METHOD_REFUSED"],
        ["help.getConfig{}", 403n, "METHOD_REFUSED"],
        ["users.getUsers{id = {12345}}", 404n, "USER_UNKNOWN"],
        ["users.getUsers{id = {{_ = 'inputUser'}}}", 400n, "PARAMETERS_INVALID"],
        ["users.getUsers{id = 'me'}", 400n, "PARAMETERS_INVALID"],
        ["madeline_function{_ = 'no.such'}", 404n, "METHOD_INVALID"],
        ["madeline_function{}", 400n, "PARAMETERS_INVALID"],
        ["request_secret_chat('me')", 400n, "PARAMETERS_INVALID"],
        ["request_secret_chat('nobody')", 404n, "USER_UNKNOWN"],
        ["accept_secret_chat()", 400n, "PARAMETERS_INVALID"],
        ["get_secret_message(id, 'x')", 400n, "PARAMETERS_INVALID"],
        ["download{}", 400n, "PARAMETERS_INVALID"],
        ["rekey(id)", 400n, "NOT_NEEDED"],
        ["sleep(-1)", 400n, "PARAMETERS_INVALID"]
      ]
      for (const [call, code, word] of cases) assert.deepStrictEqual(yield* says(call), [code, word], call)
      const error = yield* run(
        "result = messages.sendEncryptedService{peer = id, message = {action = {_ = 'decryptedMessageActionReadMessages', random_ids = {1, 'x'}}}}"
      )
      assert.strictEqual(
        LuaValue.get(error, "description"),
        "message.action.random_ids[2]: a 64-bit integer is needed, not a string"
      )
    }))

  it.effect("the account, its chats, and a whole life of one", () =>
    Effect.gen(function*() {
      const { ann, bob, hears } = yield* Accounts
      const { run, vm } = yield* vmOf({ strict: true })
      yield* vm.set("bob", bob.user.id)
      yield* run(`
        local me = get_self()
        assert(me._ == "user" and me.first_name == "Ann" and me.self == true and getSelf().id == me.id)
        assert(users.getUsers{id = {{_ = "inputUserSelf"}, "me"}}[2].first_name == "Ann")
        assert(contacts.resolvePhone{phone = "15550002"}.users[1].id == bob)
        assert(get_info(bob).User.first_name == "Bob" and get_info("+15550002").user_id == bob)
        chat = request_secret_chat("+15550002")
        assert(math.type(chat) == "integer" and secret_chat_status(chat) == 1 and not has_secret_chat(chat))
        assert(secret_chat_status(4711) == 0)
      `)
      const chatId = Number(yield* vm.get("chat"))
      yield* hears((h) => h.chatId === chatId && h.event._tag === "ChatRequested")
      yield* bob.chats.accept(chatId)
      yield* run(`
        local ready = await_secret_chat(chat)
        assert(ready.state == "ready" and ready.user_id == bob and ready.creator and #ready.key_hash == 36)
        assert(secret_chat_status(chat) == 2 and has_secret_chat(chat) and get_info(chat).type == "secret_chat")
        local found = false
        for _, one in ipairs(get_secret_chats()) do found = found or one.chat_id == chat end
        assert(found)
        hex = get_key_picture(chat).hex
        assert(notify_layer(chat).chat_id == chat)
        assert(messages.setEncryptedTyping{peer = chat, typing = true} == true)
        assert(messages.readEncryptedHistory{peer = chat, max_date = os.time()} == true)
        parts = messages.sendEncrypted{peer = chat, message = ("word "):rep(2000)}
        assert(#parts == 3 and parts[1].random_id ~= parts[3].random_id)
        local extra = {}
        tdcli_function({ID = "SendMessage", chat_id_ = chat, input_message_content_ = {ID = "InputMessageText", text_ = "td"}},
          function(e, r) e.result = r end, extra)
        assert(extra.result.ID == "messages.sentEncryptedMessage" and extra.result.chat_id_ == chat)
        td = tdcli_function({ID = "GetMe"})
        assert(td.ID == "User" and td.first_name_ == "Ann")
      `)
      assert.strictEqual<unknown>((yield* bob.chats.keyPicture(chatId)).hex, yield* vm.get("hex"))
      yield* hears((h) => h.chatId === chatId && h.event._tag === "NewMessage" && h.event.message.message === "td")
      yield* run("assert(discard_secret_chat(chat) == true and secret_chat_status(chat) == 0)")
      yield* hears((h) => h.chatId === chatId && h.event._tag === "ChatClosed")
      assert.strictEqual((yield* ann.chats.get(chatId)).state, "closed")
    }))

  it.effect("files, both ways", () =>
    Effect.gen(function*() {
      const { bob, hearsText, openChat } = yield* Accounts
      const chatId = yield* openChat
      yield* running(LuaScript.make(
        "files.lua",
        `
        function madeline_update_callback(update)
          local m = update.message
          if update._ ~= "updateNewEncryptedMessage" or not m.file then return end
          local content = download(update)
          local media = {_ = "decryptedMessageMediaDocument", mime_type = "text/plain"}
          messages.sendEncryptedFile{peer = update, message = {media = media, message = "back"}, file = {content = content:reverse()}}
          local file = upload_encrypted({content = content}, "again")
          messages.sendEncryptedFile{peer = update, message = {media = media, message = "again"}, file = file}
          messages.sendEncryptedFile{peer = update, message = {media = media, message = "forwarded"}, file = update}
        end`
      ))
      const content = Uint8Array.from({ length: 1000 }, (_, i) => i % 256)
      yield* bob.chats.sendFile(
        chatId,
        Media.message(Media.document({ fileName: "x", mimeType: "text/plain" }), {}),
        FileSource.fromBytes(content)
      )
      const downloaded = Effect.fnUntraced(function*(text: string) {
        const event = yield* hearsText(chatId, text)
        const pieces: ReadonlyArray<ReadonlyArray<number>> = yield* Stream.runCollect(
          Stream.map(bob.chats.download(event), (piece) => [...piece])
        )
        return Uint8Array.from(pieces.flat())
      })
      assert.deepStrictEqual(yield* downloaded("back"), content.toReversed())
      assert.deepStrictEqual(yield* downloaded("again"), content)
      assert.deepStrictEqual(yield* downloaded("forwarded"), content)
    }))

  it.effect("updates: in order, at least once, an error is no end, a limit is", () =>
    Effect.gen(function*() {
      const { bob, hearsText, openChat, texts } = yield* Accounts
      const chatId = yield* openChat
      const errors: Array<string> = []
      const script = (loops: boolean) =>
        LuaScript.make(
          "callback.lua",
          `
          local echoes = 0
          function madeline_update_callback(update)
            if update._ ~= "updateNewEncryptedMessage" or update.message.chat_id ~= ${chatId} then return end
            local text = update.message.decrypted_message.message
            if text == "fail" then
              error("I fail")
            end
            if text == "loop" then while ${loops} do end end
            echoes = echoes + 1
            messages.sendEncrypted{peer = update, message = echoes .. " " .. text}
          end`
        )
      const options = {
        limits: { instructions: 1_000_000 },
        onError: (error: { readonly message: string }) => Effect.sync(() => void errors.push(error.message))
      }
      const first = yield* running(script(true), options)
      for (const text of ["a", "fail", "b", "loop", "c"]) yield* bob.chats.sendText(chatId, text)
      const error = yield* Effect.flip(Fiber.join(first))
      assert.strictEqual(error.message, "callback.lua:9: more than 1000000 instructions")
      assert.deepStrictEqual(errors, ["callback.lua:7: I fail"])
      yield* hearsText(chatId, "2 b")
      assert.deepStrictEqual(texts(chatId).map((message) => message.message), ["1 a", "2 b"])
      // What was not dealt with comes to the next run.
      yield* running(script(false), options)
      yield* hearsText(chatId, /c$/)
      assert.deepStrictEqual(texts(chatId).map((message) => message.message), ["1 a", "2 b", "1 loop", "2 c"])
    }))

  it.effect("a callback in the old dialect", () =>
    Effect.gen(function*() {
      const { bob, hearsText, openChat } = yield* Accounts
      const chatId = yield* openChat
      yield* running(LuaScript.make(
        "td.lua",
        `
        function tdcli_update_callback(update)
          if update.ID == "UpdateNewEncryptedMessage" and update.message_.decrypted_message_.message_ == "hello" then
            tdcli_function({ID = "messages.sendEncrypted", peer_ = update.message_.chat_id_, message_ = {
              ID = "DecryptedMessage", message_ = "in the old dialect"}})
          end
        end`
      ))
      yield* bob.chats.sendText(chatId, "hello")
      yield* hearsText(chatId, "in the old dialect")
    }))

  it.effect("functions of one's own", () =>
    Effect.gen(function*() {
      const { run } = yield* vmOf({
        functions: {
          disk_usage: (disk) =>
            disk === "a"
              ? Effect.succeed(LuaValue.table({ used: 91n }))
              : Effect.fail(new LuaError.LuaError({ kind: "conversion", detail: "There is no such disk" })),
          get_self: () => Effect.succeed("somebody")
        }
      })
      assert.deepStrictEqual(
        yield* run("result = {diskUsage('a').used, disk_usage('b').description, get_self()}"),
        LuaValue.sequence([91n, "There is no such disk", "somebody"])
      )
    }))

  it.effect("parse_mode, names of bots, and messages that are TL already", () =>
    Effect.gen(function*() {
      const { bob, hearsText, openChat } = yield* Accounts
      const chatId = yield* openChat
      const { run, vm } = yield* vmOf({ strict: true })
      yield* vm.set("chat", BigInt(chatId))
      yield* vm.set(
        "data",
        LuaValue.fromBytes(
          TlCodec.encode(SecretApi.DecryptedMessage)({
            _tag: "decryptedMessage",
            randomId: 4711n,
            ttl: 0,
            message: "as bytes"
          })
        )
      )
      yield* run(`
        local function send(message, more)
          local params = {chat_id = chat, text = message}
          for k, v in pairs(more or {}) do params[k] = v end
          return messages.sendEncrypted(params).random_id
        end
        ids = {
          send({message = "<b>one</b> 👍<i>é</i>", parse_mode = "HTML"}),
          send("*two*", {parse_mode = "MarkdownV2"}),
          send({_ = "decryptedMessage", text = "**three**, no_names", reply_to_message_id = 42, disable_notification = true,
            disable_web_page_preview = true}, {parse_mode = "markdown"}),
          messages.sendMessage{peer = chat - 2000000000000, message = "~four~", parse_mode = "MarkdownV2", silent = true}.random_id,
          messages.sendEncryptedService{peer = chat, data = data}.random_id
        }
        tdcli_function({ID = "SendMessage", chat_id_ = chat, input_message_content_ = {ID = "InputMessageText",
          text_ = "<u>five</u>", parse_mode_ = {ID = "TextParseModeHTML"}}})
        madeline_strict(false)
        local function fails(params)
          params.peer = chat
          return messages.sendEncrypted(params).description
        end
        result = {
          fails{message = "<b>x", parse_mode = "HTML"}, fails{message = "x", parse_mode = "BBCode"},
          fails{message = {message = "x", entities = {}, parse_mode = "HTML"}}, fails{data = "frame" .. ("x"):rep(99)},
          fails{data = data, message = "x"}, messages.sendMessage{peer = "me", message = "a.b", parse_mode = "MarkdownV2"}.description
        }`)
      const heard = (text: string) => Effect.map(hearsText(chatId, text), ({ message }) => message)
      assert.deepStrictEqual((yield* heard("one 👍é")).entities, [
        { _tag: "messageEntityBold", offset: 0, length: 3 },
        { _tag: "messageEntityItalic", offset: 6, length: 1 }
      ])
      assert.deepStrictEqual((yield* heard("two")).entities, [{ _tag: "messageEntityBold", offset: 0, length: 3 }])
      const three = yield* heard("three, no_names")
      assert.deepInclude(three, { replyToRandomId: 42n, silent: true })
      assert.deepStrictEqual(three.entities, [{ _tag: "messageEntityBold", offset: 0, length: 5 }])
      const four = yield* heard("four")
      assert.deepStrictEqual(four.entities, [{ _tag: "messageEntityStrike", offset: 0, length: 4 }])
      assert.isTrue(four.silent)
      assert.deepStrictEqual((yield* heard("five")).entities, [{
        _tag: "messageEntityUnderline",
        offset: 0,
        length: 4
      }])
      assert.strictEqual((yield* heard("as bytes")).randomId, 4711n)
      const ids = yield* vm.get("ids")
      assert.strictEqual((ids as LuaValue.LuaTable).get(5n), 4711n)
      const said = [...((yield* vm.get("result")) as LuaValue.LuaTable).values()] as ReadonlyArray<string>
      const expected = [
        /^message: HTML, character 0: <b> is not closed$/,
        /^parse_mode: HTML, Markdown or MarkdownV2 is needed$/,
        /^message: parse_mode and entities exclude each other$/,
        /this is no serialised DecryptedMessage\. What is encrypted already cannot be sent/,
        /^message and data exclude each other$/,
        /^message: MarkdownV2, character 1: \. is reserved/
      ]
      for (const [i, pattern] of expected.entries()) assert.match(said[i]!, pattern)
      yield* bob.chats.get(chatId)
    }))

  it.effect("parse_mode in ordinary chats names people", () =>
    Effect.gen(function*() {
      const { ann, bob } = yield* Accounts
      const { run, vm } = yield* vmOf({ strict: true })
      yield* vm.set("bob", bob.user.id)
      yield* run(`
        contacts.resolvePhone{phone = "15550002"}
        messages.sendMessage{peer = bob, message = '<a href="tg://user?id=' .. bob .. '">you</a> and <s>me</s>', parse_mode = "HTML"}`)
      const transport = Context.get(bob.services, Transport.Transport)
      const { users } = yield* transport.invoke(Api.contacts.resolvePhone({ phone: "15550001" }))
      const found = yield* transport.invoke(Api.messages.getHistory({
        peer: { _tag: "inputPeerUser", userId: ann.user.id, accessHash: (users[0] as Api.user).accessHash! },
        offsetId: 0,
        offsetDate: 0,
        addOffset: 0,
        limit: 1,
        maxId: 0,
        minId: 0,
        hash: 0n
      }))
      assert("messages" in found)
      const [message] = found.messages as ReadonlyArray<Api.message>
      assert.strictEqual(message!.message, "you and me")
      assert.deepInclude(message!.entities?.at(-1), { _tag: "messageEntityStrike", offset: 8, length: 2 })
    }))

  // ----- other updates

  /** Bob writes to Ann in an ordinary chat. */
  const writes = Effect.fnUntraced(
    function*(message: string, more: Partial<Api.Params<typeof Api.messages.sendMessage>> = {}) {
      const { bob } = yield* Accounts
      const transport = Context.get(bob.services, Transport.Transport)
      const found = yield* transport.invoke(Api.contacts.resolvePhone({ phone: "15550001" }))
      const user = found.users.find((one) => one._tag === "user")!
      const peer = { _tag: "inputPeerUser", userId: user.id, accessHash: user.accessHash! } as const
      yield* transport.invoke(
        Api.messages.sendMessage({ peer, message, randomId: BigInt(Math.floor(Math.random() * 2 ** 50)), ...more })
      )
    }
  )

  it.effect("every update, and an answer to it, as in the script of 2018", () =>
    Effect.gen(function*() {
      const { bob, hearsText, openChat } = yield* Accounts
      const chatId = yield* openChat
      const printed: Array<string> = []
      yield* running(
        LuaScript.make(
          "ping.lua",
          `
          function madeline_update_callback(data)
            if data._ == "updateNewMessage" and data.message.message == "ping" then
              local r = messages.sendMessage({peer=data, message="pong", reply_to_msg_id=data.message.id})
              print(r._ or r.error, r.description)
              print(get_info(data).User.first_name)
              print(messages.sendMessage{chat_id = data.message.peer_id.user_id, text = "pong 2", disable_notification = true}._)
            elseif data._ == "updateNewEncryptedMessage" then
              messages.sendMessage({peer=data, message="pong in secret", reply_to_msg_id=data.message.random_id})
            end
          end`
        ),
        { print: (line) => Effect.sync(() => void printed.push(line)) }
      )
      yield* writes("ping")
      while (printed.length < 3) yield* Effect.sleep(5)
      assert.match(printed[0]!, /^update\w+\tnil$/)
      assert.strictEqual(printed[1], "Bob")
      assert.match(printed[2]!, /^update/)
      const transport = Context.get(bob.services, Transport.Transport)
      const dialogs = yield* transport.invoke(
        Api.messages.getHistory({
          peer: yield* Effect.map(
            transport.invoke(Api.contacts.resolvePhone({ phone: "15550001" })),
            ({ users: [user] }) => ({
              _tag: "inputPeerUser",
              userId: user!.id,
              accessHash: (user as Api.user).accessHash!
            } as const)
          ),
          offsetId: 0,
          offsetDate: 0,
          addOffset: 0,
          limit: 10,
          maxId: 0,
          minId: 0,
          hash: 0n
        })
      )
      assert("messages" in dialogs)
      const [second, first, ping] = dialogs.messages as ReadonlyArray<Api.message>
      assert.deepStrictEqual([second!.message, first!.message, ping!.message], ["pong 2", "pong", "ping"])
      const { randomId } = one(yield* bob.chats.sendText(chatId, "ping"))
      assert.strictEqual((yield* hearsText(chatId, "pong in secret")).message.replyToRandomId, randomId)
    }))

  it.effect("get_updates: offset confirms, what is not confirmed comes again", () =>
    Effect.gen(function*() {
      const { bob, openChat } = yield* Accounts
      const chatId = yield* openChat
      const { run, vm } = yield* vmOf()
      yield* vm.set("chat", BigInt(chatId))
      yield* bob.chats.sendText(chatId, "asked for")
      yield* writes("asked for, too")
      const collect = `
        local offset, secret, other = 0, nil, nil
        while not (secret and other) do
          for _, one in ipairs(get_updates{offset = offset, timeout = 5}) do
            offset = one.update_id + 1
            local m = one.update.message
            if one.update._ == "updateNewEncryptedMessage" and m.decrypted_message.message == "asked for" then secret = one.update_id end
            if one.update._ == "updateNewMessage" and m.message == "asked for, too" then other = one.update_id end
          end
        end
        result = {math.type(secret), math.type(other)}`
      assert.deepStrictEqual(yield* run(collect), LuaValue.sequence(["integer", "integer"]))
      assert.deepStrictEqual(
        yield* run(`
          local last = get_updates{offset = -1}
          result = {#last, #get_updates{offset = last[1].update_id + 1}, getUpdates{limit = 0}.error, getUpdates(5).error}`),
        LuaValue.sequence([1n, 0n, "PARAMETERS_INVALID", "PARAMETERS_INVALID"])
      )
      // not where updates come by themselves
      const errors: Array<string> = []
      yield* running(
        LuaScript.make("both.lua", `function madeline_update_callback() print(get_updates().error) end`),
        { print: (line) => Effect.sync(() => void errors.push(line)) }
      )
      yield* writes("once more")
      while (errors.length === 0) yield* Effect.sleep(5)
      assert.strictEqual(errors[0], "UPDATES_TAKEN")
    }))

  it.effect("files of one folder, both ways, and nothing outside of it", () =>
    Effect.gen(function*() {
      const { ann, bob, hearsText, openChat } = yield* Accounts
      const chatId = yield* openChat
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "lua-files-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
      )
      mkdirSync(join(folder, "in", "down"), { recursive: true })
      writeFileSync(join(folder, "secret.txt"), "outside")
      writeFileSync(join(folder, "in", "report.txt"), "the report")
      symlinkSync(join(folder, "secret.txt"), join(folder, "in", "link.txt"))
      symlinkSync(folder, join(folder, "in", "up"))
      const made = LuaHost.layer(patient({})).pipe(
        Layer.provide(LuaFiles.layer({ folder: join(folder, "in"), maxSize: 100 })),
        Layer.provide(NodeServices.layer)
      )
      const host = Context.get(yield* Effect.provideContext(Layer.build(made), ann.services), LuaHost.LuaHost)
      const vm = yield* host.vm()
      const run = (source: string) => Effect.andThen(vm.load({ name: "files.lua", source }), vm.get("result"))
      yield* vm.set("chat", BigInt(chatId))
      yield* run(`
        local media = {_ = "decryptedMessageMediaDocument", mime_type = "text/plain", attributes = {
          {_ = "documentAttributeFilename", file_name = "../../..evil/r\0port.txt"}}}
        local sent = messages.sendEncryptedFile{peer = chat, file = "report.txt", message = {message = "by path", media = media}}
        assert(sent.file, sent.description)
        local file = upload_encrypted("report.txt", "r")
        assert(file._ == "inputEncryptedFileUploaded" and #file.key == 32, file.description)
        local up = upload("report.txt")
        assert(up._ == "inputFile" and up.name == "report.txt" and math.type(up.id) == "integer", up.description)
        assert(upload({content = "abc"}, "abc.txt").name == "abc.txt")`)
      const event = yield* hearsText(chatId, "by path")
      yield* bob.chats.sendFile(chatId, event.message as never, FileSource.fromBytes(new TextEncoder().encode("back")))
      const result = yield* run(`
        local message
        while not message do
          for _, one in ipairs(get_secret_messages(chat)) do
            if not one.out and one.decrypted_message.media then message = one end
          end
        end
        -- of the history there is no file, so the update is asked for
        local update
        while not update do
          for _, one in ipairs(get_updates{timeout = 1}) do
            if one.update._ == "updateNewEncryptedMessage" and one.update.message.file then update = one.update end
          end
        end
        result = {download_to_file(update, "down/a.txt"), download_to_dir(update, "down"), downloadToDir(update, "down"), download(update)}
        assert(download_to_file(update, "down/a.txt").error == "PARAMETERS_INVALID")
        for _, path in ipairs{"../x", "/etc/x", "up/x", "down", "", "no/such/x", "link.txt", "\0"} do
          local r = download_to_file(update, path)
          assert(type(r) == "table" and r.error == "PARAMETERS_INVALID", path)
        end
        for _, path in ipairs{"../secret.txt", "/etc/passwd", "link.txt", "up/secret.txt", "down", "", ".", "none"} do
          assert(upload(path).error == "PARAMETERS_INVALID", path)
          assert(upload_encrypted(path).error == "PARAMETERS_INVALID", path)
        end
        for _, path in ipairs{"..", "up", "report.txt", "none"} do
          assert(download_to_dir(update, path).error == "PARAMETERS_INVALID", path)
        end`)
      assert.isTrue(LuaValue.isTable(result))
      const [a, b, c, content] = [...(result as LuaValue.LuaTable).values()] as ReadonlyArray<string>
      assert.strictEqual(content, "back")
      assert.strictEqual(a, "down/a.txt")
      assert.notStrictEqual(b, c)
      for (const path of [a!, b!, c!]) assert.strictEqual(readFileSync(join(folder, "in", path), "utf8"), "back")
      assert.deepStrictEqual(readdirSync(join(folder, "in", "down")).length, 3)
      assert.deepStrictEqual(readdirSync(folder).toSorted(), ["in", "secret.txt"])
    }))

  it.effect("files of ordinary chats, both ways", () =>
    Effect.gen(function*() {
      const { ann, bob } = yield* Accounts
      const folder = yield* Effect.acquireRelease(
        Effect.sync(() => mkdtempSync(join(tmpdir(), "lua-files-"))),
        (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
      )
      const content = "0123456789".repeat(60_000)
      writeFileSync(join(folder, "big.txt"), content)
      const made = LuaHost.layer(patient({ strict: true })).pipe(
        Layer.provide(LuaFiles.layer({ folder })),
        Layer.provide(NodeServices.layer)
      )
      const host = Context.get(yield* Effect.provideContext(Layer.build(made), ann.services), LuaHost.LuaHost)
      const vm = yield* host.vm()
      yield* vm.set("bob", bob.user.id)
      yield* vm.load({
        name: "cloud.lua",
        source: `
          contacts.resolvePhone{phone = "15550002"}
          local sent = messages.sendMedia{peer = bob, message = "a file", media = {_ = "inputMediaUploadedDocument",
            file = upload("big.txt"), mime_type = "text/plain",
            attributes = {{_ = "documentAttributeFilename", file_name = "../big.txt"}}}}
          local message
          for _, update in ipairs(sent.updates) do
            if update._ == "updateNewMessage" then message = update.message end
          end
          result = {download_to_dir(message, "."), download_to_file(message, "copy.txt"), download({_ = "updateNewMessage",
            message = message}), #download(message.media)}
          madeline_strict(false)
          failed = download({_ = "message", media = {_ = "messageMediaEmpty"}}).error`
      })
      assert.strictEqual(yield* vm.get("failed"), "PARAMETERS_INVALID")
      const result = [...((yield* vm.get("result")) as LuaValue.LuaTable).values()]
      assert.strictEqual(result[1], "copy.txt")
      assert.strictEqual(result[2], content)
      assert.strictEqual(result[3], BigInt(content.length))
      const names = readdirSync(folder).toSorted()
      assert.deepStrictEqual(names, ["_big.txt", "big.txt", "copy.txt"])
      for (const name of names) assert.strictEqual(readFileSync(join(folder, name), "utf8"), content, name)
    }))

  it.effect("a host that gives no folder", () =>
    Effect.gen(function*() {
      const { run } = yield* vmOf()
      assert.deepStrictEqual(
        yield* run(`result = {upload("x").error, upload_encrypted("x").error, download_to_file({}, "x").error,
          messages.sendEncryptedFile{peer = 1, message = {media = {_ = "decryptedMessageMediaDocument"}}, file = "x"}.error}`),
        LuaValue.sequence(["FILES_REFUSED", "FILES_REFUSED", "FILES_REFUSED", "FILES_REFUSED"])
      )
    }))

  // ----- the examples

  it.effect("ping-pong.lua", () =>
    Effect.gen(function*() {
      const { bob, hearsText, request } = yield* Accounts
      const printed: Array<string> = []
      yield* running(example("ping-pong.lua"), { print: (line) => Effect.sync(() => void printed.push(line)) })
      const chatId = yield* request
      yield* bob.chats.awaitReady(chatId)
      const { randomId } = one(yield* bob.chats.sendText(chatId, "ping"))
      const { message } = yield* hearsText(chatId, "pong")
      assert.strictEqual(message.replyToRandomId, randomId)
      assert.include(printed, `a chat with ${bob.user.id}: ready`)
    }))

  it.effect("self-destructing-notes.lua", () =>
    Effect.gen(function*() {
      const { bob, hears, hearsText, openChat } = yield* Accounts
      const chatId = yield* openChat
      yield* running(example("self-destructing-notes.lua"))
      const { randomId } = one(yield* bob.chats.sendText(chatId, "keep wifi correct horse"))
      yield* hears(({ event }) =>
        event._tag === "MessagesDeleted" && event.by === "peer" && event.randomIds.includes(randomId)
      )
      yield* hearsText(chatId, "wifi is kept")
      yield* bob.chats.sendText(chatId, "list")
      yield* hearsText(chatId, "wifi")
      yield* bob.chats.sendText(chatId, "show wifi")
      assert.strictEqual((yield* hearsText(chatId, "correct horse")).message.ttl, 30)
      yield* bob.chats.sendText(chatId, "show nothing")
      yield* hearsText(chatId, "there is no nothing")
    }))

  it.effect("alert-relay.lua", () =>
    Effect.gen(function*() {
      const { ann, bob, hearsText, openChat } = yield* Accounts
      for (const chat of yield* ann.chats.list) {
        if (chat.state !== "closed") yield* ann.chats.discard(chat.chatId)
      }
      const [one, other] = [yield* openChat, yield* openChat]
      yield* running(example("alert-relay.lua"))
      yield* bob.chats.send(one, DecryptedMessage.message("alert disk 1 is full"))
      yield* hearsText(other, /^alert 1, \d\d:\d\d UTC: disk 1 is full$/)
      yield* hearsText(one, "alert 1 went to 1")
      yield* bob.chats.sendText(other, "ack 1")
      yield* hearsText(one, "alert 1 is seen to: disk 1 is full")
      yield* bob.chats.sendText(other, "ack 9")
      yield* hearsText(other, "there is no alert 9")
    }))
})
