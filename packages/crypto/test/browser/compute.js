// What the program computes, everywhere from the same inputs: hexadecimal numbers under names.
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
const sequence = (length, start = 0) => Uint8Array.from({ length }, (_, i) => (7 * i + (i >> 8) + start) & 255)

export const compute = ({ Crypto, DiffieHellman, Frame, KeyVisualization, Result, SharedKey }, Effect) =>
  Effect.gen(function*() {
    const crypto = yield* Crypto
    const key = sequence(32, 1)
    const iv = sequence(32, 2)
    const long = sequence(200_000)
    const encrypted = crypto.aesIgeEncrypt(long, key, iv)
    const decrypted = yield* crypto.aesIgeDecryptLarge(encrypted, key, iv)
    const ctr = crypto.aesCtr(key, iv.subarray(0, 16))
    const group = yield* DiffieHellman.checkGroup(crypto, { p: DiffieHellman.wellKnownPrime(), g: 3 })
    const secret = sequence(256, 3)
    const other = yield* DiffieHellman.publicValue(crypto, group, sequence(256, 4))
    const shared = yield* DiffieHellman.agree(crypto, group, secret, other)
    const frame = Frame.seal(crypto, {
      key: shared,
      fromCreator: true,
      payload: sequence(400, 5),
      padding: sequence(12, 6)
    })
    const opened = Result.getOrThrow(Frame.open(crypto, { keys: [shared], fromCreator: true, frame }))
    const made = SharedKey.make(crypto, crypto.randomBytes(256))
    const sealed = Frame.seal(crypto, { key: made, fromCreator: false, payload: sequence(100) })
    const { p, q } = yield* crypto.factorize(0x17ed48941a08f981n)
    return {
      sha1: hex(crypto.sha1(long)),
      sha256: hex(crypto.sha256(long)),
      md5: hex(crypto.md5(long)),
      ige: hex(crypto.aesIgeEncrypt(sequence(64), key, iv)),
      igeLong: hex(crypto.sha256(encrypted)),
      igeBack: hex(crypto.sha256(decrypted)),
      ctr: hex(ctr(sequence(33))) + hex(ctr(sequence(20))),
      publicValue: hex(other),
      fingerprint: shared.id.toString(16),
      frame: hex(frame),
      payload: hex(opened.payload),
      random: String(Result.isSuccess(Frame.open(crypto, { keys: [made], fromCreator: false, frame: sealed }))),
      picture: hex(crypto.sha256(KeyVisualization.toPng(KeyVisualization.keyHash(crypto, shared)))),
      factors: `${p} ${q}`,
      derived: hex(yield* crypto.pbkdf2Sha512(key, iv, 1000, 64))
    }
  })
