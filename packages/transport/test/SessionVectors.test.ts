import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import { assert, describe } from "@effect/vitest"
import * as Session from "../src/Session.ts"
import { ping, recorded } from "./fixtures/packets.ts"
import { fromHex, toHex } from "./utils/bytes.ts"
import { withCrypto } from "./utils/check.ts"
import { find, Peer } from "./utils/sessionPeer.ts"

/** A `Crypto` whose random bytes are these, one after the other. */
const scripted = (crypto: Crypto["Service"], ...random: Array<Uint8Array>): Crypto["Service"] => ({
  ...crypto,
  randomBytes: (length) => {
    const bytes = random.shift()!
    assert.strictEqual(bytes.length, length)
    return bytes
  }
})

const make = (crypto: Crypto["Service"], authKey: Uint8Array, options: Partial<Session.Options> = {}) =>
  Session.make(crypto, {
    key: SharedKey.make(crypto, authKey),
    salts: [{ salt: 0x1122334455667788n, validSince: 0, validUntil: 2_000_000_000 }],
    timeOffset: 0,
    synchronised: true,
    header: new Uint8Array(0),
    ...options
  })

describe("Session: known packets", () => {
  withCrypto("a packet that a production server sent", (crypto) => {
    const { authKey, packet, plaintext } = recorded
    // salt, session_id, ...
    const sessionId = fromHex(plaintext).slice(8, 16)
    const session = make(scripted(crypto, sessionId, new Uint8Array(4), new Uint8Array(20)), fromHex(authKey), {
      synchronised: false
    })
    const now = 1_580_240_000_000
    session.attach(now)
    session.receive(now, fromHex(packet))
    assert.deepStrictEqual(session.events(), [{ _tag: "Salts" }, { _tag: "Created" }])
    assert.deepStrictEqual(session.salts.map(({ salt }) => BigInt.asUintN(64, salt)), [0xfd288b24026a82fcn])
    // the message identifier says 2020-01-28 19:29:21
    assert.approximately(session.timeOffset, -238_239, 1)
    assert.strictEqual(session.authenticated, 1)
  })

  withCrypto("a packet from the client, byte by byte", (crypto) => {
    const authKey = Uint8Array.from({ length: 256 }, (_, i) => i)
    const sessionId = fromHex("0807060504030201")
    // makes the lowest bits of the first message identifier 4
    const noise = fromHex("e54f073c")
    const padding = Uint8Array.from({ length: 20 }, (_, i) => i)
    const session = make(scripted(crypto, sessionId, noise, padding), authKey)
    const now = 0x65abc0fc * 1_000
    session.attach(now)
    session.query(fromHex(ping.body), { repeatable: true })
    assert.deepStrictEqual(session.poll(now).map(toHex), [ping.toServer])
  })

  withCrypto("a packet from the server, byte by byte", (crypto) => {
    const authKey = Uint8Array.from({ length: 256 }, (_, i) => i)
    const session = make(scripted(crypto, fromHex("0807060504030201"), new Uint8Array(4)), authKey)
    session.attach(0)
    // its message identifier is a client's
    session.receive(0, fromHex(ping.toClient))
    assert.deepStrictEqual(session.events(), [{ _tag: "Close", reason: "refused" }])
  })

  withCrypto("bytes of the padded framing after a packet are ignored", (crypto) => {
    const peer = new Peer(crypto)
    peer.attach()
    const packet = peer.seal({
      msgId: peer.nextId(),
      seqNo: 1,
      body: Uint8Array.of(1, 2, 3, 4),
      sessionId: peer.session.id
    })
    peer.session.receive(peer.now, Uint8Array.of(...packet, 1, 2, 3, 4, 5))
    assert.strictEqual(peer.events().length, 1)
    peer.query(1)
    assert.strictEqual(find(peer.poll(), "msgs_ack")!.msgIds.length, 1)
  })
})
