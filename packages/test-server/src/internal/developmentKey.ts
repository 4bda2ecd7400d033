/**
 * The RSA key of every test server that is not given another one: always the
 * same, so that a client can be configured with it once.
 *
 * It is published with this package and protects nothing. No program may trust
 * it outside of tests.
 */
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as RsaPublicKey from "@effect-mtproto/crypto/RsaPublicKey"
import * as Base64Url from "effect/encoding/Base64Url"
import * as Result from "effect/Result"

const MODULUS = "vxGjR4gjzxGBgky05H_0yW0kF3Cnexf8Hk6jKj3EQh871Lv2JGK_O3awS5xQhOJiyHbLwA9w-HrIz0Zg86Unb8YqdNR_s_gdwrkS" +
  "rS6jKezx5Nb06anZ45HUcdPMCShntRl2YuOOICAaY6AhXeSLbweRFRZgi1oWZwsDUj0X-lvx7A8RxdhiPVnxDdkH8QiKEdaFe5v_" +
  "8OzbWjbBHpZQeRYeE0giOflzUJO3ONEv619ybc5_DU-xE1nyqKl50o5fXep3pLWmPsAdWyT_OPJEEkQDRrWdSmv4_2oRlNfefMYl" +
  "Z-rnwRM6fZBbzZz11YYJMRb6v4K3RsPDrFKEJFsi8w"

const EXPONENT =
  "Wy3FD-0xPW76sR3-0u4W-Ap7xy3M1qqG90WKiq1oGy_Bgw7hctKmtG86yRJCwG8yObyrFa-otwMNEhDhUlPVYnscJp2DhXQZa6Oa" +
  "_Ib9eRPoCU7lGB6kantceKdcPmCIQP1yJ9W0rLL1NOalFaPrQCRJwVjo4IcwmqLARn3-E8v6p26YADelPX85gptHsSTlmUj--JW5" +
  "0zT6pR2oxh38radVPIIe0RYNPyLDJrzPIla_9M3hnQ6KlXIDenjB9RcrgZncPJxWai_Anl7EBXjdF3qeMl09JsYGhfcrtojPznuP" +
  "OQJr2asdAFYVd1R8XI9bNQzUZpJdeHjHKoiz5kRmSQ"

const decode = (text: string): Uint8Array => Result.getOrThrow(Base64Url.decode(text))

export const make = (crypto: Crypto["Service"]): RsaPublicKey.RsaPrivateKey => {
  const key = Result.getOrThrow(
    RsaPublicKey.make(crypto, { n: decode(MODULUS), e: Uint8Array.of(1, 0, 1) })
  )
  return Object.defineProperty({ ...key } as RsaPublicKey.RsaPrivateKey, "d", {
    value: decode(EXPONENT),
    enumerable: false
  })
}
