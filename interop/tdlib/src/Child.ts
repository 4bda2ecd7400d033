/**
 * A program in a process of its own, which can be killed. It is told what to do, and reports, over the channel to its parent.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type ChildProcess, fork, type Serializable } from "node:child_process"
import { fileURLToPath } from "node:url"

/** SIGKILL; resolves once the process is gone and everything it wrote has been read. */
export const kill = (child: ChildProcess): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    const settle = () => {
      if ((child.exitCode !== null || child.signalCode !== null) && !child.connected) resume(Effect.void)
    }
    child.once("exit", settle)
    child.once("disconnect", settle)
    child.kill("SIGKILL")
    settle()
  })

/** Starts a program of this folder; kills it when the scope ends. */
export const start = (program: string): Effect.Effect<ChildProcess, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = fork(fileURLToPath(new URL(program, import.meta.url)), {
        stdio: ["ignore", "inherit", "inherit", "ipc"]
      })
      child.on("error", () => undefined)
      return child
    }),
    kill
  )

/** What is told to a process that has just been killed reaches nobody, which is no error. */
export const tell = (child: ChildProcess, command: Serializable): Effect.Effect<void> =>
  Effect.sync(() => void (child.connected && child.send(command, () => {})))
