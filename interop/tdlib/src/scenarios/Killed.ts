/**
 * TDLib's process is killed, alone or together with ours: while a chat comes to be, in the middle of texts each way, and of
 * files.
 */
import * as FileSource from "@effect-mtproto/secret-chats/FileSource"
import * as Media from "@effect-mtproto/secret-chats/Media"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { randomBytes } from "node:crypto"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { check, equal, eventually, fail, scenario } from "../Checks.ts"
import * as OurChat from "../OurChat.ts"
import * as OurFiles from "../OurFiles.ts"
import * as OurProcess from "../OurProcess.ts"
import * as Table from "../Table.ts"
import * as TdChat from "../TdChat.ts"
import * as TdFiles from "../TdFiles.ts"
import * as TdProcess from "../TdProcess.ts"
import { World } from "../World.ts"

const numbered = (prefix: string, count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, i) => `${prefix} ${i}`)

/**
 * What every side has of a conversation in which TDLib was killed: nothing twice, nothing out of order, nothing lost that
 * TDLib has reported as sent. What it has shown shortly before it was killed may be missing in its history.
 */
const agree = Effect.fnUntraced(function*(options: {
  readonly heard: ReadonlyArray<string>
  readonly submitted: ReadonlyArray<string>
  readonly promised: ReadonlyArray<string>
  readonly shown: ReadonlyArray<string>
  readonly stored: ReadonlyArray<string>
  readonly spoken: ReadonlyArray<string>
}) {
  const { heard, promised, shown, spoken, stored, submitted } = options
  const mine = heard.filter((text) => submitted.includes(text))
  yield* equal(mine, submitted.filter((text) => mine.includes(text)), "texts of TDLib")
  yield* equal(promised.filter((text) => !heard.includes(text)), [], "lost at our side")
  for (const list of [[...new Set(shown)], stored]) {
    const found = list.filter((text) => spoken.includes(text))
    yield* equal(found, spoken.filter((text) => found.includes(text)), "order at TDLib")
  }
})

const handshakes = Effect.gen(function*() {
  const world = yield* World
  const { accounts, ours } = yield* Table.Table
  const account = yield* world.account("Hugo")
  const options = yield* world.tdlib("killed-handshake", account)

  yield* check(
    "killed: TDLib asks for a chat and is killed; we accept; started again, it has the chat",
    Effect.gen(function*() {
      const asked = yield* Effect.scoped(Effect.gen(function*() {
        const client = yield* TdProcess.start(options)
        const asked = yield* TdChat.request(client, accounts.ours.phone)
        const chat = yield* OurChat.requested(ours, asked.secretChatId)
        yield* client.kill
        yield* OurChat.accept(chat)
        yield* OurChat.ready(chat)
        yield* OurChat.sendText(chat, "said to nobody yet")
        return { td: asked, ours: chat }
      }))
      yield* Effect.scoped(Effect.gen(function*() {
        const td = { ...asked.td, client: yield* TdProcess.start(options) }
        yield* TdChat.receiveText(td, "said to nobody yet")
        yield* TdChat.sendText(td, "heard after all")
        yield* OurChat.receiveText(asked.ours, "heard after all")
      }))
    }),
    "30 seconds"
  )
  // killed before it has answered, TDLib forgets that it was asked
  yield* check(
    "killed: we ask TDLib, which is killed when it has answered",
    Effect.gen(function*() {
      const { chat, known } = yield* Effect.scoped(Effect.gen(function*() {
        const client = yield* TdProcess.start(options)
        const chat = yield* OurChat.request(ours, account.phone)
        const known = yield* TdChat.incoming(client, chat.id)
        yield* OurChat.ready(chat)
        yield* client.kill
        return { chat, known }
      }))
      yield* OurChat.sendText(chat, "behind the answer")
      yield* Effect.scoped(Effect.gen(function*() {
        const td = { ...known, client: yield* TdProcess.start(options) }
        yield* TdChat.receiveText(td, "behind the answer")
        yield* TdChat.sendText(td, "and back")
        yield* OurChat.receiveText(chat, "and back")
      }))
    }),
    "30 seconds"
  )
})

const burst = 24

/** Where in a burst somebody is killed. */
const moments = [0, 3, 9, 17, 23]

const talks = Effect.gen(function*() {
  const world = yield* World
  const { accounts, ours } = yield* Table.Table
  const account = yield* world.account("Kurt")
  const options = yield* world.tdlib("killed-talk", account)
  const { chat, known } = yield* check(
    "killed: a chat with a process of TDLib",
    Effect.scoped(Effect.gen(function*() {
      const client = yield* TdProcess.start(options)
      const known = yield* TdChat.request(client, accounts.ours.phone)
      const chat = yield* OurChat.requested(ours, known.secretChatId)
      yield* OurChat.accept(chat)
      yield* TdChat.ready(client, known.secretChatId)
      yield* TdChat.sendText({ ...known, client }, "first")
      yield* OurChat.receiveText(chat, "first")
      return { chat, known }
    }))
  )
  const submitted: Array<string> = []
  const spoken: Array<string> = []
  const opened: Array<TdChat.TdChat> = []
  for (const [round, moment] of moments.entries()) {
    yield* check(
      `killed: TDLib is killed when ${moment + 1} of ${burst} texts each way have come`,
      Effect.scoped(Effect.gen(function*() {
        const client = yield* TdProcess.start(options)
        const td = { ...known, client }
        opened.push(td)
        const there = numbered(`${round} there`, burst)
        const back = numbered(`${round} back`, burst)
        spoken.push(...there)
        submitted.push(...back)
        yield* Effect.all([
          Effect.forEach(there, (text) => OurChat.sendText(chat, text), { concurrency: "unbounded", discard: true }),
          // those that TDLib is told after its end are never answered
          Effect.forkScoped(Effect.forEach(back, (text) => TdChat.submit(td, TdChat.text(text)), { discard: true })),
          Effect.andThen(OurChat.receiveText(chat, back[moment]!), client.kill)
        ], { concurrency: "unbounded" })
      })),
      "20 seconds"
    )
  }
  yield* check(
    "killed: started once more, TDLib and we agree on everything",
    Effect.scoped(Effect.gen(function*() {
      const td = { ...known, client: yield* TdProcess.start(options) }
      yield* OurChat.sendText(chat, "last there")
      yield* TdChat.receiveText(td, "last there")
      yield* TdChat.sendText(td, "last back")
      yield* OurChat.receiveText(chat, "last back")
      yield* agree({
        heard: OurChat.texts(chat),
        submitted,
        promised: opened.flatMap(TdChat.sentTexts),
        shown: [...opened, td].flatMap((one) => TdChat.texts(one)),
        stored: yield* TdChat.history(td),
        spoken
      })
      yield* eventually(OurChat.acknowledged(chat))
    })),
    "20 seconds"
  )
})

const both = Effect.gen(function*() {
  const world = yield* World
  const account = yield* world.account("Bert")
  const own = yield* world.account("Berta")
  const options = yield* world.tdlib("killed-both", account)
  const mine = world.ours("killed-both-ours", own)
  const heard: Array<string> = []
  const submitted: Array<string> = []
  const spoken: Array<string> = []
  const opened: Array<TdChat.TdChat> = []
  const known = yield* check(
    "killed: a chat between two processes",
    Effect.scoped(Effect.gen(function*() {
      const process = yield* OurProcess.start(mine)
      const client = yield* TdProcess.start(options)
      const known = yield* TdChat.request(client, own.phone)
      yield* process.accept(known.secretChatId)
      yield* TdChat.ready(client, known.secretChatId)
      yield* process.send(known.secretChatId, "first")
      yield* TdChat.receiveText({ ...known, client }, "first")
      return known
    })),
    "30 seconds"
  )
  const id = known.secretChatId
  for (const [round, moment] of [1, 12].entries()) {
    yield* check(
      `killed: both are killed when ${moment + 1} of ${burst} texts have come`,
      Effect.scoped(Effect.gen(function*() {
        const [process, client] = yield* Effect.all([OurProcess.start(mine), TdProcess.start(options)], {
          concurrency: 2
        })
        const td = { ...known, client }
        opened.push(td)
        const there = numbered(`${round} there`, burst)
        const back = numbered(`${round} back`, burst)
        submitted.push(...back)
        yield* process.sendAll(id, there)
        yield* Effect.forkScoped(
          Effect.forEach(back, (text) => TdChat.submit(td, TdChat.text(text)), { discard: true })
        )
        yield* process.waitForText(id, back[moment]!)
        yield* Effect.all([process.kill, client.kill], { concurrency: 2 })
        heard.push(...process.delivered(id))
        spoken.push(...process.acknowledged())
      })),
      "30 seconds"
    )
  }
  yield* check(
    "killed: both started once more, they agree on everything",
    Effect.scoped(Effect.gen(function*() {
      const [process, client] = yield* Effect.all([OurProcess.start(mine), TdProcess.start(options)], {
        concurrency: 2
      })
      const td = { ...known, client }
      yield* process.send(id, "last there")
      yield* TdChat.receiveText(td, "last there")
      yield* TdChat.sendText(td, "last back")
      yield* process.waitForText(id, "last back")
      yield* agree({
        // events come at least once
        heard: [...new Set([...heard, ...process.delivered(id)])],
        submitted,
        promised: opened.flatMap(TdChat.sentTexts),
        shown: [...opened, td].flatMap((one) => TdChat.texts(one)),
        stored: yield* TdChat.history(td),
        spoken
      })
    })),
    "30 seconds"
  )
})

const files = Effect.gen(function*() {
  const world = yield* World
  const { accounts, ours } = yield* Table.Table
  const account = yield* world.account("Fred")
  const options = yield* world.tdlib("killed-files", account)
  const content = randomBytes(6 * 1024 * 1024 + 1)
  const path = join(world.directory, "killed.bin")
  yield* Effect.promise(() => writeFile(path, content))
  const { chat, known } = yield* check(
    "killed: TDLib is killed while it uploads, and sends the file when it is started again",
    Effect.gen(function*() {
      const since = ours.events.mark()
      const pair = yield* Effect.scoped(Effect.gen(function*() {
        const client = yield* TdProcess.start(options)
        const known = yield* TdChat.request(client, accounts.ours.phone)
        const chat = yield* OurChat.requested(ours, known.secretChatId)
        yield* OurChat.accept(chat)
        yield* TdChat.ready(client, known.secretChatId)
        yield* TdChat.submit({ ...known, client }, TdFiles.document.input(path, "an upload"))
        yield* eventually(Effect.suspend(() => world.uploads(account).length > 2 ? Effect.void : fail("no parts")))
        yield* client.kill
        return { chat, known }
      }))
      yield* Effect.scoped(Effect.gen(function*() {
        yield* TdProcess.start(options)
        const received = yield* OurFiles.receive(pair.chat, { since })
        yield* OurFiles.sameBytes(yield* OurFiles.download(pair.chat, received), content)
      }))
      return pair
    }),
    "40 seconds"
  )
  yield* check(
    "killed: TDLib is killed while it downloads; started again, it has this file, unless it lost the message, and the next",
    Effect.gen(function*() {
      const message = yield* Effect.scoped(Effect.gen(function*() {
        const client = yield* TdProcess.start(options)
        yield* OurFiles.send(
          chat,
          Media.document({ caption: "a download", fileName: "content.bin" }),
          FileSource.fromBytes(content)
        )
        const message = yield* TdChat.receive(
          { ...known, client },
          "document",
          (message) => message.content._ === "messageDocument" ? message : undefined
        )
        const file = TdFiles.document.file(message.content)!
        yield* client.invoke({
          _: "downloadFile",
          file_id: file.id,
          priority: 1,
          offset: 0,
          limit: 0,
          synchronous: false
        })
        yield* client.updates.waitFor(
          "a part",
          (update) =>
            update._ === "updateFile" && update.file.id === file.id && update.file.local.downloaded_size > 0
              ? true
              : undefined
        )
        yield* client.kill
        return message
      }))
      yield* Effect.scoped(Effect.gen(function*() {
        const td = { ...known, client: yield* TdProcess.start(options) }
        const again = yield* Effect.result(
          td.client.invoke({ _: "getMessage", chat_id: known.chatId, message_id: message.id })
        )
        if (Result.isSuccess(again)) {
          const file = TdFiles.document.file(again.success.content)!
          yield* OurFiles.sameBytes(yield* TdFiles.download(td.client, file), content)
        }
        yield* OurFiles.send(
          chat,
          Media.document({ caption: "the next", fileName: "next.bin" }),
          FileSource.fromBytes(content.subarray(0, 70_000))
        )
        const next = yield* TdChat.receive(
          td,
          "the next document",
          ({ content }) =>
            TdFiles.document.caption(content)?.text === "the next" ? TdFiles.document.file(content) : undefined
        )
        yield* OurFiles.sameBytes(yield* TdFiles.download(td.client, next), content.subarray(0, 70_000))
      }))
    }),
    "40 seconds"
  )
})

/** TDLib in a process that dies. */
export const killed = scenario(
  "killed",
  Effect.all([handshakes, talks, both, files], { discard: true }).pipe(
    Effect.scoped,
    Effect.provide(Table.layer("killed"))
  )
)
