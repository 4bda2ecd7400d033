import * as EncryptedFile from "@effect-mtproto/secret-chats/EncryptedFile"
import * as Media from "@effect-mtproto/secret-chats/Media"
import { sendEncryptedFile } from "@effect-mtproto/secret-chats/sendEncryptedFile"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { spawn } from "node:child_process"
import * as Fs from "node:fs"
import * as NodePath from "node:path"
import { fileURLToPath } from "node:url"
import type { Argument, Done, StoredFile } from "./killed/transfer.ts"
import { ann, bytesOf, eventually, folder, same, two } from "./support.ts"

const MIB = 1024 * 1024
const PART = 64 * 1024

const program = fileURLToPath(new URL("./killed/transfer.ts", import.meta.url))

const run = (argument: Argument) =>
  Effect.callback<{ readonly signal: string | null; readonly out: string }>((resume) => {
    const child = spawn(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", program, JSON.stringify(argument)],
      {
        stdio: ["ignore", "pipe", "inherit"]
      }
    )
    let out = ""
    child.stdout.on("data", (chunk: Buffer) => {
      out += chunk.toString()
    })
    child.on("close", (_, signal) => resume(Effect.succeed({ signal, out })))
    return Effect.sync(() => child.kill("SIGKILL"))
  })

describe("a program that is killed in the middle of a transfer", () => {
  it.live("goes on with it, up and down, and never shows half a file", () =>
    Effect.gen(function*() {
      const { a, b, chatId, server } = yield* two
      const path = yield* folder
      const content = bytesOf(11 * MIB)
      const source = NodePath.join(path, "source.bin")
      Fs.writeFileSync(source, content)
      const start = (task: Argument["task"], killAt?: number) =>
        Effect.gen(function*() {
          const argument: Argument = {
            datacenter: server.datacenters[0]!,
            publicKey: server.publicKeyPem,
            phone: ann,
            code: yield* server.loginCode(ann),
            states: NodePath.join(path, "states"),
            ...(killAt === undefined ? {} : { killAt }),
            task
          }
          return yield* run(argument)
        })

      // up: the state is written every 8 megabytes
      const up = { _tag: "Upload", path: source } as const
      assert.strictEqual((yield* start(up, 10 * MIB)).signal, "SIGKILL")
      yield* server.clearCalls
      const uploaded = JSON.parse((yield* start(up)).out) as Done & { readonly file: StoredFile }
      assert.isAtLeast(uploaded.first, 8 * MIB)
      assert.isAtMost(yield* server.callCount("upload.saveBigFilePart"), 3 * MIB / PART)
      const key = (name: "key" | "iv") => new Uint8Array(Buffer.from(uploaded.file[name], "base64"))
      const { encrypted } = yield* a.run(sendEncryptedFile(
        chatId,
        Media.document(),
        EncryptedFile.make({
          size: uploaded.file.size,
          key: Redacted.make({ key: key("key"), iv: key("iv") }),
          place: {
            _tag: "Uploaded",
            input: {
              _tag: "inputEncryptedFileBigUploaded",
              id: BigInt(uploaded.file.id),
              parts: Number(uploaded.file.accessHash),
              keyFingerprint: uploaded.file.keyFingerprint
            }
          }
        })
      ))
      yield* eventually(() => b.messages().length === 1)

      // down
      assert.isTrue(encrypted.place._tag === "Stored")
      if (encrypted.place._tag !== "Stored") return
      const { accessHash, dcId, id, keyFingerprint, size } = encrypted.place.reference
      const target = NodePath.join(path, "target.bin")
      const down = {
        _tag: "Download",
        target,
        file: {
          ...uploaded.file,
          id: String(id),
          accessHash: String(accessHash),
          stored: String(size),
          dcId,
          keyFingerprint
        }
      } as const
      assert.strictEqual((yield* start(down, 10 * MIB)).signal, "SIGKILL")
      assert.isFalse(Fs.existsSync(target))
      assert.strictEqual(Fs.readdirSync(path).filter((name) => name.endsWith(".part")).length, 1)
      yield* server.clearCalls
      const saved = JSON.parse((yield* start(down)).out) as Done
      assert.isAtLeast(saved.first, 8 * MIB)
      assert.isAtMost(yield* server.callCount("upload.getFile"), 6)
      assert.isTrue(same(Fs.readFileSync(target), content))
      assert.deepStrictEqual(Fs.readdirSync(path).filter((name) => name.endsWith(".part")), [])
      assert.deepStrictEqual(Fs.readdirSync(NodePath.join(path, "states")), [])
    }), { timeout: 90_000 })
})
