/**
 * What a server can do that has no keys, with real frames of TDLib: it damages them, cuts them, sends them again, sends ours
 * back to us, and carries them into another chat. We drop all of that, and ask for what is missing.
 */
import * as Effect from "effect/Effect"
import { check, equal, scenario } from "../Checks.ts"
import * as OurChat from "../OurChat.ts"
import * as Table from "../Table.ts"
import * as TdChat from "../TdChat.ts"

const changed = (frame: Uint8Array, at: number, mask: number): Uint8Array => {
  const copy = frame.slice()
  copy[at < 0 ? copy.length + at : at]! ^= mask
  return copy
}

/** Damages that nobody can bring about by accident only. */
const damages: ReadonlyArray<readonly [name: string, damage: (frame: Uint8Array) => Uint8Array]> = [
  ["one bit of the first block", (frame) => changed(frame, 24, 1)],
  ["one bit of the last block", (frame) => changed(frame, -1, 0x80)],
  ["one bit of the message key", (frame) => changed(frame, 8, 1)],
  ["one bit of the fingerprint", (frame) => changed(frame, 0, 1)],
  ["a block cut off", (frame) => frame.slice(0, -16)],
  ["half a block cut off", (frame) => frame.slice(0, -8)],
  ["a block more", (frame) => new Uint8Array([...frame, ...new Uint8Array(16)])],
  ["two blocks that changed places", (frame) => {
    const copy = frame.slice()
    copy.set(frame.subarray(40, 56), 24)
    copy.set(frame.subarray(24, 40), 40)
    return copy
  }],
  ["nothing but the head", (frame) => frame.slice(0, 24)],
  ["nothing", () => new Uint8Array(0)],
  ["zeros", (frame) => new Uint8Array(frame.length)]
]

const play = (name: string, chat: Table.Pairing, other: Table.Pairing) =>
  Effect.gen(function*() {
    const { ours, td } = chat
    const { tamper } = ours.peer

    /** TDLib says something, and something else behind it; we must deliver both, once and in order. */
    const hears = Effect.fnUntraced(function*(word: string) {
      const since = ours.peer.events.mark()
      const words = [word, `behind: ${word}`]
      for (const text of words) yield* TdChat.sendText(td, text)
      yield* OurChat.receiveText(ours, words.at(-1)!)
      yield* equal(OurChat.texts(ours, since), words, "our texts")
    })

    for (const [damage, make] of damages) {
      yield* check(
        `forged, ${name}: ${damage}; the true frame comes behind it`,
        Effect.suspend(() => {
          tamper.replaceIncoming(ours.id, (frame) => [make(frame), frame])
          return hears(`before ${damage}`)
        })
      )
      yield* check(
        `forged, ${name}: ${damage}; the true frame never comes, and is asked for`,
        Effect.suspend(() => {
          tamper.replaceIncoming(ours.id, (frame) => [make(frame)])
          return hears(`in place of ${damage}`)
        })
      )
    }
    yield* check(
      `forged, ${name}: our own frames come back to us`,
      Effect.suspend(() => {
        tamper.replaceIncoming(ours.id, (frame) => [...tamper.frames(ours.id).outgoing.slice(-5), frame])
        return hears("after our own")
      })
    )
    yield* check(
      `forged, ${name}: everything that TDLib has said so far comes again`,
      Effect.suspend(() => {
        tamper.replaceIncoming(ours.id, (frame) => [...tamper.frames(ours.id).incoming.slice(0, -1), frame])
        return hears("after a repetition")
      })
    )
    yield* check(
      `forged, ${name}: frames of another chat with the same user`,
      Effect.gen(function*() {
        yield* TdChat.sendText(other.td, `for the other chat, ${name}`)
        yield* OurChat.receiveText(other.ours, `for the other chat, ${name}`)
        tamper.replaceIncoming(ours.id, (frame) => [...tamper.frames(other.ours.id).incoming, frame])
        yield* hears("after those of another chat")
      })
    )
    yield* check(
      `forged, ${name}: everything from before the key was changed`,
      Effect.gen(function*() {
        const { fingerprints } = tamper
        for (let n = 1; Math.min(...Object.values(fingerprints(ours.id)).map((keys) => keys.length)) < 2; n++) {
          yield* TdChat.sendText(td, `towards a new key ${n}`)
          yield* OurChat.receiveText(ours, `towards a new key ${n}`)
          yield* OurChat.sendText(ours, `towards a new key ${n}, back`)
        }
        const [first] = fingerprints(ours.id).incoming
        tamper.replaceIncoming(ours.id, (frame) => [
          ...tamper.frames(ours.id).incoming.filter((old) => Buffer.from(old.subarray(0, 8)).toString("hex") === first),
          frame
        ])
        yield* hears("after old ones")
      }),
      "30 seconds"
    )
    yield* check(
      `forged, ${name}: the chat lives on at both sides`,
      Effect.gen(function*() {
        yield* OurChat.sendText(ours, "after all of that")
        yield* TdChat.receiveText(td, "after all of that")
        yield* equal((yield* TdChat.current(td)).state._, "secretChatStateReady", "state at TDLib")
        yield* equal(yield* OurChat.stateOf(ours), "ready", "our state")
      })
    )
  })

/** Frames that somebody without the keys has had in his hands. */
export const forged = scenario(
  "forged",
  Effect.gen(function*() {
    const table = yield* Table.Table
    const first = yield* table.tdlibCreates()
    const second = yield* table.weCreate()
    yield* play("TDLib created", first, second)
    yield* play("we created", second, first)
  }).pipe(Effect.provide(Table.layer("forged")))
)
