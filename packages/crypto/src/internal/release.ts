/**
 * Gives the memory of a large array of our own back at once: engines collect such memory only when tens of megabytes of
 * it have piled up. Does nothing where the array is not all of its buffer, is small, or the engine has no way to do it.
 */
export const release = (bytes: Uint8Array): void => {
  const buffer = bytes.buffer as ArrayBuffer & { readonly transfer?: (length: number) => ArrayBuffer }
  if (bytes.length >= LEAST && bytes.length === buffer.byteLength) buffer.transfer?.(0)
}

const LEAST = 16_384
