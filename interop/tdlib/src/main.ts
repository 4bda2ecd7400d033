/**
 * Runs the scenarios and ends with `N passed, N failed`.
 *
 * Arguments name the scenarios to run; without arguments all of them run.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Checks from "./Checks.ts"
import { absence } from "./scenarios/Absence.ts"
import { actions } from "./scenarios/Actions.ts"
import { closing } from "./scenarios/Closing.ts"
import { crowd } from "./scenarios/Crowd.ts"
import { devices } from "./scenarios/Devices.ts"
import { forged } from "./scenarios/Forged.ts"
import { gaps } from "./scenarios/Gaps.ts"
import { interrupted } from "./scenarios/Interrupted.ts"
import { killed } from "./scenarios/Killed.ts"
import { limits } from "./scenarios/Limits.ts"
import { media } from "./scenarios/Media.ts"
import { places } from "./scenarios/Places.ts"
import { rekey } from "./scenarios/Rekey.ts"
import { returns } from "./scenarios/Returns.ts"
import { roles } from "./scenarios/Roles.ts"
import { serverFaults } from "./scenarios/ServerFaults.ts"
import { serverFiles } from "./scenarios/ServerFiles.ts"
import { tdlibPair } from "./scenarios/TdlibPair.ts"
import { text } from "./scenarios/Text.ts"
import { transfers } from "./scenarios/Transfers.ts"
import { weather } from "./scenarios/Weather.ts"
import * as World from "./World.ts"

const scenarios = {
  pair: tdlibPair,
  faults: serverFaults,
  files: serverFiles,
  roles,
  text,
  actions,
  places,
  limits,
  media,
  transfers,
  gaps,
  forged,
  rekey,
  interrupted,
  killed,
  absence,
  returns,
  crowd,
  closing,
  weather,
  devices
}

const checks = Checks.make()

const chosen = process.argv.slice(2)
const unknown = chosen.filter((name) => !(name in scenarios))
if (unknown.length > 0) {
  process.stderr.write(`no such scenario: ${unknown.join(", ")}; there are ${Object.keys(scenarios).join(", ")}\n`)
  process.exit(2)
}

const program = Effect.forEach(
  Object.entries(scenarios).filter(([name]) => chosen.length === 0 || chosen.includes(name)),
  ([, scenario]) => scenario,
  // each has accounts of its own, and most of the time is waiting
  { concurrency: 3, discard: true }
).pipe(
  Effect.provide(World.layerTdlib.pipe(Layer.provideMerge(World.layer))),
  Effect.provideService(Checks.Checks, checks)
)

const exit = await Effect.runPromiseExit(program)
if (Exit.isFailure(exit)) checks.failed("the whole run", Cause.pretty(exit.cause))
const { failed, passed } = checks.counts()
process.stdout.write(`\n${passed} passed, ${failed} failed\n`, () => process.exit(failed === 0 ? 0 : 1))
