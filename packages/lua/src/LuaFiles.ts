/**
 * Files of the host for scripts: one folder, and nothing outside of it.
 *
 * Without this service scripts have no files. With it, `upload`, `upload_encrypted`, `messages.sendEncryptedFile` read files of
 * the folder, `download_to_file` and `download_to_dir` write new ones. Paths are relative to the folder; links that lead out of
 * it are not followed, and what exists is never replaced.
 *
 * ```ts
 * const host = LuaHost.layer().pipe(Layer.provide(LuaFiles.layer({ folder: "./files" })))
 * ```
 *
 * @since 1.0.0
 */
import * as FileSource from "@effect-mtproto/secret-chats/FileSource"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Layer from "effect/Layer"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"
import { LuaError } from "./LuaError.ts"

/**
 * @category services
 * @since 1.0.0
 */
export class LuaFiles extends Context.Service<LuaFiles, {
  /** A file to read. */
  readonly source: (path: string) => Effect.Effect<FileSource.FileSource<unknown>, LuaError>
  /** The place for a new file. */
  readonly target: (path: string) => Effect.Effect<string, LuaError>
  /** The place for a new file in a folder that exists: by this name, or one like it if there is one already. */
  readonly targetIn: (folder: string, name: string) => Effect.Effect<string, LuaError>
  /** A place as scripts name it. */
  readonly relative: (target: string) => string
  /** The most bytes that a file may have. */
  readonly maxSize: number
  /** What writing needs. */
  readonly services: Context.Context<FileSystem.FileSystem | Path.Path>
}>()("@effect-mtproto/lua/LuaFiles") {}

/**
 * @category models
 * @since 1.0.0
 */
export interface Options {
  /** The folder. It has to exist when the layer is built. */
  readonly folder: string
  /** The most bytes that a file may have, read or written. Default: 2000 MiB. */
  readonly maxSize?: number | undefined
}

const fail = (detail: string) => new LuaError({ kind: "conversion", detail })

/** A name that the sender of a file gave to it, made harmless. */
const harmless = (name: string): string => {
  const clean = name.replace(/[^\p{L}\p{N}._ ()-]/gu, "_").replace(/^[. ]+|[. ]+$/g, "").slice(-100)
  return clean === "" ? "file" : clean
}

/**
 * @category layers
 * @since 1.0.0
 */
export const layer = (
  options: Options
): Layer.Layer<LuaFiles, PlatformError, FileSystem.FileSystem | Path.Path> =>
  Layer.effect(
    LuaFiles,
    Effect.gen(function*() {
      const fs = yield* FileSystem.FileSystem
      const path = yield* Path.Path
      const root = yield* fs.realPath(options.folder)
      const maxSize = options.maxSize ?? 2_000 * 2 ** 20
      const services = Context.make(FileSystem.FileSystem, fs).pipe(Context.add(Path.Path, path))

      const isInside = (place: string): boolean => {
        const way = path.relative(root, place)
        return way !== ".." && !way.startsWith(`..${path.sep}`) && !path.isAbsolute(way)
      }
      const shown = (given: string) => JSON.stringify(given.slice(0, 200))
      const outside = (given: string) => fail(`${shown(given)} is not in the folder for files`)
      /** Where a path leads, links and all. */
      const real = (given: string, place: string) =>
        Effect.flatMap(
          Effect.mapError(fs.realPath(place), () => fail(`${shown(given)} does not exist`)),
          (found) => isInside(found) ? Effect.succeed(found) : Effect.fail(outside(given))
        )
      const locate = (given: string): Effect.Effect<string, LuaError> => {
        if (given === "" || given.includes("\0")) return Effect.fail(fail(`${shown(given)} is no path`))
        const place = path.resolve(root, given)
        return isInside(place) ? Effect.succeed(place) : Effect.fail(outside(given))
      }
      const folder = Effect.fnUntraced(function*(given: string) {
        const place = yield* real(given, yield* locate(given))
        const isFolder = yield* Effect.map(fs.stat(place), ({ type }) => type === "Directory").pipe(
          Effect.orElseSucceed(() => false)
        )
        return isFolder ? place : yield* fail(`${shown(given)} is no folder`)
      })
      /** Whether there is anything by that name, a link that leads nowhere included. */
      const isTaken = (place: string) =>
        Effect.map(
          Effect.all([Effect.option(fs.readLink(place)), Effect.orElseSucceed(fs.exists(place), () => true)]),
          ([link, exists]) => link._tag === "Some" || exists
        )

      return LuaFiles.of({
        maxSize,
        services,
        relative: (target) => path.relative(root, target),
        source: Effect.fnUntraced(function*(given) {
          const place = yield* real(given, yield* locate(given))
          const unreadable = () => fail(`${shown(given)} cannot be read`)
          const info = yield* Effect.mapError(fs.stat(place), unreadable)
          if (info.type !== "File") return yield* fail(`${shown(given)} is no file`)
          if (Number(info.size) > maxSize) return yield* fail(`${shown(given)} has more than ${maxSize} bytes`)
          return yield* FileSource.fromPath(place).pipe(
            Effect.mapError(unreadable),
            Effect.provideContext(services)
          )
        }),
        target: Effect.fnUntraced(function*(given) {
          const place = yield* locate(given)
          const parent = yield* real(given, path.dirname(place))
          const target = path.join(parent, path.basename(place))
          if (!isInside(target) || target === root) return yield* outside(given)
          return (yield* isTaken(target)) ? yield* fail(`${shown(given)} exists already`) : target
        }),
        targetIn: Effect.fnUntraced(function*(given, name) {
          const parent = yield* folder(given)
          const { ext, name: stem } = path.parse(harmless(name))
          for (let i = 1; i <= 1_000; i++) {
            const target = path.join(parent, i === 1 ? `${stem}${ext}` : `${stem} (${i})${ext}`)
            if (!(yield* isTaken(target))) return target
          }
          return yield* fail(`${shown(given)} holds too many files like ${shown(name)}`)
        })
      })
    })
  )
