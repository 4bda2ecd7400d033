/**
 * AES-256-IGE decryption of long data in slices, between which the event loop
 * turns.
 */
import { macrotask } from "./macrotask.ts"
import { release } from "./release.ts"

/** What takes about a third of a millisecond in the kernel. */
export const SLICE = 65536

export const decrypt = async (
  decryptSlice: (data: Uint8Array, key: Uint8Array, iv: Uint8Array) => Uint8Array,
  data: Uint8Array,
  key: Uint8Array,
  iv: Uint8Array
): Promise<Uint8Array> => {
  const out = new Uint8Array(data.length)
  // copies: the caller may change its arrays in between
  const input = data.slice()
  const current = iv.slice()
  const ownKey = key.slice()
  for (let start = 0; start < input.length; start += SLICE) {
    if (start > 0) await macrotask()
    const slice = input.subarray(start, start + SLICE)
    const plain = decryptSlice(slice, ownKey, current)
    out.set(plain, start)
    current.set(slice.subarray(slice.length - 16), 0)
    current.set(plain.subarray(plain.length - 16), 16)
    plain.fill(0)
    release(plain)
  }
  release(input)
  ownKey.fill(0)
  current.fill(0)
  return out
}
