/**
 * What is stored of a message of ours beside its record: the ciphertext, and how it is sent.
 *
 * @since 1.0.0
 */
import { isTlError } from "@effect-mtproto/core/TlError"
import { TlReader } from "@effect-mtproto/core/TlReader"
import { TlWriter } from "@effect-mtproto/core/TlWriter"
import type { Via } from "../protocol/Input.ts"

/** @internal */
export interface Packet {
  readonly via: Via
  /** Of `sendEncrypted` and `sendEncryptedFile`: no sound at the peer. */
  readonly silent: boolean
  /** The `InputEncryptedFile` in TL; absent unless `via` is `file`. */
  readonly file?: Uint8Array
  /** The frame. */
  readonly data: Uint8Array
}

const VERSION = 1
const vias: ReadonlyArray<Via> = ["message", "service", "file"]

/** @internal */
export const encode = (packet: Packet): Uint8Array => {
  const w = new TlWriter()
  w.int(VERSION)
  w.int(vias.indexOf(packet.via))
  w.bool(packet.silent)
  w.bytes(packet.file ?? new Uint8Array(0))
  w.bytes(packet.data)
  return w.take()
}

/** `undefined` if the bytes are not a packet. @internal */
export const decode = (bytes: Uint8Array): Packet | undefined => {
  try {
    const r = new TlReader(bytes)
    if (r.int() !== VERSION) return undefined
    const via = vias[r.int()]
    const silent = r.bool()
    const file = r.bytes().slice()
    const data = r.bytes().slice()
    r.finish()
    if (via === undefined || (via === "file") !== (file.length > 0)) return undefined
    return { via, silent, ...(via === "file" ? { file } : {}), data }
  } catch (error) {
    if (isTlError(error)) return undefined
    throw error
  }
}
