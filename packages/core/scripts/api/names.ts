/** Names of the generated readers and writers. */
import { localOf } from "./model.ts"

export interface CodecNames {
  readonly read: string
  readonly write: string
}

/** Of a boxed type: `messages.DhConfig` -> `readDhConfig`. */
export const typeCodec = (type: string): CodecNames => ({
  read: `read${localOf(type)}`,
  write: `write${localOf(type)}`
})

/** Of a boxed vector of a boxed type. */
export const vectorCodec = (type: string): CodecNames => ({
  read: `readVector${localOf(type)}`,
  write: `writeVector${localOf(type)}`
})

/** Of a request: `messages.getDhConfig` -> `read_getDhConfig`. */
export const methodCodec = (method: string): CodecNames => ({
  read: `read_${localOf(method)}`,
  write: `write_${localOf(method)}`
})
