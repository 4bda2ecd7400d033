// Secret chats in a real browser: a page in Chromium logs in to the test server over a WebSocket and talks with a native
// client in Node. The browser is Debian's, or the one that CHROMIUM names.
import * as Api from "@effect-mtproto/core/Api"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as SecretChats from "@effect-mtproto/secret-chats/SecretChats"
import * as SecretChatStore from "@effect-mtproto/secret-chats/SecretChatStore"
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import * as Login from "@effect-mtproto/transport/Login"
import * as MtprotoTransport from "@effect-mtproto/transport/MtprotoTransport"
import * as SessionStore from "@effect-mtproto/transport/SessionStore"
import { Transport } from "@effect-mtproto/transport/Transport"
import { Deferred, Effect, Layer, Redacted } from "effect"
import { existsSync } from "node:fs"
import { createServer } from "node:http"
import { chromium } from "playwright-core"
import { bundle } from "./bundle.ts"

const executablePath = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/google-chrome"].find((path) =>
  path !== undefined && existsSync(path)
)
if (executablePath === undefined) {
  console.error("no Chromium: install Debian's package `chromium`, or name one in CHROMIUM")
  process.exit(1)
}

const ANN = "15550001"
const BOB = "15550002"

const { code, warnings } = await bundle()
console.log(`bundle of transport and secret chats: ${Math.round(code.length / 1024)} KiB`)
for (const warning of warnings) console.error(warning)

const server = createServer((request, response) => {
  const script = request.url === "/entry.js"
  response.setHeader("content-type", script ? "text/javascript" : "text/html")
  response.end(script ? code : "<!doctype html><title>transport</title><script type=module src=/entry.js></script>")
})
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] })

/** Ann, in Node: waits until Bob is there, asks for a chat, says hello, and waits for the answer. */
const ann = Effect.gen(function*() {
  const account = yield* TestServer.TestServer
  yield* Login.phone({
    phone: Redacted.make(ANN),
    code: () => Effect.map(Effect.orDie(account.loginCode(ANN)), Redacted.make)
  })
  while ((yield* account.devices(BOB)).length === 0) yield* Effect.sleep("20 millis")
  const transport = yield* Transport
  const { users } = yield* transport.invoke(Api.contacts.resolvePhone({ phone: BOB }))
  const chats = yield* SecretChats.SecretChats
  const { chatId } = yield* chats.request(users[0])
  yield* chats.awaitReady(chatId)
  const answer = yield* Deferred.make()
  yield* Effect.forkScoped(
    Effect.ignore(
      chats.runEvents(({ event }) =>
        event._tag === "NewMessage" ? Deferred.succeed(answer, event.message.message) : Effect.void
      )
    )
  )
  yield* chats.sendText(chatId, "hello")
  return yield* Deferred.await(answer)
})

const program = Effect.gen(function*() {
  const account = yield* TestServer.TestServer
  // so that answers have to be inflated
  yield* account.faults.gzip("always")
  yield* account.createAccount({ phone: ANN, firstName: "Ann" })
  yield* account.createAccount({ phone: BOB, firstName: "Bob" })
  const bobs = {
    dcId: account.dcId,
    host: account.host,
    port: account.port,
    publicKeyPem: account.publicKeyPem,
    phone: BOB,
    code: yield* account.loginCode(BOB)
  }
  const bob = Effect.promise(async () => {
    const page = await browser.newPage()
    page.on("pageerror", (error) => console.error(error))
    await page.goto(`http://127.0.0.1:${server.address().port}/`)
    await page.waitForFunction(() => "run" in globalThis)
    return page.evaluate((options) => globalThis.run(options), bobs)
  })
  const layer = SecretChats.layer().pipe(
    Layer.provide(SecretChatStore.layerMemory),
    Layer.provideMerge(MtprotoTransport.layer({
      apiId: 1,
      apiHash: Redacted.make("hash"),
      datacenters: [{ id: account.dcId, host: account.host, port: account.port }],
      publicKeys: account.publicKeys
    })),
    Layer.provideMerge(Layer.merge(NodeCrypto.layer, SessionStore.layerMemory))
  )
  return yield* Effect.all([bob, ann.pipe(Effect.scoped, Effect.provide(layer))], { concurrency: 2 })
}).pipe(Effect.provide(TestServer.layer()), Effect.timeout("60 seconds"))

let failed = warnings.length
try {
  const [heard, answered] = await Effect.runPromise(program)
  console.log(`Chromium ${browser.version()}: the page heard "${heard}" and answered "${answered}"`)
  if (heard !== "hello" || answered !== "hello, from a browser") failed++
} catch (error) {
  console.error(error)
  failed++
} finally {
  await browser.close()
  server.close()
}
process.exit(failed === 0 ? 0 : 1)
