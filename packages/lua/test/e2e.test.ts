import { DecryptedMessage } from "@effect-mtproto/core"
import { LuaError, LuaHost, LuaScript, LuaValue } from "@effect-mtproto/lua"
import { FileSource, Media, type SecretChats } from "@effect-mtproto/secret-chats"
import { assert, layer } from "@effect/vitest"
import { Effect, Fiber, Stream } from "effect"
import { readFileSync } from "node:fs"
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
  const host = yield* LuaHost.LuaHost.pipe(
    Effect.provide(LuaHost.layer(patient(options))),
    Effect.provideContext(ann.services)
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
          local file = upload_encrypted(content, "again")
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
