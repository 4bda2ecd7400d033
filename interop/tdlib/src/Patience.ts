/**
 * How long everything may take. Limits are written for a quiet machine; on a busy one, of which this program gets a few percent,
 * a process of ours may need a minute to start. Nothing waits for a limit to pass, so a larger one costs nothing but later
 * failures.
 */
import * as Duration from "effect/Duration"

/** The limit that holds, for one that is meant for a quiet machine. */
export const patient = (limit: Duration.Input): Duration.Duration => Duration.times(Duration.fromInputUnsafe(limit), 10)
