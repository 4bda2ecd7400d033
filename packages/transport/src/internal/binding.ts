/**
 * The call by which a permanent key vouches for a temporary one
 * (core.telegram.org/api/pfs). What it says is tied to the message that carries
 * it, so it is made anew whenever that message gets another identifier.
 */
import * as Api from "@effect-mtproto/core/Api"
import * as MtprotoApi from "@effect-mtproto/core/MtprotoApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import type { SharedKey } from "@effect-mtproto/crypto/SharedKey"
import * as TempAuthKey from "@effect-mtproto/crypto/TempAuthKey"
import * as Bytes from "./bytes.ts"

export interface Binding {
  readonly permanentKey: SharedKey
  /** Seconds of the server's clock. */
  readonly expiresAt: number
}

const inner = TlCodec.make(MtprotoApi.bind_auth_key_inner)

export const write = (
  crypto: Crypto["Service"],
  binding: Binding,
  message: { readonly temporaryKeyId: bigint; readonly sessionId: bigint; readonly msgId: bigint }
): Uint8Array => {
  const { expiresAt, permanentKey } = binding
  const nonce = Bytes.readLong(crypto.randomBytes(8), 0)
  return Api.encodeRequest(Api.auth.bindTempAuthKey({
    permAuthKeyId: permanentKey.id,
    nonce,
    expiresAt,
    encryptedMessage: TempAuthKey.seal(crypto, {
      permanentKey,
      msgId: message.msgId,
      inner: inner.encode({
        _tag: "bind_auth_key_inner",
        nonce,
        tempAuthKeyId: message.temporaryKeyId,
        permAuthKeyId: permanentKey.id,
        tempSessionId: message.sessionId,
        expiresAt
      })
    })
  }))
}

/** Whether the server's answer is `boolTrue`. */
export const isTrue = (result: Uint8Array): boolean => MtprotoApi.idOf(result) === 0x997275b5
