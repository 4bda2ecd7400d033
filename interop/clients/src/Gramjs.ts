/** GramJS 2.26.22 (layer 198), through every framing and proxy that it has. */
import type * as RsaPublicKey from "@effect-mtproto/crypto/RsaPublicKey"
import bigInt from "big-integer"
import { createRequire } from "node:module"
import { Api, TelegramClient } from "telegram"
import type { TelegramClientParams } from "telegram/client/telegramBaseClient.js"
import { CustomFile } from "telegram/client/uploads.js"
import { NewMessage, type NewMessageEvent } from "telegram/events/NewMessage.js"
import { PromisedNetSockets, PromisedWebSockets } from "telegram/extensions/index.js"
import { Logger, LogLevel } from "telegram/extensions/Logger.js"
import type { ProxyInterface } from "telegram/network/connection/TCPMTProxy.js"
import { ConnectionTCPAbridged, ConnectionTCPFull, ConnectionTCPObfuscated } from "telegram/network/index.js"
import { StringSession } from "telegram/sessions/index.js"
import type { Account, Judge, Judgement } from "./Judge.ts"
import { equal, inbox, sameBytes, sample } from "./Judge.ts"
import * as Proxies from "./Proxies.ts"
import * as Restart from "./Restart.ts"

interface KeyTable {
  readonly _serverKeys: Map<string, { readonly n: unknown; readonly e: number }>
}

/** The table of keys that it trusts has no door; it is an ordinary map in one of its files. */
const trust = (key: RsaPublicKey.RsaPublicKey): void => {
  const { _serverKeys } = createRequire(import.meta.url)("telegram/crypto/RSA.js") as KeyTable
  _serverKeys.set(String(key.fingerprint), { n: bigInt(Buffer.from(key.n).toString("hex"), 16), e: 65_537 })
}

/** It knows the ports 80 and 443 only: they are those of the server here. */
const socketsTo = (port: number): typeof PromisedNetSockets =>
  class extends PromisedNetSockets {
    override connect(wanted: number, ip: string) {
      if (ip !== "127.0.0.1") return Promise.reject(new Error(`not ${ip}`))
      return super.connect(wanted === 80 || wanted === 443 ? port : wanted, ip)
    }
  }

const webSocketsTo = (port: number): typeof PromisedWebSockets =>
  class extends PromisedWebSockets {
    override connect(_: number, ip: string) {
      return ip === "127.0.0.1" ? super.connect(port, ip) : Promise.reject(new Error(`not ${ip}`))
    }
  }

interface Options {
  readonly connection?: TelegramClientParams["connection"]
  readonly proxy?: ProxyInterface
  readonly session?: string
  readonly webSocket?: boolean
}

const make = async (judge: Judge, options: Options = {}) => {
  const { server } = judge
  const session = new StringSession(options.session ?? "")
  await session.load()
  if (options.session === undefined) session.setDC(server.dcId, "127.0.0.1", 80)
  const client = new TelegramClient(session, 1, "hash", {
    connection: options.connection ?? ConnectionTCPFull,
    networkSocket: options.webSocket === true ? webSocketsTo(server.port) : socketsTo(server.port),
    ...(options.proxy === undefined ? {} : { proxy: options.proxy }),
    useWSS: false,
    connectionRetries: 20,
    retryDelay: 50,
    deviceModel: "gramjs",
    baseLogger: new Logger(LogLevel.NONE)
  })
  client.onError = () => Promise.resolve()
  judge.atEnd(() => client.destroy())
  const texts = inbox<{ readonly text: string; readonly sender: string }>()
  client.addEventHandler((event: NewMessageEvent) => {
    texts.push({ text: event.message.message, sender: String(event.message.senderId) })
  }, new NewMessage({}))
  return { client, texts, session }
}

const logIn = async (client: TelegramClient, account: Account, password?: string): Promise<void> => {
  await client.start({
    phoneNumber: account.phone,
    phoneCode: () => Promise.resolve(account.code),
    password: () => Promise.resolve(password ?? ""),
    // true ends it
    onError: () => Promise.resolve(true)
  })
}

const works = async (judge: Judge, options: Options): Promise<void> => {
  const account = await judge.account()
  const { client, texts } = await make(judge, options)
  await logIn(client, account)
  const me = await client.getMe()
  equal(String(me.id), String(account.id), "the user")
  const other = await judge.account()
  await judge.run(judge.server.sendMessage(other.phone, account.phone, "an update"))
  await texts.find("the update", ({ text }) => text === "an update")
  await client.destroy()
}

const run = async (judge: Judge): Promise<void> => {
  const { check, server } = judge
  trust(server.publicKeys[0]!)
  const ann = await judge.account()
  const bob = await judge.account({ username: "gramjs_bob" })
  const { client, session, texts } = await make(judge)

  await check("logs in by phone and code", async () => {
    await logIn(client, ann)
    equal(await client.isUserAuthorized(), true, "authorized")
  })
  await check("calls", async () => {
    const me = await client.getMe()
    equal([String(me.id), me.phone], [String(ann.id), ann.phone], "the user")
    equal((await client.invoke(new Api.help.GetConfig())).thisDc, server.dcId, "the data centre")
  })
  await check("speaks its layer, and is answered in it", async () => {
    const [call] = (await judge.run(server.calls("users.getUsers"))).filter(({ phone }) => phone === ann.phone)
    equal(call?.layer, 198, "the layer")
  })
  await check("many calls at once", async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => client.invoke(new Api.help.GetNearestDc())))
    equal(answers.filter(({ thisDc }) => thisDc === server.dcId).length, 100, "answers")
  })
  await check("an unknown method is an error", async () => {
    const error = await client.invoke(new Api.help.GetSupport()).catch((failure: unknown) => failure)
    equal((error as { readonly errorMessage?: string }).errorMessage, "METHOD_INVALID", "the error")
  })
  const second = await make(judge)
  await logIn(second.client, bob)
  await second.client.getMe()
  await check("a message reaches another client", async () => {
    await client.sendMessage("gramjs_bob", { message: "hello from gramjs" })
    const { sender } = await second.texts.find("the message", ({ text }) => text === "hello from gramjs")
    equal(sender, String(ann.id), "the sender")
  })
  await check("the answer to it comes back", async () => {
    await second.client.sendMessage(bigInt(String(ann.id)), { message: "and back" })
    await texts.find("the answer", ({ text }) => text === "and back")
    const history = await client.getMessages("gramjs_bob", { limit: 10 })
    equal(history.map(({ message }) => message), ["and back", "hello from gramjs"], "the history")
    const [dialog] = await client.getDialogs({})
    equal(dialog?.message?.message, "and back", "the dialog")
  })
  for (const size of [10, 3_000_000, 10_600_000]) {
    await check(`a file of ${size} bytes goes up and down`, async () => {
      const bytes = Buffer.from(sample(size, 5))
      await client.sendFile("gramjs_bob", {
        file: new CustomFile(`${size}.bin`, size, "", bytes),
        forceDocument: true,
        workers: 2
      })
      const [message] = await second.client.getMessages(bigInt(String(ann.id)), { limit: 1 })
      const down = await second.client.downloadMedia(message!, {})
      sameBytes(down as Buffer, bytes, "the file")
    }, 40)
  }
  await check("goes on after its connection broke", async () => {
    await judge.run(server.faults.dropConnections(ann.phone))
    equal((await client.getMe()).phone, ann.phone, "the phone number")
    await judge.run(server.sendMessage(bob.phone, ann.phone, "after the break"))
    await texts.find("the message", ({ text }) => text === "after the break")
  })
  for (const when of ["before", "after"] as const) {
    await check(`a connection that breaks ${when} a call was executed`, async () => {
      await judge.run(server.faults.disconnectOn("help.getNearestDc", when, { account: ann.phone }))
      equal((await client.invoke(new Api.help.GetNearestDc())).thisDc, server.dcId, "the answer")
    })
  }
  const faults: ReadonlyArray<readonly [string, Parameters<Judge["run"]>[0]]> = [
    ["an answer that comes twice", server.faults.duplicateAnswer("help.getNearestDc")],
    ["a wrong salt", server.faults.badServerSalt({ account: ann.phone })],
    ["a message that is too old (16)", server.faults.badMessage(16, { account: ann.phone })],
    ["an internal error", server.faults.failNext("help.getNearestDc", { code: 500, type: "RPC_CALL_FAIL" })],
    ["a flood of one second", server.faults.failNext("help.getNearestDc", { code: 420, type: "FLOOD_WAIT_1" })],
    ["results that are all compressed", server.faults.gzip("always")],
    ["messages without containers", server.faults.containers(false)]
  ]
  for (const [what, fault] of faults) {
    await check(`survives ${what}`, async () => {
      await judge.run(fault)
      equal((await client.invoke(new Api.help.GetNearestDc())).thisDc, server.dcId, "the answer")
    })
  }
  await judge.run(server.faults.gzip("auto"))
  await judge.run(server.faults.containers(true))

  await check("goes on from its session", async () => {
    const saved = session.save()
    await client.destroy()
    const again = await make(judge, { session: saved })
    await again.client.connect()
    equal((await again.client.getMe()).phone, ann.phone, "the phone number")
    await again.client.invoke(new Api.auth.LogOut())
    equal((await judge.run(server.devices(ann.phone))).length, 0, "logins")
    await again.client.destroy()
  })
  await check("logs in with a password", async () => {
    const account = await judge.account({ password: "correct horse", passwordHint: "a hint" })
    const { client: locked } = await make(judge)
    const wrong = await logIn(locked, account, "wrong").then(() => "let in", () => "refused")
    const [checked] = await judge.run(server.calls("auth.checkPassword"))
    equal([wrong, checked?.outcome], ["refused", "PASSWORD_HASH_INVALID"], "a wrong password")
    await logIn(locked, account, "correct horse")
    equal((await locked.getMe()).phone, account.phone, "the phone number")
    await locked.destroy()
  })
  await check("logs in as a bot", async () => {
    const account = await judge.account({ botToken: "78:gramjs" })
    const { client: bot } = await make(judge)
    await bot.start({ botAuthToken: "78:gramjs" })
    const me = await bot.getMe()
    equal([String(me.id), me.bot], [String(account.id), true], "the user")
    await bot.destroy()
  })
  await check("goes on after the server was stopped and started", async () => {
    const before = await Restart.make(judge)
    const account = await before.account()
    const other = await before.account()
    const { client: steady, texts: received } = await make(before)
    await logIn(steady, account)
    await steady.getMe()
    await before.stop()
    const after = await before.start()
    equal((await steady.getMe()).phone, account.phone, "the phone number")
    await judge.run(after.server.sendMessage(other.phone, account.phone, "after the start"))
    await received.find("the message", ({ text }) => text === "after the start")
    await steady.destroy()
  }, 30)
  await check("framing: abridged", () => works(judge, { connection: ConnectionTCPAbridged }))
  await check("framing: obfuscated abridged", () => works(judge, { connection: ConnectionTCPObfuscated }))
  await check("WebSocket", () => works(judge, { connection: ConnectionTCPObfuscated, webSocket: true }))
  const socks = await judge.open(Proxies.socks5())
  await check("SOCKS5 proxy", () => works(judge, { proxy: { ip: socks.host, port: socks.port, socksType: 5 } }))
  // it can no secrets but plain ones
  const proxy = await judge.open(Proxies.mtproto(judge.crypto, { server, domain: undefined }))
  await check(
    "MTProto proxy, plain secret",
    () => works(judge, { proxy: { ip: proxy.host, port: proxy.port, secret: Proxies.secrets[0]![1], MTProxy: true } })
  )
}

export const gramjs: Judgement = { name: "gramjs", server: { dcId: 2 }, run }
