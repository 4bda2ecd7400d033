/** mtcute 0.30.3, through every framing and proxy that it has. */
import { connectWs } from "@fuman/net"
import { IntermediatePacketCodec, ObfuscatedPacketCodec, PaddedIntermediatePacketCodec } from "@mtcute/core"
import {
  BaseTelegramClient,
  HttpProxyTcpTransport,
  MemoryStorage,
  MtProxyTcpTransport,
  SocksProxyTcpTransport,
  TcpTransport,
  TelegramClient,
  type TelegramTransport
} from "@mtcute/node"
import { addPublicKey, NodeCryptoProvider } from "@mtcute/node/utils.js"
import type { Account, Judge, Judgement } from "./Judge.ts"
import { equal, inbox, sameBytes, sample } from "./Judge.ts"
import * as Proxies from "./Proxies.ts"
import * as Restart from "./Restart.ts"

/** Connects nowhere but to this machine. */
class OnlyLoopback extends TcpTransport {
  override connect(dc: Parameters<TcpTransport["connect"]>[0]): ReturnType<TcpTransport["connect"]> {
    return dc.ipAddress === "127.0.0.1" ? super.connect(dc) : Promise.reject(new Error(`not ${dc.ipAddress}`))
  }
}

type Codec = ReturnType<TelegramTransport["packetCodec"]>

const framed = (codec: () => Codec): TelegramTransport => {
  const tcp = new OnlyLoopback()
  return { connect: (dc) => tcp.connect(dc), packetCodec: codec }
}

/** A WebSocket in place of TCP, as mtcute has it in browsers. */
const webSocket: TelegramTransport = {
  connect: ({ ipAddress, port }) => connectWs({ url: `ws://${ipAddress}:${port}/apiws`, protocols: ["binary"] }),
  packetCodec: () => new ObfuscatedPacketCodec(new IntermediatePacketCodec())
}

interface Opened {
  readonly client: TelegramClient
  readonly texts: ReturnType<typeof inbox<{ readonly text: string; readonly sender: number }>>
}

const make = async (
  judge: Judge,
  options: {
    readonly transport?: TelegramTransport
    readonly storage?: MemoryStorage
    readonly usePfs?: boolean
  } = {}
): Promise<Opened> => {
  const { server } = judge
  const crypto = new NodeCryptoProvider()
  await crypto.initialize()
  addPublicKey(crypto, server.publicKeyPem)
  const dc = { id: server.dcId, ipAddress: server.host, port: server.port }
  const client = new TelegramClient({
    client: new BaseTelegramClient({
      apiId: 1,
      apiHash: "hash",
      storage: options.storage ?? new MemoryStorage(),
      crypto,
      transport: options.transport ?? new OnlyLoopback(),
      defaultDcs: { main: dc, media: { ...dc, mediaOnly: true } },
      reconnectionStrategy: () => 50,
      network: { floodControl: false, ...(options.usePfs === true ? { usePfs: true } : {}) },
      logLevel: Number(process.env["MTCUTE_VERBOSITY"] ?? 0),
      updates: { catchUp: true }
    })
  })
  judge.atEnd(() => client.destroy())
  const texts = inbox<{ readonly text: string; readonly sender: number }>()
  client.onNewMessage.add((message) => texts.push({ text: message.text, sender: Number(message.sender.id) }))
  client.onError.add(() => {})
  return { client, texts }
}

const logIn = (client: TelegramClient, account: Account, password?: string) =>
  client.start({
    phone: account.phone,
    code: () => Promise.resolve(account.code),
    codeSentCallback: () => {},
    ...(password === undefined ? {} : { password })
  })

/** A client that is logged in, and has shown that calls and updates work. */
const works = async (judge: Judge, transport: TelegramTransport): Promise<void> => {
  const account = await judge.account()
  const { client, texts } = await make(judge, { transport })
  equal((await logIn(client, account)).id, Number(account.id), "the user")
  // it asks where it stands, and hears of what comes after that
  await judge.called(account, "updates.getDifference")
  const other = await judge.account()
  await judge.run(judge.server.sendMessage(other.phone, account.phone, "an update"))
  await texts.find("the update", ({ text }) => text === "an update")
  await client.destroy()
}

const run = async (judge: Judge): Promise<void> => {
  const { check, server } = judge
  const ann = await judge.account()
  const bob = await judge.account({ username: "mtcute_bob" })
  const storage = new MemoryStorage()
  const first = await make(judge, { storage })
  const { client, texts } = first

  await check("logs in by phone and code", async () => {
    equal((await logIn(client, ann)).id, Number(ann.id), "the user")
    await judge.called(ann, "updates.getDifference")
  })
  await check("calls", async () => {
    equal((await client.getMe()).phoneNumber, ann.phone, "the phone number")
    equal((await client.call({ _: "help.getNearestDc" })).thisDc, server.dcId, "the data centre")
    equal((await client.call({ _: "help.getConfig" })).thisDc, server.dcId, "the data centre")
  })
  await check("many calls at once", async () => {
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => client.call({ _: "help.getNearestDc" }))
    )
    equal(answers.length, 200, "answers")
  })
  await check("an unknown method is an error, and an error is typed", async () => {
    const error = await client.call({ _: "help.getSupport" }).catch((failure: unknown) => failure)
    equal((error as { readonly text?: string }).text, "METHOD_INVALID", "the error")
  })

  const second = await make(judge)
  await logIn(second.client, bob)
  await judge.called(bob, "updates.getDifference")
  await check("a message reaches another client", async () => {
    await client.sendText("mtcute_bob", "hello from mtcute")
    const { sender } = await second.texts.find("the message", ({ text }) => text === "hello from mtcute")
    equal(sender, Number(ann.id), "the sender")
  })
  await check("the answer to it comes back", async () => {
    const [dialog] = await second.client.call({
      _: "messages.getDialogs",
      offsetDate: 0,
      offsetId: 0,
      offsetPeer: { _: "inputPeerEmpty" },
      limit: 10,
      hash: 0 as never
    }).then((found) => "dialogs" in found ? found.dialogs : [])
    equal(dialog?._, "dialog", "the dialog")
    await second.client.sendText(Number(ann.id), "and back")
    await texts.find("the answer", ({ text }) => text === "and back")
    const history = await client.getHistory("mtcute_bob", { limit: 10 })
    equal(history.map(({ text }) => text), ["and back", "hello from mtcute"], "the history")
  })
  await check("reads, edits nothing, deletes", async () => {
    await client.readHistory("mtcute_bob")
    const [newest] = await client.getHistory("mtcute_bob", { limit: 1 })
    await client.deleteMessages([newest!])
    equal((await client.getHistory("mtcute_bob", { limit: 10 })).length, 1, "messages left")
  })

  for (const size of [10, 1_000_000, 12_000_000]) {
    await check(`a file of ${size} bytes goes up and down`, async () => {
      const bytes = sample(size, 3)
      await client.sendMedia("mtcute_bob", { type: "document", file: bytes, fileName: `${size}.bin` })
      const message = await second.client.getHistory(Number(ann.id), { limit: 1 })
      const media = message[0]?.media
      if (media?.type !== "document") throw new Error(`the message has ${media?.type}`)
      sameBytes(await second.client.downloadAsBuffer(media), bytes, "the file")
    }, 40)
  }

  await check("goes on after its connection broke", async () => {
    await judge.run(server.faults.dropConnections(ann.phone))
    equal((await client.getMe()).phoneNumber, ann.phone, "the phone number")
  })
  await check("gets what was sent while it was away", async () => {
    await judge.run(server.faults.dropConnections(ann.phone))
    await judge.run(server.sendMessage(bob.phone, ann.phone, "meanwhile"))
    await texts.find("the message", ({ text }) => text === "meanwhile")
  })
  for (const when of ["before", "after"] as const) {
    await check(`a connection that breaks ${when} a call was executed`, async () => {
      await judge.run(server.faults.disconnectOn("help.getNearestDc", when, { account: ann.phone }))
      equal((await client.call({ _: "help.getNearestDc" })).thisDc, server.dcId, "the answer")
    })
  }
  await check("a message is sent once, though its answer was lost", async () => {
    await judge.run(server.faults.disconnectOn("messages.sendMessage", "after", { account: ann.phone }))
    await client.sendText("mtcute_bob", "once")
    const sent = await judge.run(server.messages(bob.phone))
    equal(sent.filter(({ text }) => text === "once").length, 1, "copies")
  })
  const faults: ReadonlyArray<readonly [string, Parameters<Judge["run"]>[0]]> = [
    ["an answer that was kept back", server.faults.dropAnswer("help.getNearestDc")],
    ["an answer that comes twice", server.faults.duplicateAnswer("help.getNearestDc")],
    ["an answer that is only announced", server.faults.announceAnswer("help.getNearestDc")],
    ["a wrong salt", server.faults.badServerSalt({ account: ann.phone })],
    ["a message that is too old (16)", server.faults.badMessage(16, { account: ann.phone })],
    ["a message that is too new (17)", server.faults.badMessage(17, { account: ann.phone })],
    ["a wrong sequence number (32)", server.faults.badMessage(32, { account: ann.phone })],
    ["an internal error", server.faults.failNext("help.getNearestDc", { code: 500, type: "INTERNAL" })],
    ["a flood of one second", server.faults.failNext("help.getNearestDc", { code: 420, type: "FLOOD_WAIT_1" })],
    ["sessions that the server forgot", server.faults.forgetSessions(ann.phone)],
    ["results that are all compressed", server.faults.gzip("always")],
    ["messages without containers", server.faults.containers(false)]
  ]
  for (const [what, fault] of faults) {
    await check(`survives ${what}`, async () => {
      await judge.run(fault)
      equal((await client.call({ _: "help.getNearestDc" })).thisDc, server.dcId, "the answer")
    })
  }
  await judge.run(server.faults.gzip("auto"))
  await judge.run(server.faults.containers(true))
  await judge.run(server.faults.clear)

  await check("updates that were too many are fetched", async () => {
    await judge.run(server.faults.updatesTooLong(ann.phone))
    await judge.run(server.sendMessage(bob.phone, ann.phone, "after too many"))
    await texts.find("the message", ({ text }) => text === "after too many")
  })
  await check("goes on from its storage", async () => {
    await client.destroy()
    await judge.run(server.sendMessage(bob.phone, ann.phone, "while it was closed"))
    const again = await make(judge, { storage })
    equal((await again.client.start()).id, Number(ann.id), "the user")
    await again.texts.find("the message", ({ text }) => text === "while it was closed")
    await again.client.logOut()
    equal((await judge.run(server.devices(ann.phone))).length, 0, "logins")
  })

  await check("logs in with a password", async () => {
    const account = await judge.account({ password: "correct horse", passwordHint: "a hint" })
    const { client: locked } = await make(judge)
    const wrong = await logIn(locked, account, "wrong").then(() => "let in", () => "refused")
    const [checked] = await judge.run(server.calls("auth.checkPassword"))
    equal([wrong, checked?.outcome], ["refused", "PASSWORD_HASH_INVALID"], "a wrong password")
    equal((await logIn(locked, account, "correct horse")).id, Number(account.id), "the user")
    await locked.destroy()
  })
  await check("logs in as a bot", async () => {
    const account = await judge.account({ botToken: "77:mtcute" })
    const { client: bot } = await make(judge)
    const me = await bot.start({ botToken: "77:mtcute" })
    equal([me.id, me.isBot], [Number(account.id), true], "the user")
    await bot.destroy()
  })
  await check("is sent to the data centre of the account, and downloads from another", async () => {
    const account = await judge.account({ dc: 4 })
    const { client: far, texts: received } = await make(judge)
    equal((await logIn(far, account)).id, Number(account.id), "the user")
    await judge.called(account, "updates.getDifference")
    const bytes = sample(70_000, 9)
    await second.client.call({
      _: "contacts.importContacts",
      contacts: [{ _: "inputPhoneContact", clientId: 1 as never, phone: account.phone, firstName: "x", lastName: "" }]
    })
    await second.client.sendMedia(Number(account.id), { type: "document", file: bytes, fileName: "far.bin" })
    await received.find("the message", () => true)
    const [message] = await far.getHistory(Number(bob.id), { limit: 1 })
    if (message?.media?.type !== "document") throw new Error("no document")
    equal(message.media.dcId, server.dcId, "the file's data centre")
    sameBytes(await far.downloadAsBuffer(message.media), bytes, "the file")
    await far.destroy()
  }, 30)
  await check("uses temporary keys", async () => {
    const account = await judge.account()
    const { client: hidden } = await make(judge, { usePfs: true })
    equal((await logIn(hidden, account)).id, Number(account.id), "the user")
    await hidden.destroy()
  })

  await check("goes on after the server was stopped and started", async () => {
    const before = await Restart.make(judge)
    const account = await before.account()
    const other = await before.account()
    const { client: steady, texts: received } = await make(before)
    await logIn(steady, account)
    await before.called(account, "updates.getDifference")
    await before.stop()
    const after = await before.start()
    equal((await steady.call({ _: "help.getNearestDc" })).thisDc, after.server.dcId, "the data centre")
    await judge.run(after.server.sendMessage(other.phone, account.phone, "after the start"))
    await received.find("the message", ({ text }) => text === "after the start")
    equal(await judge.run(after.server.callCount("auth.signIn")), 0, "logins")
    await steady.destroy()
  }, 30)

  await check(
    "framing: obfuscated intermediate",
    () => works(judge, framed(() => new ObfuscatedPacketCodec(new IntermediatePacketCodec())))
  )
  await check("framing: padded intermediate", () => works(judge, framed(() => new PaddedIntermediatePacketCodec())))
  await check(
    "framing: obfuscated padded intermediate",
    () => works(judge, framed(() => new ObfuscatedPacketCodec(new PaddedIntermediatePacketCodec())))
  )
  await check("WebSocket", () => works(judge, webSocket))

  const socks = await judge.open(Proxies.socks5())
  await check("SOCKS5 proxy", () => works(judge, new SocksProxyTcpTransport({ host: socks.host, port: socks.port })))
  const socksWithLogin = await judge.open(Proxies.socks5({ username: "ann", password: "secret" }))
  await check("SOCKS5 proxy with a password", () =>
    works(
      judge,
      new SocksProxyTcpTransport({
        host: socksWithLogin.host,
        port: socksWithLogin.port,
        user: "ann",
        password: "secret"
      })
    ))
  const http = await judge.open(Proxies.http())
  await check("HTTP proxy", () => works(judge, new HttpProxyTcpTransport({ host: http.host, port: http.port })))
  const httpWithLogin = await judge.open(Proxies.http("ann:secret"))
  await check("HTTP proxy with a password", () =>
    works(
      judge,
      new HttpProxyTcpTransport({
        host: httpWithLogin.host,
        port: httpWithLogin.port,
        user: "ann",
        password: "secret"
      })
    ))
  for (const [what, secret, domain] of Proxies.secrets) {
    const proxy = await judge.open(Proxies.mtproto(judge.crypto, { server, domain }))
    await check(
      `MTProto proxy, ${what}`,
      () => works(judge, new MtProxyTcpTransport({ host: proxy.host, port: proxy.port, secret }))
    )
  }
}

export const mtcute: Judgement = { name: "mtcute", server: { dcId: 2, otherDcs: [4] }, run }
