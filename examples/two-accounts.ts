/**
 * The main job: two accounts come to a secret chat over real MTProto, and say everything that can be said in one.
 *
 * Run it with `npm start`. It needs no account and no internet: a Telegram server is started on a loopback port.
 */
import { Api, DecryptedMessage } from "@effect-mtproto/core"
import {
  type Outcome,
  type SecretChatError,
  SecretChats,
  sendEncrypted,
  sendEncryptedService,
  SendPolicy
} from "@effect-mtproto/secret-chats"
import { TestServer } from "@effect-mtproto/test-server"
import { Login, Transport } from "@effect-mtproto/transport"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Console, Context, Effect, Fiber, Redacted, Schema } from "effect"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Client from "./demo/client.ts"
import * as Journal from "./demo/journal.ts"

class Unexpected extends Schema.TaggedError<Unexpected>()("Unexpected", { what: Schema.String }) {
  override get message(): string {
    return this.what
  }
}

const check = (condition: boolean, what: string): Effect.Effect<void, Unexpected> =>
  condition ? Effect.void : Effect.fail(new Unexpected({ what }))

// ----- people

/** An account that can be switched off and on again, and what it has heard meanwhile. */
const makePerson = (
  server: TestServer.TestServer["Service"],
  person: { readonly name: string; readonly phone: string; readonly folder: string }
) => {
  const journal = Journal.make()
  let running: { readonly client: Client.Client; readonly listening: Fiber.Fiber<unknown, unknown> } | undefined

  const start = Effect.gen(function*() {
    const client = Client.open(server, join(person.folder, `${person.name}.db`))
    const context = yield* client.contextEffect
    const listening = yield* Effect.forkDetach(Effect.provideContext(Journal.keep(journal), context))
    running = { client, listening }
    return context
  })
  const stop = Effect.suspend(() => {
    if (running === undefined) return Effect.void
    const { client, listening } = running
    running = undefined
    return Effect.andThen(Fiber.interrupt(listening), client.disposeEffect)
  })
  const logIn = Login.phone({
    phone: Redacted.make(person.phone),
    code: () => Effect.map(server.loginCode(person.phone), Redacted.make)
  })
  return {
    ...person,
    journal,
    start: Effect.acquireRelease(start, () => stop),
    stop,
    logIn,
    hears: (matches: (happening: SecretChats.SecretChatEvent) => boolean) => Journal.until(journal, matches)
  }
}

// ----- what is sent

const asArray = (outcomes: SecretChats.Outcomes): ReadonlyArray<Outcome.Outcome> =>
  Array.isArray(outcomes) ? outcomes : [outcomes as Outcome.Outcome]

const sentence = "The quick brown fox jumps over the lazy dog, and 🦊 says hello. "
const longText = sentence.repeat(Math.ceil(10_000 / sentence.length)).slice(0, 10_000)
const entities: ReadonlyArray<DecryptedMessage.MessageEntity> = [
  { _tag: "messageEntityBold", offset: 0, length: 9 },
  { _tag: "messageEntityItalic", offset: 4_000, length: 200 },
  { _tag: "messageEntityCode", offset: 9_000, length: 900 }
]

/** The parts of a long message, put together again. */
const putTogether = (parts: ReadonlyArray<DecryptedMessage.DecryptedMessage>) => {
  let text = ""
  const covered: Record<string, number> = {}
  for (const part of parts) {
    text += part.message
    for (const entity of part.entities ?? []) covered[entity._tag] = (covered[entity._tag] ?? 0) + entity.length
  }
  return { text, covered }
}

const messageOf = (happening: SecretChats.SecretChatEvent): DecryptedMessage.DecryptedMessage | undefined =>
  happening.event._tag === "NewMessage" ? happening.event.message : undefined

// ----- the story

const story = Effect.gen(function*() {
  const say = Console.log
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "secret-chats-"))),
    (path) => Effect.sync(() => rmSync(path, { recursive: true, force: true }))
  )

  yield* say("A Telegram server, on this machine only")
  const server = yield* TestServer.make()
  yield* say(`  listening on ${server.host}:${server.port}`)
  yield* server.createAccount({ phone: "+15550001", firstName: "Ann" })
  yield* server.createAccount({ phone: "+15550002", firstName: "Bob" })
  const ann = makePerson(server, { name: "ann", phone: "+15550001", folder })
  const bob = makePerson(server, { name: "bob", phone: "+15550002", folder })

  yield* say("\nTwo clients log in, each with its own key and its own SQLite file")
  const annContext = yield* ann.start
  let bobContext = yield* bob.start
  for (const [person, context] of [[ann, annContext], [bob, bobContext]] as const) {
    const user = yield* Effect.provideContext(person.logIn, context)
    yield* say(`  ${user.firstName} is user ${user.id}`)
  }
  const annChats = Context.get(annContext, SecretChats.SecretChats)
  let bobChats = Context.get(bobContext, SecretChats.SecretChats)

  const openChat = Effect.gen(function*() {
    const transport = Context.get(annContext, Transport.Transport)
    const found = yield* transport.invoke(Api.contacts.resolvePhone({ phone: "15550002" }))
    const user = found.users.find((one) => one._tag === "user")
    if (user === undefined) return yield* new Unexpected({ what: "Bob's number leads to nobody" })
    const { chatId } = yield* annChats.request(user)
    yield* bob.hears((happening) => happening.chatId === chatId && happening.event._tag === "ChatRequested")
    yield* bobChats.accept(chatId)
    yield* annChats.awaitReady(chatId)
    return chatId
  })

  yield* say("\nAnn asks Bob for a secret chat; Bob's program asks Bob, and Bob accepts")
  const chatId = yield* openChat
  const pictures = [yield* annChats.keyPicture(chatId), yield* bobChats.keyPicture(chatId)] as const
  for (const [index, name] of ["Ann", "Bob"].entries()) {
    const picture = pictures[index]!
    yield* say(
      `  ${name}'s key picture:\n${process.stdout.isTTY ? picture.terminal : picture.letters}\n${picture.hex}\n`
    )
  }
  yield* check(pictures[0].hex === pictures[1].hex, "the key pictures differ")
  yield* say("  They are equal: nobody is between Ann and Bob")

  const outcomes: Array<Outcome.Outcome> = []
  const annSends = Effect.fnUntraced(function*(
    message: DecryptedMessage.AnyDraft,
    send: typeof sendEncryptedService
  ) {
    const result = asArray(yield* Effect.provideContext(send(chatId, message), annContext))
    outcomes.push(...result)
    return result
  })

  // ----- every service action

  yield* say("\nEvery service action, with sendEncryptedService")
  const [first] = yield* annSends(DecryptedMessage.message("Do you read me?"), sendEncrypted)
  const [second] = yield* annSends(DecryptedMessage.message("This one goes again"), sendEncrypted)
  const [bobs] = asArray(yield* bobChats.sendText(chatId, "Loud and clear"))
  yield* ann.hears((happening) => messageOf(happening)?.randomId === bobs!.randomId)
  const actions: ReadonlyArray<
    readonly [string, DecryptedMessage.ServiceDraft, SecretChats.SecretChatEvent["event"]["_tag"] | undefined]
  > = [
    ["SetMessageTTL", DecryptedMessage.setMessageTtl(3600), "TtlChanged"],
    ["ReadMessages", DecryptedMessage.readMessages([bobs!.randomId]), "ContentOpened"],
    ["DeleteMessages", DecryptedMessage.deleteMessages([second!.randomId]), "MessagesDeleted"],
    ["ScreenshotMessages", DecryptedMessage.screenshotMessages([first!.randomId]), "Screenshot"],
    ["FlushHistory", DecryptedMessage.flushHistory(), "HistoryFlushed"],
    ["Typing", DecryptedMessage.typing(), "Typing"],
    // These two mean nothing to a person; that Bob took them in shows in his next message.
    ["Noop", DecryptedMessage.noop(), undefined],
    ["NotifyLayer", DecryptedMessage.notifyLayer(), undefined]
  ]
  for (const [name, action, event] of actions) {
    const [outcome] = yield* annSends(action, sendEncryptedService)
    if (event !== undefined) {
      yield* bob.hears((happening) => happening.chatId === chatId && happening.event._tag === event)
    }
    yield* say(
      `  ${name.padEnd(18)} message ${String(outcome!.index).padStart(2)}` +
        (event === undefined ? "" : `, Bob sees ${event}`)
    )
  }
  yield* annSends(DecryptedMessage.setMessageTtl(0), sendEncryptedService)

  // ----- a long text

  yield* say(`\nA text of ${longText.length} characters with ${entities.length} entities, with sendEncrypted`)
  const parts = yield* annSends(DecryptedMessage.message(longText, { entities }), sendEncrypted)
  const ids = parts.map((part) => part.randomId)
  yield* bob.hears((happening) => messageOf(happening)?.randomId === ids.at(-1))
  const received = bob.journal.happenings.flatMap((happening) => {
    const message = messageOf(happening)
    return message !== undefined && ids.includes(message.randomId) ? [message] : []
  })
  const whole = putTogether(received)
  yield* check(whole.text === longText, "the text did not arrive as it was")
  for (const entity of entities) {
    yield* check(whole.covered[entity._tag] === entity.length, `${entity._tag} did not arrive as it was`)
  }
  yield* say(`  went as ${parts.length} messages; Bob put them together again: equal`)

  // ----- errors

  yield* say("\nThe documented errors, each caught by its tag")
  const provoke = (error: { readonly code: number; readonly type: string; readonly times?: number }, chat: number) =>
    Effect.andThen(
      server.faults.failNext("messages.sendEncryptedService", error),
      sendEncryptedService(chat, DecryptedMessage.noop()).pipe(
        Effect.provideService(SendPolicy.SendPolicy, { ...SendPolicy.SendPolicy.defaultValue(), retryDelay: 1 }),
        Effect.provideContext(annContext),
        Effect.andThen(() => new Unexpected({ what: `${error.type} was not reported` }))
      )
    )
  const caught = (error: SecretChatError.ServerError) =>
    say(`  ${error.type.padEnd(19)} -> ${error._tag}: ${error.message}`)
  yield* provoke({ code: 400, type: "DATA_INVALID" }, chatId).pipe(Effect.catchTag("DataInvalid", caught))
  yield* provoke({ code: 500, type: "MSG_WAIT_FAILED", times: 4 }, chatId).pipe(
    Effect.catchTag("MsgWaitFailed", caught)
  )
  yield* provoke({ code: 403, type: "USER_IS_BLOCKED" }, chatId).pipe(Effect.catchTag("UserIsBlocked", caught))

  // ----- a restart

  yield* say("\nBob's program stops; Ann goes on writing; Bob's program starts again from its file")
  yield* bob.stop
  for (const text of ["Are you there?", "I'll just go on.", "You will see this later."]) {
    yield* annSends(DecryptedMessage.message(text), sendEncrypted)
  }
  bobContext = yield* bob.start
  bobChats = Context.get(bobContext, SecretChats.SecretChats)
  yield* bob.hears((happening) => messageOf(happening)?.message === "You will see this later.")
  yield* say("  Bob has them all, and answers")
  yield* bobChats.sendText(chatId, "Here I am again")
  yield* ann.hears((happening) => messageOf(happening)?.message === "Here I am again")

  // ----- the account of it

  // A message has arrived if Bob's events show it, or his answer acknowledged it by its in_seq_no. (A message that was
  // deleted again is not reported as delivered, and a Noop gives no event.)
  yield* ann.hears((happening) =>
    happening.event._tag === "MessageDelivered" && happening.event.randomId === outcomes.at(-1)!.randomId
  )
  const seen = bob.journal.happenings.flatMap((happening) => {
    const message = messageOf(happening)
    return message === undefined ? [] : [message.randomId]
  })
  const arrivals = new Set(seen)
  for (const { event } of ann.journal.happenings) if (event._tag === "MessageDelivered") arrivals.add(event.randomId)
  const arrived = outcomes.filter((outcome) => arrivals.has(outcome.randomId)).length
  const doubled = seen.length - new Set(seen).size

  yield* say("\nThe last error ends a chat for good, so it has one of its own")
  const other = yield* openChat
  // What the software says by itself in a new chat goes first, and is not what should fail.
  yield* Effect.provideContext(sendEncryptedService(other, DecryptedMessage.noop()), annContext)
  yield* provoke({ code: 400, type: "ENCRYPTION_DECLINED" }, other).pipe(
    Effect.catchTag("EncryptionDeclined", caught)
  )
  yield* check((yield* annChats.get(other)).state === "closed", "a declined chat stayed open")

  yield* say("\nAnn discards the chat")
  yield* annChats.discard(chatId)
  const closed = yield* bob.hears((happening) => happening.chatId === chatId && happening.event._tag === "ChatClosed")
  yield* say(`  Bob sees ${closed.event._tag}`)

  const lost = outcomes.length - arrived
  yield* say(
    `\nsecret messages: ${outcomes.length} sent, ${arrived} received, ${lost} lost, ${doubled} duplicated`
  )
  yield* check(lost === 0 && doubled === 0, "messages were lost or duplicated")
}).pipe(
  Effect.scoped,
  Effect.timeout("60 seconds")
)

NodeRuntime.runMain(story)
