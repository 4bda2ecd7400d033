/**
 * What the server sends, in the layer that a client has announced.
 *
 * Only the current layer is written so far, whatever a client says: nearly all
 * constructors are the same in all layers that clients use. Where one is not
 * (`user` before layer 200), this is the place to write the older form.
 */
import * as Api from "@effect-mtproto/core/Api"

/** The result of a method for a client of this layer. */
export const encodeResult = (_layer: number, method: Api.AnyMethod, result: unknown): Uint8Array =>
  method.response.encode(result)

/** Updates for a client of this layer. */
export const encodeUpdates = (_layer: number, updates: Api.Updates): Uint8Array => Api.Updates.encode(updates)
