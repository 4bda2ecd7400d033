import * as Hex from "effect/encoding/Hex"
import * as Result from "effect/Result"

export const fromHex = (hex: string): Uint8Array => Result.getOrThrow(Hex.decode(hex))
export const toHex = (bytes: Uint8Array): string => Hex.encode(bytes)
