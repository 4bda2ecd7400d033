/**
 * Files, encrypted or not: parts as they come in, and the files made of them
 * (core.telegram.org/api/files). All in memory, within a bound.
 */
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import { concat, toHex } from "./bytes.ts"
import * as Failure from "./failure.ts"
import type { StoredFile } from "./model.ts"

const KIB = 1024
const MAX_PART = 512 * KIB
const MAX_PARTS = 8000
const MAX_DOWNLOAD = 1024 * KIB
/** What a part costs besides its bytes, so that many tiny ones are bounded too. */
const OVERHEAD = 256

interface Upload {
  readonly parts: Map<number, Uint8Array>
  bytes: number
  lastPartAt: number
}

export interface FileStore {
  /** The bytes that parts and files may take together. */
  readonly maxBytes: number
  /** How long parts are kept, in seconds. */
  readonly partLifetime: number
  bytes: number
  /** Unfinished uploads, by account and the client's file id. */
  readonly uploads: Map<string, Upload>
  readonly files: Map<bigint, StoredFile>
}

export const make = (maxBytes: number): FileStore => ({
  maxBytes,
  partLifetime: 3600,
  bytes: 0,
  uploads: new Map(),
  files: new Map()
})

const nameOf = (account: bigint, fileId: bigint): string => `${account}/${fileId}`

const drop = (store: FileStore, name: string): void => {
  const upload = store.uploads.get(name)
  if (upload === undefined) return
  store.uploads.delete(name)
  store.bytes -= upload.bytes
}

/** Frees the parts of uploads that nobody finished. */
export const expire = (store: FileStore, now: number): void => {
  for (const [name, upload] of store.uploads) {
    if (upload.lastPartAt + store.partLifetime < now) drop(store, name)
  }
}

/** Keeps a part. Parts may come in any order and more than once. */
export const savePart = (
  store: FileStore,
  account: bigint,
  part: { readonly fileId: bigint; readonly index: number; readonly bytes: Uint8Array; readonly now: number }
): true | Failure.RpcFailure => {
  const { bytes, index, now } = part
  if (index < 0 || index >= MAX_PARTS) return Failure.badRequest("FILE_PART_INVALID")
  if (bytes.length === 0) return Failure.badRequest("FILE_PART_EMPTY")
  if (bytes.length > MAX_PART) return Failure.badRequest("FILE_PART_TOO_BIG")
  const name = nameOf(account, part.fileId)
  const upload = store.uploads.get(name) ?? { parts: new Map<number, Uint8Array>(), bytes: 0, lastPartAt: now }
  const previous = upload.parts.get(index)
  const added = bytes.length - (previous === undefined ? -OVERHEAD : previous.length)
  if (store.bytes + added > store.maxBytes) {
    expire(store, now)
    if (store.bytes + added > store.maxBytes) return Failure.floodWait(60)
  }
  store.uploads.set(name, upload)
  // a copy: the bytes are a view of the whole packet
  upload.parts.set(index, bytes.slice())
  upload.bytes += added
  upload.lastPartAt = now
  store.bytes += added
  return true
}

/** Makes a file of the parts of an upload. */
export const finish = (
  crypto: Crypto["Service"],
  store: FileStore,
  account: bigint,
  input: {
    readonly fileId: bigint
    readonly parts: number
    readonly md5: string
    readonly keyFingerprint: number
    readonly dc: number
    /** Fresh random numbers. */
    readonly id: bigint
    readonly accessHash: bigint
  }
): StoredFile | Failure.RpcFailure => {
  if (input.parts < 1 || input.parts > MAX_PARTS) return Failure.badRequest("FILE_PARTS_INVALID")
  const name = nameOf(account, input.fileId)
  const upload = store.uploads.get(name)
  const parts: Array<Uint8Array> = []
  for (let i = 0; i < input.parts; i++) {
    const part = upload?.parts.get(i)
    if (part === undefined) return Failure.badRequest(`FILE_PART_${i}_MISSING`)
    if (i + 1 < input.parts && i > 0 && part.length !== parts[0]!.length) {
      return Failure.badRequest("FILE_PART_SIZE_CHANGED")
    }
    parts.push(part)
  }
  const first = parts[0]!.length
  if (parts.length > 1 && (first % KIB !== 0 || MAX_PART % first !== 0)) {
    return Failure.badRequest("FILE_PART_SIZE_INVALID")
  }
  if (parts.at(-1)!.length > first) return Failure.badRequest("FILE_PART_SIZE_CHANGED")
  const bytes = concat(parts)
  if (input.md5 !== "" && toHex(crypto.md5(bytes)) !== input.md5.toLowerCase()) {
    return Failure.badRequest("MD5_CHECKSUM_INVALID")
  }
  drop(store, name)
  store.bytes += bytes.length + OVERHEAD
  const file: StoredFile = {
    id: input.id,
    dc: input.dc,
    accessHash: input.accessHash,
    keyFingerprint: input.keyFingerprint,
    bytes,
    viewers: new Set([account])
  }
  store.files.set(file.id, file)
  return file
}

/** A file, if this account may see it. */
export const find = (
  store: FileStore,
  account: bigint,
  id: bigint,
  accessHash: bigint
): StoredFile | undefined => {
  const file = store.files.get(id)
  return file !== undefined && file.accessHash === accessHash && file.viewers.has(account) ? file : undefined
}

/** A piece of a file, shorter than `limit` only at its end. */
export const read = (
  file: StoredFile,
  request: { readonly offset: bigint; readonly limit: number; readonly precise: boolean }
): Uint8Array | Failure.RpcFailure => {
  const { limit, offset, precise } = request
  const unit = precise ? KIB : 4 * KIB
  if (offset < 0n || offset % BigInt(unit) !== 0n) return Failure.badRequest("OFFSET_INVALID")
  if (limit <= 0 || limit > MAX_DOWNLOAD || limit % unit !== 0) return Failure.badRequest("LIMIT_INVALID")
  if (!precise && MAX_DOWNLOAD % limit !== 0) return Failure.badRequest("LIMIT_INVALID")
  const megabyte = BigInt(MAX_DOWNLOAD)
  if (offset / megabyte !== (offset + BigInt(limit - 1)) / megabyte) return Failure.badRequest("LIMIT_INVALID")
  if (offset >= BigInt(file.bytes.length)) return new Uint8Array(0)
  return file.bytes.subarray(Number(offset), Number(offset) + limit)
}
