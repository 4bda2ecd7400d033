/** A Telegram server of one's own with two people in a secret chat, for a first look. */
import * as TestServer from "@effect-mtproto/test-server/TestServer"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

class DemoError extends Schema.TaggedError<DemoError>()("DemoError", { step: Schema.String }) {
  override get message(): string {
    return `The demonstration could not be set up (${this.step})`
  }
}

const botToken = `7000:${"EffectMtprotoDemonstrationBotToken_".slice(0, 35)}`

export const server = Effect.gen(function*() {
  const made = yield* TestServer.make()
  yield* made.createAccount({ phone: "+15550001", firstName: "Ann", username: "ann_example" })
  yield* made.createAccount({ phone: "+15550002", firstName: "Bob", username: "bob_example" })
  yield* made.createAccount({ phone: "+15550003", firstName: "Cay", username: "cay_example", code: "12345" })
  yield* made.createAccount({ phone: "+15557000", firstName: "Robot", botToken })
  return made
})

const call = (
  base: string,
  headers: Record<string, string>,
  path: string,
  params: Record<string, string>
): Effect.Effect<any, DemoError> =>
  Effect.tryPromise({
    try: async (signal) => {
      const response = await fetch(base + path, { method: "POST", headers, body: new URLSearchParams(params), signal })
      const body = await response.json() as { readonly ok: boolean; readonly result: unknown }
      if (!body.ok) throw new Error(`HTTP ${response.status}`)
      return body.result
    },
    catch: () => new DemoError({ step: path.replace(/^\/user[^/]+/, "") })
  })

export interface Demo {
  readonly ann: string
  readonly bob: string
  readonly bot: string
  readonly chat: number
}

/** Does what a newcomer would: two logins, a request, an acceptance. */
export const set = Effect.fnUntraced(function*(
  base: string,
  headers: Record<string, string>,
  telegram: TestServer.TestServer["Service"]
): Effect.fn.Return<Demo, unknown> {
  const logIn = Effect.fnUntraced(function*(phone: string) {
    const temporary: string = yield* call(base, headers, "/phonelogin", { phone })
    const code = yield* telegram.loginCode(phone)
    const token: string = yield* call(base, headers, `/user${temporary}/completephonelogin`, { code })
    return `/user${token}`
  })
  const ann = yield* logIn("+15550001")
  const bob = yield* logIn("+15550002")
  yield* call(base, headers, `${bob}/setPolicy`, { accept: "allow" })
  // whoever is to accept has to be there
  yield* call(base, headers, `${bob}/getUpdates`, {})
  const { chat_id: chat } = yield* call(base, headers, `${ann}/requestSecretChat`, { user: "+15550002", wait: "true" })
  return { ann, bob, bot: `/bot${botToken}`, chat }
})

export const lines = (base: string, { ann, bob, bot, chat }: Demo): string => `
A Telegram server on this machine, and two people in a secret chat: Ann and Bob. Nothing of it is kept.

export GATEWAY=${base} ANN=${ann} BOB=${bob} BOT=${bot} CHAT=${chat}

curl "$GATEWAY$ANN/messages.sendEncrypted" -d peer=$CHAT -d message='Hello, Bob'
curl "$GATEWAY$ANN/messages.sendEncryptedService" -d peer=$CHAT \\
  -d message='{"_": "decryptedMessageService", "action": {"_": "decryptedMessageActionSetMessageTTL", "ttl_seconds": 60}}'
curl "$GATEWAY$BOB/getUpdates"

Cay, +15550003, is not logged in yet; the code is 12345: curl ${base}/phonelogin -d phone=+15550003
Everything that can be called: ${base}/docs
`
