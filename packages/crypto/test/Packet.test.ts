import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as Packet from "@effect-mtproto/crypto/Packet"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import * as TempAuthKey from "@effect-mtproto/crypto/TempAuthKey"
import { assert, layer } from "@effect/vitest"
import { Result } from "effect"
import { counting, hex, mtproto, sequence, toHex, withCrypto } from "./utils/fixtures.ts"

const repeated = hex("98cb29c6ffa89e79da695a54f572e6cb101e81c688b63a4bf73c3622dec230e0".repeat(8))
const long = (bytes: string): bigint => new DataView(hex(bytes).buffer).getBigInt64(0, true)

const message: Packet.Message = {
  salt: long("efbeaddeaddeefbe"),
  sessionId: long("efbeedfeedfeefbe"),
  msgId: long("3412efbeefbe3412"),
  seqNo: 777,
  body: new TextEncoder().encode("hello, world!!!!")
}

const ping: Packet.Message = {
  salt: 0x1122334455667788n,
  sessionId: 0x0102030405060708n,
  msgId: 0x65abc0fc00000004n,
  seqNo: 1,
  body: hex("ec77be7aefcdab9078563412")
}

const assertRefused = (result: Result.Result<unknown, Packet.PacketError>): void => {
  if (!Result.isFailure(result)) return assert.fail("the packet was accepted")
  assert.deepStrictEqual({ ...result.failure, message: result.failure.message }, {
    _tag: "PacketError",
    message: "The MTProto packet was refused"
  })
}

layer(NodeCrypto.layer)("Packet", (it) => {
  it.effect("seals known packets in both directions and opens them again", () =>
    withCrypto((crypto) => {
      const cases = [
        [repeated, "client", message, "29afd26df40fb8ed10b6b4ad6d56ef5d", mtproto.packets.clientPacket],
        [sequence(256), "client", ping, toHex(sequence(20)), mtproto.packets.ping.client],
        [sequence(256), "server", ping, toHex(sequence(20)), mtproto.packets.ping.server]
      ] as const
      for (const [bytes, from, content, padding, expected] of cases) {
        const key = SharedKey.make(crypto, bytes)
        const sealed = Packet.seal(crypto, { key, from, message: content, padding: hex(padding) })
        assert.strictEqual(toHex(sealed.packet), expected)
        const opened = Packet.open(crypto, { keys: [key], from, packet: sealed.packet })
        assert.deepStrictEqual(opened, Result.succeed({ ...content, key, quickAck: sealed.quickAck }))
        assertRefused(
          Packet.open(crypto, { keys: [key], from: from === "client" ? "server" : "client", packet: sealed.packet })
        )
      }
    }))

  it.effect("opens a recorded container", () =>
    withCrypto((crypto) => {
      const { authKey, decrypted, packet } = mtproto.packets.recorded
      const key = SharedKey.make(crypto, hex(authKey))
      const opened = Packet.open(crypto, { keys: [key], from: "server", packet: hex(packet) })
      if (!Result.isSuccess(opened)) return assert.fail("a recorded packet was refused")
      const inside = hex(decrypted)
      assert.strictEqual(opened.success.salt, long(decrypted.slice(0, 16)))
      assert.strictEqual(opened.success.sessionId, long(decrypted.slice(16, 32)))
      assert.strictEqual(opened.success.msgId, long(decrypted.slice(32, 48)))
      assert.strictEqual(opened.success.seqNo, 2)
      assert.strictEqual(toHex(opened.success.body), toHex(inside.subarray(32, 32 + 88)))
    }))

  it.effect("accepts and refuses what it must", () =>
    withCrypto((crypto) => {
      const key = SharedKey.make(crypto, repeated)
      const open = (packet: Uint8Array) => Packet.open(crypto, { keys: [key], from: "server", packet })
      const good = hex(mtproto.packets.serverGood)
      const { length3, length9999999, messageKeyZeroed, noPadding, otherSession } = mtproto.packets.refused
      for (const packet of [good, new Uint8Array([...good, 1, 2, 3, 4])]) {
        assert.deepStrictEqual(
          Result.map(open(packet), ({ body, salt, seqNo, sessionId }) => [toHex(body), salt, sessionId, seqNo]),
          Result.succeed([toHex(message.body), message.salt, message.sessionId, 777])
        )
      }
      for (const packet of [messageKeyZeroed, length9999999, length3, noPadding]) assertRefused(open(hex(packet)))
      // the session is not this module's business, but it is told which one it was
      const other = open(hex(otherSession))
      assert.isTrue(Result.isSuccess(other) && other.success.sessionId !== message.sessionId)
    }))

  it.effect("refuses every single bit flip after the same work", () =>
    withCrypto((crypto) => {
      const counter = counting(crypto)
      const keys = [SharedKey.make(crypto, sequence(256, 1)), SharedKey.make(crypto, sequence(256))]
      const valid = hex(mtproto.packets.ping.server)
      for (let bit = 0; bit < 8 * valid.length; bit++) {
        const packet = valid.slice()
        packet[bit >> 3]! ^= 1 << (bit & 7)
        assertRefused(Packet.open(counter.service, { keys, from: "server", packet }))
        assert.deepStrictEqual(counter.take(), {
          hashes: 3,
          ciphers: 1,
          comparisons: 1,
          hashedBytes: 52 + 52 + 32 + 64,
          cipheredBytes: 64
        })
      }
      for (let length = 0; length < valid.length; length++) {
        const packet = valid.subarray(0, length)
        assertRefused(Packet.open(crypto, { keys, from: "server", packet }))
      }
      assertRefused(Packet.open(crypto, { keys: [], from: "server", packet: valid }))
    }))

  it.effect("tells the quick acknowledgement token", () =>
    withCrypto((crypto) => {
      const key = SharedKey.make(crypto, sequence(256))
      const padding = sequence(20)
      const { packet, quickAck } = Packet.seal(crypto, { key, from: "client", message: ping, padding })
      const inside = hex(mtproto.packets.ping.inside)
      const large = crypto.sha256(key.bytes.subarray(88, 120), inside)
      assert.strictEqual(quickAck, (new DataView(large.buffer).getUint32(0, true) | 0x80000000) >>> 0)
      assert.strictEqual(Packet.authKeyId(packet), key.id)
    }))

  it.effect("refuses to seal what a receiver would refuse", () =>
    withCrypto((crypto) => {
      const key = SharedKey.make(crypto, sequence(256))
      const seal = (length: number, padding: number) => () =>
        Packet.seal(crypto, {
          key,
          from: "client",
          message: { ...ping, body: new Uint8Array(length) },
          padding: new Uint8Array(padding)
        })
      assert.throws(seal(3, 13), /multiple of 4/)
      assert.throws(seal(16, 0), /12 to 1024/)
      assert.throws(seal(16, 1040), /12 to 1024/)
      assert.throws(seal(16, 12), /whole blocks/)
    }))

  it.effect("plain messages, with what servers put behind them", () =>
    withCrypto(() => {
      const body = sequence(20)
      const packet = Packet.sealPlain({ msgId: 0x51e57ac42770964an, body })
      assert.strictEqual(toHex(packet), `00000000000000004a967027c47ae55114000000${toHex(body)}`)
      const opened = Result.succeed({ msgId: 0x51e57ac42770964an, body })
      assert.deepStrictEqual(Packet.openPlain(packet), opened)
      assert.deepStrictEqual(Packet.openPlain(new Uint8Array([...packet, 1, 2, 3])), opened)
      for (let length = 0; length < packet.length; length++) assertRefused(Packet.openPlain(packet.subarray(0, length)))
      for (const [offset, value] of [[0, 1], [7, 128], [16, 21], [19, 128]] as const) {
        assertRefused(Packet.openPlain(packet.map((byte, i) => i === offset ? value : byte)))
      }
    }))

  it.effect("binds a temporary key", () =>
    withCrypto((crypto) => {
      const { encrypted, inner, permanentKeyId } = mtproto.bind
      const permanentKey = SharedKey.make(crypto, sequence(256).toReversed())
      assert.strictEqual(permanentKey.id, long(permanentKeyId))
      const msgId = 0x0011223344556677n
      const sealed = TempAuthKey.seal(crypto, {
        permanentKey,
        msgId,
        inner: hex(inner),
        random: new Uint8Array(24).fill(0xcd)
      })
      assert.strictEqual(toHex(sealed), encrypted)
      assert.deepStrictEqual(
        TempAuthKey.open(crypto, { permanentKey, encrypted: sealed }),
        Result.succeed({ msgId, inner: hex(inner) })
      )
      // everything but the 8 bytes of padding is authenticated
      for (let i = 0; i < sealed.length - 16; i++) {
        assertRefused(
          TempAuthKey.open(crypto, { permanentKey, encrypted: sealed.map((byte, j) => i === j ? byte ^ 4 : byte) })
        )
      }
      assertRefused(TempAuthKey.open(crypto, { permanentKey, encrypted: sealed.subarray(16) }))
    }))
})
