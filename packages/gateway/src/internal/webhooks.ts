/**
 * Posting updates to where a session wants them: one after the other, each until it is taken.
 *
 * A worker for each session reads the inbox as everybody else does, so it holds nobody up; and what it has not delivered
 * when the program ends is delivered by the next one. `X-Webhook-Signature` is HMAC-SHA-256 over the time, a dot and the body.
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberMap from "effect/FiberMap"
import * as Metric from "effect/Metric"
import type * as Scope from "effect/Scope"
import { createHmac } from "node:crypto"
import type { GatewayOptions } from "../GatewayOptions.ts"
import type { GatewayStore, Update, Webhook } from "../GatewayStore.ts"
import type { Sessions } from "../Sessions.ts"
import * as Metrics from "./metrics.ts"

/** How it stands with the webhook of a session. */
export interface Standing {
  readonly lastErrorDate: number | undefined
  readonly lastError: string | undefined
}

export interface Webhooks {
  /** Begins, in place of what was going on for this session. */
  readonly start: (session: string, webhook: Webhook) => Effect.Effect<void>
  readonly stop: (session: string) => Effect.Effect<void>
  readonly standing: (session: string) => Standing
}

/** Called with the answer of a webhook: it may ask for a call of a method. */
export type OnAnswer = (session: string, body: string) => Effect.Effect<void>

const PAGE = 50
const LONGEST = 300_000
const TIMEOUT = 10_000
const MAX_ANSWER = 64 * 1024

/** The signature of a body, for whoever receives it to compare. */
export const sign = (secret: string, timestamp: number, body: string): string =>
  `sha256=${createHmac("sha256", secret).update(`${timestamp}.${body}`).digest("hex")}`

/** The body of one update. */
export const bodyOf = ({ id, json }: Update): string =>
  json.startsWith(`{"update":`) ? `{"update_id":${id},${json.slice(1)}` : `{"update_id":${id},"update":${json}}`

const readAnswer = async (response: Response): Promise<string> => {
  if (response.body === null || !(response.headers.get("content-type") ?? "").startsWith("application/json")) {
    await response.body?.cancel()
    return ""
  }
  let text = ""
  const decoder = new TextDecoder()
  for await (const chunk of response.body) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > MAX_ANSWER) return ""
  }
  return text
}

/** What went wrong, in words that say nothing of the address. */
class Undelivered {
  readonly _tag = "Undelivered"
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

const post = Effect.fnUntraced(function*(webhook: Webhook, update: Update) {
  const body = bodyOf(update)
  const timestamp = Math.floor((yield* Clock.currentTimeMillis) / 1_000)
  const sent = Effect.tryPromise({
    try: async (signal) => {
      const response = await fetch(webhook.url, {
        method: "POST",
        redirect: "manual",
        headers: {
          "content-type": "application/json",
          "x-webhook-id": String(update.id),
          "x-webhook-timestamp": String(timestamp),
          "x-webhook-signature": sign(webhook.secret, timestamp, body)
        },
        body,
        signal
      })
      const answer = await readAnswer(response)
      return { status: response.status, answer }
    },
    catch: () => new Undelivered("The address could not be reached")
  })
  const { answer, status } = yield* Effect.timeoutOrElse(sent, {
    duration: TIMEOUT,
    orElse: () => Effect.fail(new Undelivered("The address did not answer in time"))
  })
  if (status < 200 || status > 299) return yield* Effect.fail(new Undelivered(`The address answered ${status}`))
  return answer
})

export const make = Effect.fnUntraced(function*(
  options: GatewayOptions["Service"],
  store: GatewayStore["Service"],
  sessions: Sessions["Service"],
  onAnswer: OnAnswer
): Effect.fn.Return<Webhooks, never, Scope.Scope> {
  const workers = yield* FiberMap.make<string>()
  const standings = new Map<string, Standing>()
  const first = Duration.toMillis(Duration.fromInputUnsafe(options.webhookRetry ?? "1 second"))

  const deliver = (session: string, webhook: Webhook, update: Update, attempt: number): Effect.Effect<void> =>
    Effect.matchEffect(post(webhook, update), {
      onSuccess: (answer) =>
        Effect.andThen(
          Metric.update(Metric.withAttributes(Metrics.webhooks, { outcome: "delivered" }), 1),
          answer === "" ? Effect.void : onAnswer(session, answer)
        ),
      onFailure: ({ reason }) =>
        Effect.gen(function*() {
          yield* Metric.update(Metric.withAttributes(Metrics.webhooks, { outcome: "failed" }), 1)
          standings.set(session, {
            lastError: reason,
            lastErrorDate: Math.floor((yield* Clock.currentTimeMillis) / 1_000)
          })
          const pause = Math.min(first * 2 ** Math.min(attempt, 20), LONGEST)
          // many sessions that fail together should not come back together
          yield* Effect.sleep(pause * (0.75 + (update.id * 7919 % 100) / 200))
          return yield* deliver(session, webhook, update, attempt + 1)
        })
    })

  const work = (session: string, webhook: Webhook) =>
    Effect.scoped(Effect.gen(function*() {
      // updates come only while the session is open
      yield* sessions.open(session)
      while (true) {
        const signal = yield* store.signal(session)
        const updates = yield* store.updates(session, 0, PAGE)
        if (updates.length === 0) {
          yield* signal
          continue
        }
        for (const update of updates) {
          yield* deliver(session, webhook, update, 0)
          yield* store.acknowledge(session, update.id + 1)
        }
      }
    })).pipe(
      Effect.tapError((error) => Effect.logDebug("A webhook waits for its session", error)),
      // a session that another process has, a database that is away
      Effect.ignore,
      Effect.andThen(Effect.sleep("5 seconds")),
      Effect.forever
    )

  return {
    start: (session, webhook) => Effect.asVoid(FiberMap.run(workers, session, work(session, webhook))),
    stop: (session) => {
      standings.delete(session)
      return FiberMap.remove(workers, session)
    },
    standing: (session) => standings.get(session) ?? { lastError: undefined, lastErrorDate: undefined }
  }
})
