/**
 * tg-secret 0.1.3 on Telethon: secret chats of another author, with our library at the other end, and with itself.
 */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as OurChat from "../../tdlib/src/OurChat.ts"
import * as Peer from "../../tdlib/src/Peer.ts"
import type { Account, Judge, Judgement } from "./Judge.ts"
import { equal } from "./Judge.ts"
import * as Telethon from "./Telethon.ts"

const run = async (judge: Judge): Promise<void> => {
  const { check, server } = judge
  const folder = await mkdtemp(join(tmpdir(), "interop-tg-secret-"))
  judge.atEnd(() => rm(folder, { recursive: true, force: true }))
  const python = Telethon.start(judge, "drive_secret.py")
  const { call, texts } = python
  await call("setup", { key: server.publicKeyPem, host: server.host, port: server.port, dc: server.dcId })

  const theirs = async (client: string, account: Account): Promise<void> => {
    await call("open_client", { client })
    await Telethon.logIn(python, client, account)
    await call("secret_open", { client })
  }
  const heard = (client: string, text: string) =>
    texts.find(`"${text}"`, (event) => event.client === client && event.text === text)
  const ready = async (client: string, id: number) => heard(client, `ready ${id}`)

  const ann = await judge.account({ username: "tgs_ann" })
  const bob = await judge.account({ username: "tgs_bob" })
  const zoe = await judge.account({ username: "tgs_zoe" })
  await theirs("ann", ann)
  await theirs("bob", bob)
  const ours = await judge.open(Peer.make({
    name: "zoe",
    phone: zoe.phone,
    code: zoe.code,
    database: join(folder, "zoe.db"),
    server: { host: "127.0.0.1", port: server.port, dc: server.dcId, key: server.publicKeyPem }
  }))

  await check("a secret chat of its own over our server", async () => {
    const id = await call("secret_request", { client: "ann", peer: "tgs_bob" }) as number
    await Promise.all([ready("ann", id), ready("bob", id)])
    for (let i = 0; i < 5; i++) {
      await call("secret_send", { client: "ann", chat: id, text: `there ${i}` })
      await heard("bob", `there ${i}`)
      await call("secret_send", { client: "bob", chat: id, text: `back ${i}` })
      await heard("ann", `back ${i}`)
    }
  }, 40)
  await check("it asks, our library accepts", async () => {
    const id = await call("secret_request", { client: "ann", peer: "tgs_zoe" }) as number
    const chat = await judge.run(OurChat.requested(ours, id))
    await judge.run(OurChat.accept(chat))
    await ready("ann", id)
    await call("secret_send", { client: "ann", chat: id, text: "from tg-secret" })
    await judge.run(OurChat.receiveText(chat, "from tg-secret"))
    await judge.run(OurChat.sendText(chat, "to tg-secret"))
    await heard("ann", "to tg-secret")
  }, 40)
  const chat = await check("our library asks, it accepts", async () => {
    const made = await judge.run(OurChat.request(ours, bob.phone))
    await judge.run(OurChat.ready(made))
    await judge.run(OurChat.sendText(made, "first from us"))
    await heard("bob", "first from us")
    await call("secret_send", { client: "bob", chat: made.id, text: "first from it" })
    await judge.run(OurChat.receiveText(made, "first from it"))
    return made
  }, 40)
  await check("many messages both ways, in order", async () => {
    for (let i = 0; i < 30; i++) {
      await judge.run(OurChat.sendText(chat, `ours ${i}`))
      await call("secret_send", { client: "bob", chat: chat.id, text: `its ${i}` })
      await heard("bob", `ours ${i}`)
      await judge.run(OurChat.receiveText(chat, `its ${i}`))
    }
  }, 40)
  const exchange = async (text: string): Promise<void> => {
    await judge.run(OurChat.sendText(chat, `ours ${text}`))
    await heard("bob", `ours ${text}`)
    await call("secret_send", { client: "bob", chat: chat.id, text: `its ${text}` })
    await judge.run(OurChat.receiveText(chat, `its ${text}`))
  }
  await check("it begins an exchange of keys", async () => {
    const before = await judge.run(OurChat.keyHash(chat))
    await call("secret_rekey", { client: "bob", chat: chat.id })
    await judge.run(OurChat.report(chat, "Rekeyed"))
    for (let i = 0; i < 3; i++) await exchange(`after its exchange ${i}`)
    // the picture stays: it is that of the first key
    equal(
      Buffer.from(await judge.run(OurChat.keyHash(chat))).toString("hex"),
      Buffer.from(before).toString("hex"),
      "the picture"
    )
  }, 40)
  await check("our library begins one, after a hundred messages", async () => {
    const since = ours.events.mark()
    for (let i = 0; i < 100; i++) await judge.run(OurChat.sendText(chat, `of a hundred ${i}`))
    await heard("bob", "of a hundred 99")
    await judge.run(OurChat.report(chat, "Rekeyed", undefined, { since }))
    for (let i = 0; i < 3; i++) await exchange(`after our exchange ${i}`)
  }, 40)
  await check("it misses a message, asks for it, and our library sends it again", async () => {
    await judge.run(server.faults.dropUpdates(bob.phone))
    await judge.run(OurChat.sendText(chat, "lost on the way"))
    await judge.run(OurChat.sendText(chat, "and the next"))
    await heard("bob", "lost on the way")
    await heard("bob", "and the next")
    await exchange("after the gap")
  }, 40)
  await check("the chat ends when it says so", async () => {
    await call("secret_discard", { client: "bob", chat: chat.id })
    await judge.run(OurChat.closed(chat))
  })
}

export const tgSecret: Judgement = { name: "tgsecret", server: { dcId: 2 }, run }
