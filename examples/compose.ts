/**
 * Secret chats inside a larger Effect application: alerts of a service go to the phone of whoever is on call, end-to-end
 * encrypted, and the answer "ack" comes back.
 *
 * The application has a service of its own, `Alerts`, built on `SecretChats`; the rest of it knows only `Alerts`. Delivery
 * is at least once and survives restarts, because what `SecretChats` has accepted is in the store.
 *
 * Run it with `node examples/compose.ts`: a server on this machine stands in for Telegram, a second client for the phone.
 */
import { SecretChats } from "@effect-mtproto/secret-chats"
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { Clock, Console, Context, Effect, Fiber, Layer, Queue, Schema } from "effect"
import * as Offline from "./demo/offline.ts"

// ----- the application

class AlertRejected extends Schema.TaggedError<AlertRejected>()("AlertRejected", { why: Schema.String }) {
  override get message(): string {
    return `Nobody gets this alert: ${this.why}`
  }
}

/** Tells the person on call, and waits for the answer. */
class Alerts extends Context.Service<Alerts, {
  readonly raise: (text: string) => Effect.Effect<{ readonly acknowledgedAfterMillis: number }, AlertRejected>
}>()("examples/Alerts") {
  static readonly layer = (chatId: number) =>
    Layer.effect(
      Alerts,
      Effect.gen(function*() {
        const chats = yield* SecretChats.SecretChats
        const answers = yield* Queue.unbounded<string>()
        yield* chats.runEvents((happening) =>
          happening.chatId === chatId && happening.event._tag === "NewMessage"
            ? Queue.offer(answers, happening.event.message.message)
            : Effect.void
        ).pipe(Effect.tapCause(Effect.logError), Effect.forkScoped)
        return Alerts.of({
          raise: Effect.fn("Alerts.raise")(function*(text) {
            const start = yield* Clock.currentTimeMillis
            yield* chats.sendText(chatId, text).pipe(
              // a flood wait is worth waiting for; everything else is somebody's decision
              Effect.catchTag("FloodWait", (wait) =>
                Effect.andThen(Effect.sleep(wait.seconds * 1000), chats.sendText(chatId, text))),
              Effect.mapError((error) =>
                new AlertRejected({ why: error.message })
              )
            )
            while ((yield* Queue.take(answers)) !== "ack") yield* Effect.logDebug("not an answer")
            return { acknowledgedAfterMillis: (yield* Clock.currentTimeMillis) - start }
          })
        })
      })
    )
}

/** What the rest of the application looks like. */
export const application = Effect.gen(function*() {
  const alerts = yield* Alerts
  const answered: Array<string> = []
  for (const text of ["disk 1 is 91 % full", "disk 1 is 97 % full"]) {
    yield* alerts.raise(text)
    answered.push(text)
  }
  return answered
})

// ----- its edge

/** The phone of the person on call. */
const phone = Effect.flatMap(
  SecretChats.SecretChats,
  (chats) =>
    chats.runEvents(({ chatId, event }) => event._tag === "NewMessage" ? chats.sendText(chatId, "ack") : Effect.void)
)

export const main = Effect.gen(function*() {
  const server = yield* Offline.server
  const account = Effect.fnUntraced(function*(number: string) {
    const services = yield* Layer.build(Layer.fresh(
      Layer.provideMerge(SecretChats.layer(), Offline.services(server, Offline.inMemory))
    ))
    yield* Effect.provideContext(Offline.logIn(server, number), services)
    return services
  })
  const ours = yield* account("+15550001")
  const theirs = yield* account("+15550002")
  const chatId = yield* Offline.openChat(ours, theirs)
  const listening = yield* Effect.forkChild(Effect.provideContext(phone, theirs))
  const answered = yield* application.pipe(
    Effect.provide(Alerts.layer(chatId)),
    Effect.provideContext(ours)
  )
  yield* Fiber.interrupt(listening)
  return answered
}).pipe(Effect.scoped)

if (import.meta.main) {
  NodeRuntime.runMain(Effect.flatMap(main, (answered) => Console.log("acknowledged:", answered)))
}
