#!/usr/bin/env node
/**
 * The `secret-chats` command.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Cli from "./Cli.ts"

// Whoever reads no further, ends the command as an interrupt does: nothing that was stored is lost.
for (const stream of [process.stdout, process.stderr]) {
  stream.once("error", () => {
    stream.on("error", () => {})
    process.kill(process.pid, "SIGINT")
  })
}

Cli.command.pipe(
  Command.run({ version: Cli.version }),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain
)
