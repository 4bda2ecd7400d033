import * as SecretChatError from "@effect-mtproto/secret-chats/SecretChatError"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Logger, References, type Schema, Tracer } from "effect"
import { inspect } from "node:util"
import { eventually, messagesOf, pair, settle } from "./support/Peers.ts"

/** Every spelling in which bytes could appear in a text. */
const spellings = (bytes: Uint8Array): ReadonlyArray<string> => {
  const buffer = Buffer.from(bytes)
  return [
    buffer.toString("hex").slice(0, 24),
    buffer.toString("base64").slice(0, 16),
    buffer.toString("base64url").slice(0, 16),
    [...bytes.subarray(0, 8)].join(","),
    [...bytes.subarray(0, 8)].join(", ")
  ]
}

const base64 = /"([A-Za-z0-9+/]{300,}={0,2})"/g

describe("secrets", () => {
  it.live("keys and texts are in no log line, span, error or public value", () =>
    Effect.gen(function*() {
      const seen: Array<string> = []
      const note = (value: unknown) => {
        seen.push(String(value), inspect(value, { depth: 12, maxArrayLength: 1000, maxStringLength: 100_000 }))
        try {
          seen.push(JSON.stringify(value, (_, v) => typeof v === "bigint" ? String(v) : v) ?? "")
        } catch {
          // Some values cannot be written as JSON, then nothing of them can be read there.
        }
      }
      const logger = Logger.make(({ cause, fiber, message }) => {
        note(message)
        note(cause)
        note(fiber.getRef(References.CurrentLogAnnotations))
      })
      const tracer = Tracer.make({
        span: (options) => {
          const span = new Tracer.NativeSpan(options)
          note(options.name)
          const attribute = span.attribute.bind(span)
          span.attribute = (key: string, value: unknown) => {
            note(key)
            note(value)
            attribute(key, value)
          }
          return span
        }
      })
      const text = "the launch code is 8341-7719"

      const secrets = yield* Effect.gen(function*() {
        const { alice, bob, chatId, relay } = yield* pair()
        note(yield* alice.chats.sendText(chatId, text))
        yield* eventually(() => messagesOf(bob).length === 1)
        for (const type of ["DATA_INVALID", "MSG_WAIT_FAILED", "FLOOD_WAIT_5", "NEW_ERROR"]) {
          relay.fail("messages.sendEncrypted", ...Array.from({ length: 4 }, () => ({ code: 400, type })))
          note(yield* Effect.flip(alice.chats.sendText(chatId, text)))
          relay.fail("messages.sendEncrypted")
          yield* settle
        }
        note(yield* Effect.flip(alice.chats.send(chatId, { _tag: "decryptedMessage", message: text, ttl: 0.5 })))
        note(yield* alice.chats.list)
        note(yield* alice.chats.get(chatId))
        note(alice.chats)
        note(alice.store)
        // What the store holds is where the secrets are.
        const stored = yield* Effect.fromOption(yield* alice.store.load(chatId))
        const head = new TextDecoder().decode(stored.head)
        const keys = [...head.matchAll(base64)].map(([, key]) => new Uint8Array(Buffer.from(key!, "base64")))
        yield* bob.chats.discard(chatId)
        note(yield* Effect.flip(bob.chats.sendText(chatId, text)))
        return keys.filter((key) => key.length === 256)
      }).pipe(
        Effect.provide(Logger.layer([logger])),
        Effect.provideService(References.MinimumLogLevel, "All"),
        Effect.withTracer(tracer)
      )

      // The shared key, at least, and the prime, which is none.
      assert.isAtLeast(secrets.length, 1)
      const all = seen.join("\n")
      assert.isAbove(all.length, 1000)
      assert.notInclude(all, text)
      assert.notInclude(all, "8341")
      for (const key of secrets) {
        for (const spelling of spellings(key)) assert.notInclude(all, spelling)
      }
    }))

  it("no error class has room for content", () => {
    const allowed = new Set([
      "_tag",
      "code",
      "type",
      "seconds",
      "chatId",
      "state",
      "reason",
      "path",
      "problem",
      "operation",
      "description",
      "detail",
      "cause",
      "sent"
    ])
    for (const value of Object.values(SecretChatError)) {
      if (typeof value !== "function" || !("fields" in value)) continue
      const fields = Object.keys((value as unknown as { readonly fields: Schema.Struct.Fields }).fields)
      assert.deepStrictEqual(fields.filter((field) => !allowed.has(field)), [])
    }
  })
})
