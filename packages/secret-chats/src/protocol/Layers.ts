/**
 * Layers: which constructors the peer's client knows
 * (core.telegram.org/api/end-to-end, "Layers").
 *
 * Two things raise what we know of the peer: the layer of any authenticated
 * wrapper, even of one that is later dropped as a duplicate, and NotifyLayer.
 * Nothing lowers it. A message is written in the lower of both layers, and the
 * wrapper states the layer of *this message*; our own maximum the peer learns
 * from NotifyLayer only, which is our first message, and is sent again after an
 * upgrade of this software.
 *
 * @since 1.0.0
 */
import * as Schema from "effect/Schema"

/**
 * The highest layer this software speaks.
 *
 * @since 1.0.0
 * @category constants
 */
export const MINE = 144

/**
 * The lowest layer messages are written in: from 73 on MTProto 2.0 is
 * mandatory, and nobody writes anything else here (TDLib: the same).
 *
 * @since 1.0.0
 * @category constants
 */
export const LOWEST = 73

/**
 * @since 1.0.0
 * @category models
 */
export const Layers = Schema.Struct({
  /** Highest layer seen from the peer, 0 if none. It may be above ours. */
  his: Schema.Int,
  /** Layer we last announced, 0 if none. */
  announced: Schema.Int
})

/**
 * @since 1.0.0
 * @category models
 */
export interface Layers extends Schema.Schema.Type<typeof Layers> {}

/**
 * @since 1.0.0
 * @category constructors
 */
export const initial: Layers = { his: 0, announced: 0 }

/**
 * The layer to write the next message in.
 *
 * @since 1.0.0
 * @category queries
 */
export const sending = (layers: Layers): number => Math.max(LOWEST, Math.min(MINE, layers.his))

/**
 * What is known of the peer after it used or announced `layer`.
 *
 * @since 1.0.0
 * @category transitions
 */
export const observe = (layers: Layers, layer: number): Layers =>
  layer > layers.his ? { ...layers, his: layer } : layers

/**
 * Whether NotifyLayer is due. Being announced is part of the state that is
 * stored together with the message, so it is sent once.
 *
 * @since 1.0.0
 * @category queries
 */
export const isDue = (layers: Layers): boolean => layers.announced < MINE

/**
 * @since 1.0.0
 * @category transitions
 */
export const announce = (layers: Layers): Layers => ({ ...layers, announced: MINE })
