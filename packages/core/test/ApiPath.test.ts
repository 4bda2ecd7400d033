import * as Api from "@effect-mtproto/core/Api"
import * as ApiSchema from "@effect-mtproto/core/ApiSchema"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import * as TlError from "@effect-mtproto/core/TlError"
import { assert, describe, it } from "@effect/vitest"
import { random, Values } from "./support/apiValues.ts"

const typeOf = (name: string): Api.TypeCodec<any> =>
  name.split(".").reduce((value: any, key) => value[key], Api as unknown as Record<string, unknown>)

const refusal = (run: () => unknown): TlError.TlError | undefined => {
  try {
    run()
    return undefined
  } catch (error) {
    if (TlError.isTlError(error)) return error
    throw error
  }
}

const refused = (run: () => unknown): TlError.TlError => {
  const error = refusal(run)
  if (error === undefined) throw new Error("nothing was refused")
  return error
}

const updates: Api.Updates = {
  _tag: "updates",
  updates: [
    { _tag: "updateDeleteMessages", messages: [1, 2], pts: 3, ptsCount: 4 },
    {
      _tag: "updateNewMessage",
      message: {
        _tag: "message",
        id: 7,
        peerId: { _tag: "peerUser", userId: 8n },
        date: 9,
        message: "text",
        entities: [{ _tag: "messageEntityBold", offset: 1, length: 2 }]
      },
      pts: 5,
      ptsCount: 6
    }
  ],
  users: [],
  chats: [],
  date: 10,
  seq: 11
}

describe("what cannot be read is named by its path", () => {
  const bytes = Api.Updates.encode(updates).slice()
  const view = new DataView(bytes.buffer)
  const find = (word: number): number => {
    for (let at = 0; at < bytes.length; at += 4) if (view.getInt32(at, true) === word) return at
    throw new Error("no such word")
  }
  const broken = (at: number, word: number): TlError.TlError => {
    const copy = bytes.slice()
    new DataView(copy.buffer).setInt32(at, word, true)
    return refused(() => Api.Updates.decode(copy))
  }

  it("a constructor that the type does not have", () => {
    // peerUser, messageEntityBold, updateDeleteMessages
    assert.deepStrictEqual(broken(find(0x59511722), 1).path, ["updates", 1, "message", "peerId"])
    assert.deepStrictEqual(broken(find(0xbd610bc9 | 0), 1).path, ["updates", 1, "message", "entities", 0])
    assert.deepStrictEqual(broken(find(0xa20db0e5 | 0), 1).path, ["updates", 0])
    assert.deepStrictEqual(broken(0, 1).path, [])
  })

  it("a vector that is none, and one that is too long", () => {
    const vector = find(0x1cb5c415)
    assert.deepStrictEqual(broken(vector, 1).path, ["updates"])
    const error = broken(vector + 4, 0x7fffffff)
    assert.deepStrictEqual(error.path, ["updates"])
    assert.strictEqual(error.reason, "LimitExceeded")
    assert.strictEqual(error.offset, vector + 8)
  })

  it("bytes that end too early, wherever they end", () => {
    const derived = TlCodec.make(ApiSchema.type("Updates"))
    let compared = 0
    for (let n = 0; n < bytes.length; n++) {
      const { offset, path, reason } = refused(() => Api.Updates.decode(bytes.subarray(0, n)))
      // A vector is refused as a whole when what is left is too short for its items.
      assert.oneOf(reason, ["Truncated", "LimitExceeded"])
      const told = refused(() => derived.decode(bytes.subarray(0, n)))
      if (told.offset !== offset || told.reason !== reason) continue
      compared++
      const expected = told.path
      // Flags are no part of a value: the path ends at what they belong to.
      assert.deepStrictEqual(path, expected.filter((key) => key !== "flags" && key !== "flags2"), `${n} bytes`)
    }
    assert.isAbove(compared, bytes.length / 2)
  })

  it("a constructor of a type that has only one", () => {
    const state = Api.updates.State.encode({
      _tag: "updates.state",
      pts: 1,
      qts: 2,
      date: 3,
      seq: 4,
      unreadCount: 5
    }).slice()
    state[0]! ^= 1
    assert.deepStrictEqual(refused(() => Api.updates.State.decode(state)).path, [])
    const difference = Api.updates.Difference.encode({
      _tag: "updates.difference",
      newMessages: [],
      newEncryptedMessages: [],
      otherUpdates: [],
      chats: [],
      users: [],
      state: { _tag: "updates.state", pts: 1, qts: 2, date: 3, seq: 4, unreadCount: 5 }
    }).slice()
    difference[difference.length - 24]! ^= 1
    const error = refused(() => Api.updates.Difference.decode(difference))
    assert.deepStrictEqual(error.path, ["state"])
    assert.strictEqual(error.offset, difference.length - 24)
  })

  it("requests and results of methods", () => {
    const request = Api.encodeRequest(Api.messages.sendEncryptedService({
      peer: { _tag: "inputEncryptedChat", chatId: 1, accessHash: 2n },
      randomId: 3n,
      data: new Uint8Array(4)
    })).slice()
    const { params } = Api.messages.sendEncryptedService
    assert.deepStrictEqual(refused(() => params.decode(request.subarray(0, 28))).path, ["data"])
    request[4]! ^= 1
    assert.deepStrictEqual(refused(() => params.decode(request)).path, ["peer"])
    const result = Api.messages.receivedQueue.response.encode([1n, 2n])
    assert.deepStrictEqual(refused(() => Api.messages.receivedQueue.response.decode(result.subarray(0, 23))).path, [])
    const damaged = Uint8Array.from(result)
    damaged[4] = 1
    assert.strictEqual(refused(() => Api.messages.receivedQueue.response.decode(damaged)).reason, "TrailingBytes")
  })

  it("damage of any constructor, as the schema says", { timeout: 60_000 }, () => {
    const values = new Values(21)
    const next = random(22)
    let compared = 0
    for (const [name, members] of ApiSchema.types()) {
      const generated = typeOf(name)
      const derived = TlCodec.make(ApiSchema.type(name as keyof Api.Types))
      for (const c of members) {
        const whole = generated.encode(values.combinator(c, 3)).slice()
        const damaged = whole.slice(0, next() < 0.5 ? whole.length : Math.floor(next() * whole.length))
        if (damaged.length > 0) damaged[Math.floor(next() * damaged.length)] = Math.floor(next() * 256)
        const error = refusal(() => generated.decode(damaged))
        const expected = refusal(() => derived.decode(damaged))
        assert.strictEqual(error === undefined, expected === undefined, c.name)
        // Bounds on counts are tighter in generated code, so that some are refused earlier.
        if (error === undefined || expected === undefined) continue
        if (error.offset !== expected.offset || error.reason !== expected.reason) continue
        compared++
        const isFlags = /^flags\d?$/.test(String(expected.path.at(-1)))
        assert.deepStrictEqual(error.path, isFlags ? expected.path.slice(0, -1) : expected.path, c.name)
      }
    }
    assert.isAbove(compared, 400)
  })
})
