/**
 * Reads updates that nobody may care for: with the readers of the schema, so that every byte is checked as in a full
 * reading, but without making strings, byte arrays and longs. What orders updates are ints and the names of
 * constructors, and those are all there.
 */
import * as Api from "@effect-mtproto/core/Api"
import { TlReader } from "@effect-mtproto/core/TlReader"

const NOTHING = new Uint8Array(0)

class SkimmingReader extends TlReader {
  override long(): bigint {
    this.pass(8)
    return 0n
  }

  override double(): number {
    this.pass(8)
    return 0
  }

  override string(): string {
    this.bytes()
    return ""
  }

  override raw(length: number): Uint8Array {
    this.pass(length)
    return NOTHING
  }

  private pass(length: number): void {
    if (this.position + length > this.end) this.fail("Truncated", `${length} bytes`, `${this.remaining} bytes`)
    this.position += length
  }
}

/** Reads them in full if one of them is wanted. Fails where `Api.Updates.decode` does. */
export const decode = (body: Uint8Array, wanted: ReadonlySet<Api.Update["_tag"]>): Api.Updates => {
  const reader = new SkimmingReader(body)
  const skimmed = Api.Updates.read(reader)
  reader.finish()
  return hasWanted(skimmed, wanted) ? Api.Updates.decode(body) : skimmed
}

const hasWanted = (updates: Api.Updates, wanted: ReadonlySet<Api.Update["_tag"]>): boolean => {
  switch (updates._tag) {
    case "updatesTooLong":
    case "updateShortSentMessage":
      return false
    case "updateShort":
      return wanted.has(updates.update._tag)
    case "updateShortMessage":
    case "updateShortChatMessage":
      return wanted.has("updateNewMessage")
    case "updates":
    case "updatesCombined":
      return updates.updates.some(({ _tag }) => wanted.has(_tag))
  }
}
