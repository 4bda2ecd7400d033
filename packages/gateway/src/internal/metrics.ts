/** What is counted, for Prometheus. No label names a session, a chat or a person. */
import * as Metric from "effect/Metric"

const requests = (status: number) =>
  Metric.counter("gateway_requests_total", {
    description: "Requests that were answered",
    incremental: true,
    // its own: attributes that are added to a metric are put together anew with each request
    attributes: { status: String(status) }
  })
export const requestTime = Metric.histogram("gateway_request_seconds", {
  description: "How long requests took, in seconds",
  boundaries: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]
})
export const updates = Metric.counter("gateway_updates_total", {
  description: "Updates that were put into the inbox",
  incremental: true
})
export const webhooks = Metric.counter("gateway_webhook_posts_total", {
  description: "Updates that were posted to webhooks, by outcome",
  incremental: true
})
export const openSessions = Metric.gauge("gateway_open_sessions", { description: "Sessions that are open" })
export const inFlight = Metric.gauge("gateway_requests_in_flight", { description: "Requests that are being answered" })

const byStatus = new Map<number, ReturnType<typeof requests>>()

/** The counter of one status. */
export const requestsOf = (status: number): ReturnType<typeof requests> => {
  let found = byStatus.get(status)
  if (found === undefined) byStatus.set(status, found = requests(status))
  return found
}
