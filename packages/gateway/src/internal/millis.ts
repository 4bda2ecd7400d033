/** Durations of the options in milliseconds: they are read with every request, and are few. */
import * as Duration from "effect/Duration"

const known = new Map<string, number>()

export const millis = (input: Duration.Input): number => {
  if (typeof input !== "string") return Duration.toMillis(Duration.fromInputUnsafe(input))
  let found = known.get(input)
  if (found === undefined) {
    found = Duration.toMillis(Duration.fromInputUnsafe(input))
    if (known.size < 100) known.set(input, found)
  }
  return found
}
