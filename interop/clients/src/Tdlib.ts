/**
 * TDLib 1.8.65, the copy of interop/tdlib that trusts the test server, through every proxy that it has. Its secret
 * chats are judged there; here it is an ordinary client.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as tdl from "tdl"
import type * as Td from "tdlib-types"
import * as Libtdjson from "../../tdlib/src/Libtdjson.ts"
import type { Account, Judge, Judgement } from "./Judge.ts"
import { equal, inbox, sameBytes, sample } from "./Judge.ts"
import * as Proxies from "./Proxies.ts"

type Client = ReturnType<typeof open>

const open = (judge: Judge, directory: string, proxy?: Td.proxy$Input) => {
  const client = tdl.createClient({
    apiId: 12_345,
    apiHash: "0123456789abcdef0123456789abcdef",
    databaseDirectory: join(directory, "database"),
    filesDirectory: join(directory, "files"),
    tdlibParameters: {
      use_message_database: true,
      use_secret_chats: false,
      use_chat_info_database: true,
      use_file_database: true,
      system_language_code: "en",
      application_version: "1.0",
      device_model: "tdlib",
      system_version: "test"
    }
  })
  const updates = inbox<Td.Update>()
  client.on("update", updates.push)
  // errors reach the caller through the promises; the listener keeps Node from ending the process
  client.on("error", () => undefined)
  let isOpen = true
  const close = async (): Promise<void> => {
    if (!isOpen) return
    isOpen = false
    await client.close()
  }
  judge.atEnd(() => close().catch(() => undefined))
  const ready = proxy === undefined
    ? Promise.resolve()
    : client.invoke({ _: "addProxy", proxy, enable: true }).then(() => undefined)
  return { client, updates, close, ready }
}

const logIn = async ({ client, ready }: Client, account: Account, passwords: ReadonlyArray<string> = []) => {
  await ready
  let attempt = 0
  await client.login({
    type: "user",
    getPhoneNumber: () => Promise.resolve(account.phone),
    getAuthCode: () => Promise.resolve(account.code),
    getPassword: () => {
      const password = passwords[attempt++]
      return password === undefined ? Promise.reject(new Error("no password")) : Promise.resolve(password)
    }
  })
  return client.invoke({ _: "getMe" })
}

const textOf = (message: Td.message): string | undefined =>
  message.content._ === "messageText" ? message.content.text.text : undefined

const heard = ({ updates }: Client, text: string) =>
  updates.find(
    `"${text}"`,
    (update) => update._ === "updateNewMessage" && textOf(update.message) === text
  )

const send = async ({ client, updates }: Client, chat_id: number, content: Td.InputMessageContent$Input) => {
  const sending = await client.invoke({ _: "sendMessage", chat_id, input_message_content: content })
  const sent = await updates.find(
    "the message that was sent",
    (update) =>
      (update._ === "updateMessageSendSucceeded" || update._ === "updateMessageSendFailed") &&
      update.old_message_id === sending.id
  )
  if (sent._ === "updateMessageSendFailed") throw new Error(`sending failed: ${sent.error.message}`)
  return (sent as Td.updateMessageSendSucceeded).message
}

const text = (value: string): Td.InputMessageContent$Input => ({
  _: "inputMessageText",
  text: { _: "formattedText", text: value, entities: [] }
})

const works = async (judge: Judge, directory: string, proxy: Td.proxy$Input): Promise<void> => {
  await mkdir(directory, { recursive: true })
  const account = await judge.account()
  const made = open(judge, directory, proxy)
  equal((await logIn(made, account)).id, Number(account.id), "the user")
  await judge.called(account, "updates.getState")
  const other = await judge.account()
  await judge.run(judge.server.sendMessage(other.phone, account.phone, "an update"))
  await heard(made, "an update")
  await made.close()
}

const run = async (judge: Judge): Promise<void> => {
  const { check, server } = judge
  const folder = await mkdtemp(join(tmpdir(), "interop-clients-tdlib-"))
  judge.atEnd(() => rm(folder, { recursive: true, force: true }))
  const library = await judge.run(Libtdjson.install(folder, server.publicKeys[0]!))
  tdl.configure({ tdjson: library, verbosityLevel: Number(process.env["TDLIB_VERBOSITY"] ?? 0) })
  const place = async (name: string): Promise<string> => {
    const directory = join(folder, name)
    await mkdir(directory, { recursive: true })
    return directory
  }
  const ann = await judge.account()
  const bob = await judge.account({ username: "tdlib_bob" })
  const first = open(judge, await place("ann"))

  await check("logs in by phone and code", async () => {
    equal((await logIn(first, ann)).id, Number(ann.id), "the user")
  }, 30)
  await check("calls", async () => {
    const me = await first.client.invoke({ _: "getMe" })
    equal(me.phone_number, ann.phone, "the phone number")
    const config = await judge.run(server.calls("help.getConfig"))
    equal(config.every(({ outcome }) => outcome === "ok"), true, "help.getConfig")
  })
  await check("none of its calls at the start was left without an answer", async () => {
    const calls = await judge.run(server.calls())
    equal(calls.filter(({ outcome }) => outcome === "INTERNAL_SERVER_ERROR").length, 0, "internal errors")
  })
  const second = open(judge, await place("bob"))
  await check("a second client logs in", async () => {
    equal((await logIn(second, bob)).id, Number(bob.id), "the user")
  }, 30)
  const toBob = await check("finds somebody by username", async () => {
    const chat = await first.client.invoke({ _: "searchPublicChat", username: "tdlib_bob" })
    equal(chat.type._, "chatTypePrivate", "the chat")
    return chat.id
  })
  await check("a message reaches another client", async () => {
    await send(first, toBob, text("hello from tdlib"))
    await heard(second, "hello from tdlib")
  })
  const toAnn = Number(ann.id)
  await check("the answer to it comes back, and is read", async () => {
    const answer = await send(second, toAnn, text("and back"))
    await heard(first, "and back")
    const { messages } = await first.client.invoke({
      _: "getChatHistory",
      chat_id: toBob,
      limit: 10,
      from_message_id: 0,
      offset: 0
    })
    const ids = messages.flatMap((message) => message === null ? [] : [message.id])
    await first.client.invoke({ _: "openChat", chat_id: toBob })
    await first.client.invoke({ _: "viewMessages", chat_id: toBob, message_ids: ids, force_read: true })
    await second.updates.find(
      "the read mark",
      (update) => update._ === "updateChatReadOutbox" && update.last_read_outbox_message_id >= answer.id
    )
  })
  for (const size of [10, 1_000_000, 10_600_000]) {
    await check(`a file of ${size} bytes goes up and down`, async () => {
      const bytes = sample(size, 11)
      const path = join(folder, `${size}.bin`)
      await writeFile(path, bytes)
      const caption: Td.formattedText$Input = { _: "formattedText", text: `file ${size}`, entities: [] }
      const sent = send(first, toBob, {
        _: "inputMessageDocument",
        document: {
          _: "inputDocument",
          document: { _: "inputFileLocal", path },
          disable_content_type_detection: true
        },
        caption
      })
      const arrived = await second.updates.find(
        "the document",
        (update) =>
          update._ === "updateNewMessage" && update.message.content._ === "messageDocument" &&
          update.message.content.caption.text === `file ${size}`,
        40
      ) as Td.updateNewMessage
      await sent
      if (arrived.message.content._ !== "messageDocument") throw new Error("no document")
      const file = await second.client.invoke({
        _: "downloadFile",
        file_id: arrived.message.content.document.document.id,
        priority: 32,
        synchronous: true
      })
      sameBytes(await readFile(file.local.path), bytes, "the file")
    }, 60)
  }
  await check("gets what was sent after its connection broke", async () => {
    await judge.run(server.faults.dropConnections(ann.phone))
    await judge.run(server.sendMessage(bob.phone, ann.phone, "after the break"))
    await heard(first, "after the break")
  }, 30)
  for (const when of ["before", "after"] as const) {
    await check(`a connection that breaks ${when} a message was taken`, async () => {
      await judge.run(server.faults.disconnectOn("messages.sendMessage", when, { account: ann.phone }))
      await send(first, toBob, text(`broke ${when}`))
      const messages = await judge.run(server.messages(bob.phone))
      equal(messages.filter((message) => message.text === `broke ${when}`).length, 1, "copies")
    }, 40)
  }
  const faults: ReadonlyArray<readonly [string, Parameters<Judge["run"]>[0]]> = [
    ["an answer that comes twice", server.faults.duplicateAnswer("messages.sendMessage")],
    ["an answer that is only announced", server.faults.announceAnswer("messages.sendMessage")],
    ["a wrong salt", server.faults.badServerSalt({ account: ann.phone })],
    ["an internal error", server.faults.failNext("messages.sendMessage", { code: 500, type: "INTERNAL" })],
    ["a flood of one second", server.faults.failNext("messages.sendMessage", { code: 420, type: "FLOOD_WAIT_1" })],
    ["sessions that the server forgot", server.faults.forgetSessions(ann.phone)],
    ["results that are all compressed", server.faults.gzip("always")],
    ["messages without containers", server.faults.containers(false)]
  ]
  for (const [what, fault] of faults) {
    await check(`survives ${what}`, async () => {
      await judge.run(fault)
      await send(first, toBob, text(what))
      await heard(second, what)
    }, 30)
  }
  await judge.run(server.faults.gzip("auto"))
  await judge.run(server.faults.containers(true))
  await judge.run(server.faults.clear)
  await check("updates that were too many are fetched", async () => {
    await judge.run(server.faults.updatesTooLong(ann.phone))
    await judge.run(server.sendMessage(bob.phone, ann.phone, "after too many"))
    await heard(first, "after too many")
  }, 30)
  await check("goes on from its database", async () => {
    await first.close()
    await judge.run(server.sendMessage(bob.phone, ann.phone, "while it was closed"))
    const again = open(judge, join(folder, "ann"))
    equal((await logIn(again, ann)).id, Number(ann.id), "the user")
    await heard(again, "while it was closed")
    await again.client.invoke({ _: "logOut" })
    await again.updates.find(
      "the end of the login",
      (update) => update._ === "updateAuthorizationState" && update.authorization_state._ === "authorizationStateClosed"
    )
    equal((await judge.run(server.devices(ann.phone))).length, 0, "logins")
  }, 40)
  await check("logs in with a password", async () => {
    const account = await judge.account({ password: "correct horse", passwordHint: "a hint" })
    const locked = open(judge, await place("locked"))
    equal((await logIn(locked, account, ["wrong", "correct horse"])).id, Number(account.id), "the user")
    const outcomes = (await judge.run(server.calls("auth.checkPassword"))).map(({ outcome }) => outcome)
    equal(outcomes, ["PASSWORD_HASH_INVALID", "ok"], "outcomes")
    await locked.close()
  }, 30)
  await check("logs in as a bot", async () => {
    const account = await judge.account({ botToken: "80:tdlib" })
    const bot = open(judge, await place("bot"))
    await bot.client.login({ type: "bot", getToken: () => Promise.resolve("80:tdlib") })
    const me = await bot.client.invoke({ _: "getMe" })
    equal([me.id, me.type._], [Number(account.id), "userTypeBot"], "the user")
    await bot.close()
  }, 30)
  const socks = await judge.open(Proxies.socks5())
  const socksWithLogin = await judge.open(Proxies.socks5({ username: "ann", password: "secret" }))
  const http = await judge.open(Proxies.http())
  const httpWithLogin = await judge.open(Proxies.http("ann:secret"))
  const proxies: Array<readonly [string, Td.proxy$Input]> = [
    ["SOCKS5 proxy", {
      _: "proxy",
      server: socks.host,
      port: socks.port,
      type: { _: "proxyTypeSocks5", username: "", password: "" }
    }],
    ["SOCKS5 proxy with a password", {
      _: "proxy",
      server: socksWithLogin.host,
      port: socksWithLogin.port,
      type: { _: "proxyTypeSocks5", username: "ann", password: "secret" }
    }],
    ["HTTP proxy", {
      _: "proxy",
      server: http.host,
      port: http.port,
      type: { _: "proxyTypeHttp", username: "", password: "", http_only: false }
    }],
    ["HTTP proxy with a password", {
      _: "proxy",
      server: httpWithLogin.host,
      port: httpWithLogin.port,
      type: { _: "proxyTypeHttp", username: "ann", password: "secret", http_only: false }
    }]
  ]
  // a proxy for requests only: TDLib speaks MTProto over HTTP, and the address of the data centre stands in each request
  for (const [what, password] of [["", ""], [" with a password", "secret"]] as const) {
    proxies.push([`MTProto over HTTP${what}`, {
      _: "proxy",
      server: "127.0.0.1",
      port: server.port,
      type: { _: "proxyTypeHttp", username: password === "" ? "" : "ann", password, http_only: true }
    }])
  }
  for (const [what, secret, domain] of Proxies.secrets) {
    const proxy = await judge.open(Proxies.mtproto(judge.crypto, { server, domain }))
    proxies.push([`MTProto proxy, ${what}`, {
      _: "proxy",
      server: proxy.host,
      port: proxy.port,
      type: { _: "proxyTypeMtproto", secret }
    }])
  }
  let n = 0
  for (const [what, proxy] of proxies) {
    await check(what, () => works(judge, join(folder, `proxy${++n}`), proxy), 40)
  }
}

// its addresses end in :443 of 127.0.0.0/8, and its first data centre is number 1
export const tdlib: Judgement = { name: "tdlib", server: { host: "0.0.0.0", port: 443, dcId: 1 }, run }
