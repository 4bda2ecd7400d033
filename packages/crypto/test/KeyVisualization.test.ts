import * as KeyVisualization from "@effect-mtproto/crypto/KeyVisualization"
import * as NodeCrypto from "@effect-mtproto/crypto/NodeCrypto"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import { assert, layer } from "@effect/vitest"
import { crc32, inflateSync } from "node:zlib"
import { sequence, toHex, withCrypto } from "./utils/fixtures.ts"

// matched square for square against an official app
const COUNTING = [
  "000010002000",
  "300001001100",
  "210031000200",
  "120022003200",
  "030013002300",
  "330000101010",
  "201030100110",
  "111021103110",
  "021012102210",
  "321003101310",
  "231033100020",
  "102020203020"
]

const visible = (text: string): string => text.replaceAll("\x1b", "ESC")

layer(NodeCrypto.layer)("KeyVisualization", (it) => {
  it.effect("hashes the key", () =>
    withCrypto((crypto) => {
      const hash = KeyVisualization.keyHash(crypto, SharedKey.make(crypto, sequence(256)))
      assert.strictEqual(toHex(hash), "4916d6bdb7f78e6803698cab32d1586e40aff2e9d2d8922e47afd4648e6967497158785f")
    }))

  it.effect("lays out the squares as official apps do", () =>
    withCrypto(() => {
      assert.deepStrictEqual(KeyVisualization.toGrid(sequence(36)).map((row) => row.join("")), COUNTING)
      for (const length of [0, 16, 35, 37]) {
        assert.throws(() => KeyVisualization.toGrid(new Uint8Array(length)), /36 bytes/)
        assert.throws(() => KeyVisualization.toHex(new Uint8Array(length)), /36 bytes/)
      }
    }))

  it.effect("draws SVG in which every square has its colour", () =>
    withCrypto(() => {
      const svg = KeyVisualization.toSvg(sequence(36), { size: 120 })
      assert.isTrue(
        svg.startsWith("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"120\" height=\"120\" viewBox=\"0 0 12 12\"")
      )
      const drawn = Array.from({ length: 12 }, () => Array.from({ length: 12 }, () => "?"))
      for (const [, color, path] of svg.matchAll(/<path fill="#(\w+)" d="([^"]+)"\/>/g)) {
        const index = KeyVisualization.COLORS.indexOf(color!)
        for (const [, x, y, width] of path!.matchAll(/M(\d+) (\d+)h(\d+)v1h-\d+z/g)) {
          for (let i = 0; i < Number(width); i++) drawn[Number(y)]![Number(x) + i] = String(index)
        }
      }
      assert.deepStrictEqual(drawn.map((row) => row.join("")), COUNTING)
    }))

  it.effect("draws PNG in which every pixel has its colour", () =>
    withCrypto(() => {
      for (const scale of [1, 3, 22, 256]) {
        const png = Buffer.from(KeyVisualization.toPng(sequence(36), { scale }))
        assert.strictEqual(png.subarray(0, 8).toString("hex"), "89504e470d0a1a0a")
        const chunks: Record<string, Buffer> = {}
        for (let i = 8; i < png.length;) {
          const length = png.readUInt32BE(i)
          const body = png.subarray(i + 4, i + 8 + length)
          assert.strictEqual(png.readUInt32BE(i + 8 + length), crc32(body))
          chunks[body.subarray(0, 4).toString()] = body.subarray(4)
          i += 12 + length
        }
        assert.deepStrictEqual(Object.keys(chunks), ["IHDR", "PLTE", "IDAT", "IEND"])
        assert.strictEqual(chunks.PLTE!.toString("hex").toUpperCase(), KeyVisualization.COLORS.join(""))
        const width = chunks.IHDR!.readUInt32BE(0)
        assert.deepStrictEqual([width, chunks.IHDR!.readUInt32BE(4)], [12 * scale, 12 * scale])
        const rows = inflateSync(chunks.IDAT!)
        const stride = 1 + Math.ceil(width / 4)
        assert.strictEqual(rows.length, stride * width)
        for (let y = 0; y < 12; y++) {
          for (let x = 0; x < 12; x++) {
            const column = x * scale + scale - 1
            const byte = rows[y * scale * stride + 1 + (column >> 2)]!
            assert.strictEqual(String((byte >> (6 - 2 * (column & 3))) & 3), COUNTING[y]![x])
          }
        }
      }
      for (const scale of [0, 1.5, 257]) {
        assert.throws(() => KeyVisualization.toPng(sequence(36), { scale }), /scale/)
      }
    }))

  it.effect("draws in terminals of any colour", () =>
    withCrypto(() => {
      const hash = sequence(36)
      const plain = KeyVisualization.toTerminal(hash, { colors: "none" }).split("\n")
      assert.deepStrictEqual(
        plain,
        COUNTING.map((row) => row.replace(/./g, (digit) => ".-#o"[Number(digit)]!.repeat(2)))
      )
      const truecolor = ["255;255;255", "213;230;243", "45;87;117", "47;153;201"]
      const lines = visible(KeyVisualization.toTerminal(hash, { colors: "truecolor" })).split("\n")
      assert.strictEqual(lines.length, 6)
      lines.forEach((line, i) => {
        const cells = [...line.matchAll(/ESC\[38;2;([\d;]+);48;2;([\d;]+)m\u2580\u2580/g)]
        assert.deepStrictEqual(cells.map(([, upper]) => truecolor.indexOf(upper!)).join(""), COUNTING[2 * i])
        assert.deepStrictEqual(cells.map(([, , lower]) => truecolor.indexOf(lower!)).join(""), COUNTING[2 * i + 1])
        assert.isTrue(line.endsWith("ESC[0m"))
      })
      const indexed = visible(KeyVisualization.toTerminal(hash, { colors: "256" }))
      assert.match(indexed, /^(ESC\[38;5;\d+;48;5;\d+m\u2580\u2580|ESC\[0m|\n)+$/)
    }))

  it.effect("writes hexadecimal in the grouping of Android", () =>
    withCrypto(() => {
      assert.strictEqual(
        KeyVisualization.toHex(sequence(36)),
        [
          "00 01 02 03  04 05 06 07",
          "08 09 0A 0B  0C 0D 0E 0F",
          "10 11 12 13  14 15 16 17",
          "18 19 1A 1B  1C 1D 1E 1F"
        ].join("\n")
      )
    }))
})
