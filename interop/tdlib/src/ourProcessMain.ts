/**
 * Our side as a process: started by `OurProcess`, told what to do and reporting over the channel to its parent.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as OurChat from "./OurChat.ts"
import * as Peer from "./Peer.ts"

/** What the parent may say; `start` comes first, and once. */
export type Command =
  | { readonly tag: "start"; readonly options: Peer.Options }
  | { readonly tag: "accept"; readonly chatId: number }
  | { readonly tag: "send"; readonly chatId: number; readonly texts: ReadonlyArray<string> }

/** What the parent is told. */
export type Report =
  | { readonly tag: "started" }
  | { readonly tag: "ready"; readonly chatId: number }
  | { readonly tag: "sent"; readonly chatId: number; readonly text: string }
  | { readonly tag: "text"; readonly chatId: number; readonly text: string }
  | { readonly tag: "failed"; readonly message: string }

/** Ends when the report is in the channel, from where the parent gets it even if we die. */
const tell = (report: Report): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    process.send!(report, () => resume(Effect.void))
  })

const commands: Array<Command> = []
let wake: (() => void) | undefined
process.on("message", (command) => {
  commands.push(command as Command)
  wake?.()
})
process.on("disconnect", () => process.exit(0))

const next: Effect.Effect<Command> = Effect.callback<Command>((resume) => {
  const take = () => {
    const command = commands.shift()
    if (command === undefined) return
    wake = undefined
    resume(Effect.succeed(command))
  }
  wake = take
  take()
})

const obey = (peer: Peer.Peer, command: Command) => {
  switch (command.tag) {
    case "start":
      return Effect.void
    case "accept":
      return Effect.gen(function*() {
        const chat = yield* OurChat.requested(peer, command.chatId)
        yield* OurChat.accept(chat)
        yield* tell({ tag: "ready", chatId: chat.id })
      })
    case "send":
      return Effect.forEach(command.texts, (text) =>
        Effect.andThen(
          OurChat.sendText(OurChat.known(peer, command.chatId), text),
          tell({ tag: "sent", chatId: command.chatId, text })
        ))
  }
}

const program = Effect.gen(function*() {
  const first = yield* next
  if (first.tag !== "start") return yield* Effect.die(new Error("told to do something before the start"))
  const peer = yield* Peer.make(
    first.options,
    ({ chatId, event }) =>
      event._tag === "NewMessage" ? tell({ tag: "text", chatId, text: event.message.message }) : Effect.void
  )
  yield* tell({ tag: "started" })
  while (true) {
    const command = yield* next
    yield* Effect.forkScoped(Effect.tapCause(
      obey(peer, command),
      (cause) => tell({ tag: "failed", message: Cause.pretty(cause) })
    ))
  }
}).pipe(
  Effect.scoped,
  Effect.tapCause((cause) => tell({ tag: "failed", message: Cause.pretty(cause) }))
)

void Effect.runPromiseExit(program).then(() => process.exit(1))
