/**
 * Readers and writers of the vectors of primitives, and of the bare results, that occur in the API. Generated code calls
 * them.
 *
 * @since 1.0.0
 * @internal
 */
import type { TlReader } from "../TlReader.ts"
import type { TlWriter } from "../TlWriter.ts"

export const readInt = (r: TlReader): number => r.int()
export const writeInt = (w: TlWriter, v: number): void => w.int(v)

export const readLong = (r: TlReader): bigint => r.long()
export const writeLong = (w: TlWriter, v: bigint): void => w.long(v)

export const readBool = (r: TlReader): boolean => r.bool()
export const writeBool = (w: TlWriter, v: boolean): void => w.bool(v)

export const readRest = (r: TlReader): Uint8Array => r.rest()
export const writeRest = (w: TlWriter, v: Uint8Array): void => w.raw(v)

export const readVectorInt = (r: TlReader): Array<number> => {
  const n = r.vector(4)
  const a: Array<number> = []
  for (let i = 0; i < n; i++) a.push(r.int())
  return a
}

export const writeVectorInt = (w: TlWriter, v: ReadonlyArray<number>): void => {
  const n = w.vector(v)
  for (let i = 0; i < n; i++) w.int(v[i]!)
}

export const readVectorLong = (r: TlReader): Array<bigint> => {
  const n = r.vector(8)
  const a: Array<bigint> = []
  for (let i = 0; i < n; i++) a.push(r.long())
  return a
}

export const writeVectorLong = (w: TlWriter, v: ReadonlyArray<bigint>): void => {
  const n = w.vector(v)
  for (let i = 0; i < n; i++) w.long(v[i]!)
}

export const readVectorString = (r: TlReader): Array<string> => {
  const n = r.vector(4)
  const a: Array<string> = []
  for (let i = 0; i < n; i++) a.push(r.string())
  return a
}

export const writeVectorString = (w: TlWriter, v: ReadonlyArray<string>): void => {
  const n = w.vector(v)
  for (let i = 0; i < n; i++) w.string(v[i]!)
}

export const readVectorBytes = (r: TlReader): Array<Uint8Array> => {
  const n = r.vector(4)
  const a: Array<Uint8Array> = []
  for (let i = 0; i < n; i++) a.push(r.bytes())
  return a
}

export const writeVectorBytes = (w: TlWriter, v: ReadonlyArray<Uint8Array>): void => {
  const n = w.vector(v)
  for (let i = 0; i < n; i++) w.bytes(v[i]!)
}
