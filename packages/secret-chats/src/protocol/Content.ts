/**
 * What a chat carries: the one current form of messages and service messages.
 *
 * @since 1.0.0
 */

/**
 * An ordinary message in its current form.
 *
 * @since 1.0.0
 * @category models
 */
export interface Message {
  readonly _tag: "decryptedMessage"
  readonly randomId: bigint
  readonly ttl: number
  readonly message: string
  readonly silent?: boolean
}

/**
 * A service message in its current form.
 *
 * @since 1.0.0
 * @category models
 */
export interface Service {
  readonly _tag: "decryptedMessageService"
  readonly randomId: bigint
  readonly action: { readonly _tag: string }
}

/**
 * Anything that occupies a sequence number.
 *
 * @since 1.0.0
 * @category models
 */
export type Content = Message | Service
