/**
 * The same as `peer.ts` with the real TDLib, of `interop/tdlib`. It is loaded only in a network that is loopback only.
 */
import * as Tdlib from "../lib/Tdlib.ts"
import type { Command, Setup, Timing } from "./peer.ts"

const { account, address, database } = JSON.parse(process.argv[2]!) as Setup
const client = await Tdlib.create(address, database)

let received = 0
let wanted: { readonly count: number; readonly done: () => void } | undefined
/** Who waits for a message; ids of messages are those of one chat, so both name it. */
const sent = new Map<string, () => void>()
/** Successes that came before the answer to `sendMessage`. */
const early = new Set<string>()
const ready = new Map<number, () => void>()
const isReady = new Set<number>()

client.on("update", (update: any) => {
  switch (update._) {
    case "updateNewMessage":
      if (update.message.is_outgoing || update.message.content._ !== "messageText") return
      received++
      if (wanted !== undefined && received >= wanted.count) wanted.done()
      return
    case "updateMessageSendSucceeded": {
      const message = `${update.message.chat_id} ${update.old_message_id}`
      const done = sent.get(message)
      if (done === undefined) early.add(message)
      else {
        sent.delete(message)
        done()
      }
      return
    }
    case "updateMessageSendFailed":
      process.stderr.write(`TDLib could not send: ${update.error.code} ${update.error.message}\n`)
      process.exit(1)
    case "updateSecretChat":
      if (update.secret_chat.state._ !== "secretChatStateReady") return
      isReady.add(update.secret_chat.id)
      ready.get(update.secret_chat.id)?.()
  }
})

await Tdlib.login(client, account)

const timed = async (run: () => Promise<unknown>): Promise<Timing> => {
  const before = process.cpuUsage()
  const start = performance.now()
  await run()
  const { system, user } = process.cpuUsage(before)
  return { wall: performance.now() - start, cpu: (system + user) / 1e3 }
}

const sendOne = async (chatId: number, text: string): Promise<void> => {
  const { id } = await client.invoke({
    _: "sendMessage",
    chat_id: chatId,
    input_message_content: { _: "inputMessageText", text: { _: "formattedText", text } }
  })
  const message = `${chatId} ${id}`
  if (early.delete(message)) return
  await new Promise<void>((resolve) => sent.set(message, resolve))
}

const open = async (phone: string): Promise<number> => {
  const user = await client.invoke({ _: "searchUserByPhoneNumber", phone_number: phone, only_local: false })
  const chat = await client.invoke({ _: "createNewSecretChat", user_id: user.id })
  const id = chat.type.secret_chat_id
  if (!isReady.has(id)) await new Promise<void>((resolve) => ready.set(id, resolve))
  return chat.id
}

const obey = async (command: Command): Promise<unknown> => {
  switch (command._tag) {
    case "Open": {
      return Promise.all(Array.from({ length: command.count }, () => open(command.phone)))
    }
    case "Send": {
      const { chats, count, inFlight } = command
      let n = 0
      const lane = async () => {
        while (n < count) await sendOne(chats[n % chats.length]!, `message number ${n++} of a benchmark`)
      }
      return timed(() => Promise.all(Array.from({ length: inFlight }, lane)))
    }
    case "Receive":
      return timed(() =>
        new Promise<void>((resolve) => {
          const done = () => {
            received -= command.count
            wanted = undefined
            resolve()
          }
          if (received >= command.count) done()
          else wanted = { count: command.count, done }
        })
      )
    case "Memory":
    case "List":
      throw new Error("of ours only")
  }
}

process.on("message", (command: Command) => {
  obey(command).then((answer) => process.send!(answer), (error) => {
    process.stderr.write(`${String(error)}\n`)
    process.exit(1)
  })
})
process.on("disconnect", () => {
  void client.close().then(() => process.exit(0))
})
process.send!("ready")
