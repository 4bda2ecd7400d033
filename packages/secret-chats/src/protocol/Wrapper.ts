/**
 * The wrapper of every message, `decryptedMessageLayer`: layer and sequence
 * numbers around the content.
 *
 * The wrapper and its content are judged apart. If the wrapper cannot be read,
 * the number of the message is unknown and the chat cannot go on (TDLib: the
 * same). If only the content cannot be read (a constructor of a later layer, a
 * malformed field, bytes left over), the message keeps its number and is shown as
 * unsupported; TDLib closes the chat here, which lets one message of a newer
 * client end it.
 *
 * @since 1.0.0
 */
import * as SecretApi from "@effect-mtproto/core/SecretApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import { isTlError } from "@effect-mtproto/core/TlError"
import { TlReader } from "@effect-mtproto/core/TlReader"
import * as Result from "effect/Result"
import { type Content, fromWire } from "./Content.ts"
import type { Rule } from "./Violation.ts"

/**
 * Fewest random bytes a wrapper may have (core.telegram.org/api/end-to-end:
 * messages with fewer are to be ignored; an ignored message would leave a hole
 * that is filled with the same message again, so it is a violation instead).
 *
 * @since 1.0.0
 * @category constants
 */
export const MIN_RANDOM_BYTES = 15

/**
 * How many random bytes a wrapper of ours has: 31 make 32 bytes of TL (TDLib:
 * the same).
 *
 * @since 1.0.0
 * @category constants
 */
export const RANDOM_BYTES = 31

/**
 * What was read.
 *
 * @since 1.0.0
 * @category models
 */
export interface Wrapper {
  readonly layer: number
  readonly inSeqNo: number
  readonly outSeqNo: number
  /** Absent if only the wrapper could be read. */
  readonly content?: Content
}

const decode = TlCodec.decodeResult(SecretApi.DecryptedMessageLayer)
const ID = 0x1be31789

/**
 * Reads the bytes that were inside a frame.
 *
 * @since 1.0.0
 * @category decoding
 */
export const read = (payload: Uint8Array): Result.Result<Wrapper, Rule> => {
  const whole = decode(payload)
  if (Result.isFailure(whole)) return readHead(payload)
  const { inSeqNo, layer, message, outSeqNo, randomBytes } = whole.success
  if (randomBytes.length < MIN_RANDOM_BYTES) return Result.fail("random-bytes")
  return Result.succeed({ layer, inSeqNo, outSeqNo, content: fromWire(message) })
}

const readHead = (payload: Uint8Array): Result.Result<Wrapper, Rule> => {
  try {
    const reader = new TlReader(payload)
    if (reader.int() !== ID) return Result.fail("wrapper")
    const randomBytes = reader.bytes()
    const layer = reader.int()
    const inSeqNo = reader.int()
    const outSeqNo = reader.int()
    // a wrapper without anything inside is not a wrapper
    if (reader.remaining < 4) return Result.fail("wrapper")
    if (randomBytes.length < MIN_RANDOM_BYTES) return Result.fail("random-bytes")
    return Result.succeed({ layer, inSeqNo, outSeqNo })
  } catch (error) {
    if (isTlError(error)) return Result.fail("wrapper")
    throw error
  }
}
