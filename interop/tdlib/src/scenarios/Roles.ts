/**
 * How a chat comes to be: both roles, the pictures of the key, refusal.
 */
import * as Effect from "effect/Effect"
import { check, ensure, equal, scenario } from "../Checks.ts"
import * as OurChat from "../OurChat.ts"
import * as Table from "../Table.ts"
import * as TdChat from "../TdChat.ts"

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64")

const tdlibCreates = Effect.gen(function*() {
  const { accounts, ours, tdlib } = yield* Table.Table
  const name = "TDLib creates"
  const td = yield* check(`${name}: TDLib asks us for a chat`, TdChat.request(tdlib, accounts.ours.phone))
  const asked = yield* check(
    `${name}: we are told who asks`,
    Effect.tap(
      OurChat.requested(ours, td.secretChatId),
      (request) => equal(request.userId, BigInt(tdlib.userId), "asking user")
    )
  )
  yield* check(
    `${name}: nothing is accepted behind our back`,
    Effect.gen(function*() {
      yield* equal(yield* OurChat.stateOf(asked), "requested", "our state")
      const theirs = yield* TdChat.current(td)
      yield* equal(theirs.state._, "secretChatStatePending", "state at TDLib")
    })
  )
  yield* check(`${name}: we accept`, OurChat.accept(asked))
  yield* check(`${name}: ready at our side`, OurChat.ready(asked))
  const theirs = yield* check(`${name}: ready at TDLib`, TdChat.ready(tdlib, td.secretChatId))
  yield* check(
    `${name}: both show the same 36 bytes of the key`,
    Effect.flatMap(OurChat.keyHash(asked), (hash) => equal(base64(hash), theirs.key_hash, "key_hash"))
  )
  yield* check(
    `${name}: our first message reaches TDLib`,
    Effect.andThen(OurChat.sendText(asked, "hello, creator"), TdChat.receiveText(td, "hello, creator"))
  )
  yield* check(
    `${name}: TDLib's first message reaches us`,
    Effect.andThen(TdChat.sendText(td, "hello, acceptor"), OurChat.receiveText(asked, "hello, acceptor"))
  )
  yield* check(
    `${name}: layer 144 is agreed on`,
    Effect.gen(function*() {
      yield* equal((yield* TdChat.current(td)).layer, 144, "layer at TDLib")
      yield* equal(yield* OurChat.layerOf(asked), 144, "our layer")
    })
  )
})

const weCreate = Effect.gen(function*() {
  const { accounts, ours, tdlib } = yield* Table.Table
  const name = "we create"
  const chat = yield* check(`${name}: we ask TDLib for a chat`, OurChat.request(ours, accounts.tdlib.phone))
  yield* check(
    `${name}: ours waits`,
    // the event, for TDLib may have answered by now
    OurChat.report(chat, "ChatWaiting")
  )
  const td = yield* check(`${name}: TDLib is told`, TdChat.incoming(tdlib, chat.id))
  const theirs = yield* check(`${name}: TDLib accepts`, TdChat.ready(tdlib, chat.id))
  yield* check(`${name}: ready at our side`, OurChat.ready(chat))
  yield* check(
    `${name}: both show the same 36 bytes of the key`,
    Effect.flatMap(OurChat.keyHash(chat), (hash) => equal(base64(hash), theirs.key_hash, "key_hash"))
  )
  yield* check(
    `${name}: TDLib's first message reaches us`,
    Effect.andThen(TdChat.sendText(td, "hello, creator"), OurChat.receiveText(chat, "hello, creator"))
  )
  yield* check(
    `${name}: our first message reaches TDLib`,
    Effect.andThen(OurChat.sendText(chat, "hello, acceptor"), TdChat.receiveText(td, "hello, acceptor"))
  )
  yield* check(
    `${name}: layer 144 is agreed on`,
    Effect.gen(function*() {
      yield* equal((yield* TdChat.current(td)).layer, 144, "layer at TDLib")
      yield* equal(yield* OurChat.layerOf(chat), 144, "our layer")
    })
  )
  yield* check(
    `${name}: two chats with the same user have different keys`,
    Effect.gen(function*() {
      const second = yield* TdChat.request(tdlib, accounts.ours.phone)
      const ourSecond = yield* OurChat.requested(ours, second.secretChatId)
      yield* OurChat.accept(ourSecond)
      const state = yield* TdChat.ready(tdlib, second.secretChatId)
      yield* ensure(state.key_hash !== theirs.key_hash, "the key is the same")
      yield* ensure(second.secretChatId !== chat.id, "the id is the same")
    })
  )
})

const weDecline = Effect.gen(function*() {
  const { accounts, ours, tdlib } = yield* Table.Table
  yield* check(
    "decline: a request that we decline is closed at TDLib",
    Effect.gen(function*() {
      const td = yield* TdChat.request(tdlib, accounts.ours.phone)
      const asked = yield* OurChat.requested(ours, td.secretChatId)
      yield* OurChat.decline(asked)
      yield* TdChat.closed(td)
      yield* OurChat.closed(asked)
    })
  )
  yield* check(
    "decline: a request that TDLib takes back is closed at our side",
    Effect.gen(function*() {
      const td = yield* TdChat.request(tdlib, accounts.ours.phone)
      const asked = yield* OurChat.requested(ours, td.secretChatId)
      yield* tdlib.invoke({ _: "closeSecretChat", secret_chat_id: td.secretChatId })
      yield* OurChat.closed(asked)
    })
  )
})

/** Requests, accepts, refusals. */
export const roles = scenario(
  "roles",
  Effect.gen(function*() {
    yield* tdlibCreates
    yield* weCreate
    yield* weDecline
  }).pipe(Effect.provide(Table.layer("roles")))
)
