/**
 * `upload.*`: parts of files, up and down.
 */
import * as Api from "@effect-mtproto/core/Api"
import { equals } from "../bytes.ts"
import * as Failure from "../failure.ts"
import * as Files from "../files.ts"
import type { StoredFile } from "../model.ts"
import * as World from "../world.ts"
import { type Entry, file, type UserCall } from "./method.ts"

const save = (
  call: UserCall,
  request: { readonly fileId: bigint; readonly filePart: number; readonly bytes: Uint8Array }
): true | Failure.RpcFailure =>
  Files.savePart(call.world.files, call.authorization.account.id, {
    fileId: request.fileId,
    index: request.filePart,
    bytes: request.bytes,
    now: call.now
  })

/** The file that a location names. */
const find = (call: UserCall, location: Api.InputFileLocation): StoredFile | Failure.RpcFailure => {
  const { account } = call.authorization
  switch (location._tag) {
    case "inputEncryptedFileLocation":
      return Files.find(call.world.files, account.id, location.id, location.accessHash) ??
        Failure.badRequest("LOCATION_INVALID")
    case "inputDocumentFileLocation": {
      const document = World.documentOf(call.world, account, location)
      if (document === undefined || location.thumbSize !== "") return Failure.badRequest("LOCATION_INVALID")
      if (location.fileReference.length === 0) return Failure.badRequest("FILE_REFERENCE_EMPTY")
      return equals(document.reference, location.fileReference)
        ? document.file
        : Failure.badRequest("FILE_REFERENCE_EXPIRED")
    }
    default:
      return Failure.badRequest("LOCATION_INVALID")
  }
}

const read = (
  call: UserCall,
  request: Api.Params<typeof Api.upload.getFile>
): Api.upload.File | Failure.RpcFailure => {
  const stored = find(call, request.location)
  if (Failure.isFailure(stored)) return stored
  if (stored.dc !== call.key.dc) return Failure.make(303, `FILE_MIGRATE_${stored.dc}`)
  const bytes = Files.read(stored, {
    offset: request.offset,
    limit: request.limit,
    precise: request.precise === true
  })
  return Failure.isFailure(bytes)
    ? bytes
    : { _tag: "upload.file", type: { _tag: "storage.fileUnknown" }, mtime: call.now, bytes }
}

export const methods: ReadonlyArray<Entry> = [
  file(Api.upload.saveFilePart, save),
  file(
    Api.upload.saveBigFilePart,
    (call, request) =>
      request.fileTotalParts !== -1 && (request.fileTotalParts < 1 || request.filePart >= request.fileTotalParts)
        ? Failure.badRequest("FILE_PARTS_INVALID")
        : save(call, request)
  ),
  file(Api.upload.getFile, read)
]
