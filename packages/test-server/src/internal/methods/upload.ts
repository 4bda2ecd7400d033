/**
 * `upload.*`: parts of encrypted files, up and down.
 */
import * as Api from "@effect-mtproto/core/Api"
import * as Failure from "../failure.ts"
import * as Files from "../files.ts"
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

const read = (
  call: UserCall,
  request: Api.Params<typeof Api.upload.getFile>
): Api.upload.File | Failure.RpcFailure => {
  if (request.location._tag !== "inputEncryptedFileLocation") return Failure.badRequest("LOCATION_INVALID")
  const { accessHash, id } = request.location
  const stored = Files.find(call.world.files, call.authorization.account.id, id, accessHash)
  if (stored === undefined) return Failure.badRequest("LOCATION_INVALID")
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
