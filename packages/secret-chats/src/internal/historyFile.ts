/**
 * What the history keeps of a file beside the message that describes it: where the server has it, as an `encryptedFile` in
 * TL.
 *
 * @since 1.0.0
 */
import * as Api from "@effect-mtproto/core/Api"
import { isTlError } from "@effect-mtproto/core/TlError"
import type { FileReference } from "../protocol/Events.ts"

/** @internal */
export const reference = (file: Api.encryptedFile): FileReference => ({
  id: file.id,
  accessHash: file.accessHash,
  size: file.size,
  dcId: file.dcId,
  keyFingerprint: file.keyFingerprint
})

/** @internal */
export const encode = (file: FileReference): Uint8Array => Api.EncryptedFile.encode({ _tag: "encryptedFile", ...file })

/** `undefined` if the bytes are not such a file. @internal */
export const decode = (bytes: Uint8Array): FileReference | undefined => {
  try {
    const file = Api.EncryptedFile.decode(bytes)
    return file._tag === "encryptedFile" ? reference(file) : undefined
  } catch (error) {
    if (isTlError(error)) return undefined
    throw error
  }
}
