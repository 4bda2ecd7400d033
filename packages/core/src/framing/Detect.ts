/**
 * Which framing a client speaks, from the first bytes that it sends.
 *
 * @since 1.0.0
 */
import type { Framing } from "../Framing.ts"
import { Abridged } from "./Abridged.ts"
import { Full } from "./Full.ts"
import { Intermediate } from "./Intermediate.ts"
import { headerLength } from "./Obfuscation.ts"
import { PaddedIntermediate } from "./PaddedIntermediate.ts"

/**
 * - `Incomplete`: more bytes are needed
 * - `Plain`: a framing, whose tag takes `skip` bytes
 * - `Obfuscated`: the first 64 bytes are an obfuscation header
 * - `Http`: an HTTP request, perhaps the start of a WebSocket
 * - `Tls`: a TLS hello (only MTProxies are spoken to like this)
 *
 * @category models
 * @since 1.0.0
 */
export type Detected =
  | { readonly _tag: "Incomplete" }
  | { readonly _tag: "Plain"; readonly framing: Framing; readonly skip: number }
  | { readonly _tag: "Obfuscated" }
  | { readonly _tag: "Http" }
  | { readonly _tag: "Tls" }

const incomplete: Detected = { _tag: "Incomplete" }
const http = new Set([0x504f5354, 0x47455420, 0x48454144, 0x4f505449]) // POST, GET, HEAD, OPTI

/**
 * Looks at the first bytes of a stream; give it all that has come so far.
 *
 * @category constructors
 * @since 1.0.0
 */
export const detect = (bytes: Uint8Array): Detected => {
  if (bytes.length === 0) return incomplete
  if (bytes[0] === 0xef) return { _tag: "Plain", framing: Abridged, skip: 1 }
  if (bytes.length < 4) return incomplete
  const first = (bytes[0]! << 24 | bytes[1]! << 16 | bytes[2]! << 8 | bytes[3]!) >>> 0
  if (first === 0xeeeeeeee) return { _tag: "Plain", framing: Intermediate, skip: 4 }
  if (first === 0xdddddddd) return { _tag: "Plain", framing: PaddedIntermediate, skip: 4 }
  if (http.has(first)) return { _tag: "Http" }
  if (bytes.length < 8) return incomplete
  // The first frame of the full framing has the number 0; the header of an obfuscated stream never has it there.
  if ((bytes[4]! | bytes[5]! | bytes[6]! | bytes[7]!) === 0) return { _tag: "Plain", framing: Full, skip: 0 }
  if (first >>> 8 === 0x160301) return { _tag: "Tls" }
  return bytes.length < headerLength ? incomplete : { _tag: "Obfuscated" }
}
