#!/usr/bin/env node
/**
 * The `secret-chats` command.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Command from "effect/cli/Command"
import * as Effect from "effect/Effect"
import * as Cli from "./Cli.ts"

Cli.command.pipe(
  Command.run({ version: Cli.version }),
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain
)
