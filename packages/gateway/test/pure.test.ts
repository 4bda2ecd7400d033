import * as ApiMethods from "@effect-mtproto/core/ApiMethods"
import { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as NodeVault from "@effect-mtproto/crypto/NodeVault"
import * as TestCrypto from "@effect-mtproto/crypto/TestCrypto"
import { Vault } from "@effect-mtproto/crypto/Vault"
import * as Envelope from "@effect-mtproto/gateway/Envelope"
import * as Failure from "@effect-mtproto/gateway/Failure"
import * as LoosePeer from "@effect-mtproto/gateway/LoosePeer"
import * as LooseTl from "@effect-mtproto/gateway/LooseTl"
import * as Params from "@effect-mtproto/gateway/Params"
import * as Route from "@effect-mtproto/gateway/Route"
import * as Token from "@effect-mtproto/gateway/Token"
import * as Errors from "@effect-mtproto/secret-chats/SecretChatError"
import { TransportError } from "@effect-mtproto/transport/Transport"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"

const failureOf = (result: Result.Result<unknown, unknown>): Failure.Failure => {
  if (Result.isSuccess(result)) throw new Error("expected a failure")
  return Failure.fromError(result.failure)
}

describe("Route", () => {
  const of = (path: string) => {
    const route = Route.parse(path)
    switch (route._tag) {
      case "Session":
        return [route.kind, Redacted.value(route.token), route.method]
      case "Alias":
        return ["api", Redacted.value(route.session), route.method]
      default:
        return route._tag
    }
  }

  it("reads the documented forms", () => {
    assert.deepStrictEqual(of("/user1:abc/messages.sendEncryptedService"), [
      "user",
      "1:abc",
      "messages.sendEncryptedService"
    ])
    assert.deepStrictEqual(of("/user1:abc/messages->sendEncrypted"), ["user", "1:abc", "messages.sendEncrypted"])
    assert.deepStrictEqual(of("/user1:abc/messages-%3EsendEncrypted/"), ["user", "1:abc", "messages.sendEncrypted"])
    assert.deepStrictEqual(of("/bot1:abc/madeline"), ["bot", "1:abc", "madeline"])
    assert.deepStrictEqual(of("/api/work/getSelf"), ["api", "work", "getSelf"])
    assert.deepStrictEqual(of("/phonelogin"), "PhoneLogin")
    assert.deepStrictEqual(of("/phoneLogin"), "PhoneLogin")
    assert.deepStrictEqual(of("/user/getMe"), ["user", "", "getMe"])
    assert.deepStrictEqual(of("/user1:abc"), ["user", "1:abc", ""])
  })

  it("finds nothing anywhere else", () => {
    for (
      const path of [
        "/",
        "/x",
        "/user1/a/b",
        "/user1/../a",
        "/user1/%2e%2e",
        "/user1/a%2fb",
        "//user1/a",
        "/user1//a",
        "/api",
        "/api/a/b/c",
        "/user1/..%5ca"
      ]
    ) {
      assert.strictEqual(of(path), "NotFound", path)
    }
    for (
      const path of ["", "user1/a", "/user1/%", "/user1/%zz", "/user1/%00", "/user1/a%0ab", `/${"a".repeat(2000)}`]
    ) {
      assert.strictEqual(of(path), "Malformed", path)
    }
  })
})

describe("Params", () => {
  const value = <A>(result: Result.Result<A, unknown>): A => {
    if (Result.isFailure(result)) throw result.failure
    return result.success
  }

  it("reads queries, lists and objects among them", () => {
    assert.deepEqual(value(Params.fromQuery("peer=-147286699&message=%7B%22_%22%3A%22x%22%7D&id[]=1&id[]=2&o[a]=1")), {
      peer: "-147286699",
      message: "{\"_\":\"x\"}",
      id: ["1", "2"],
      o: { a: "1" }
    })
    assert.deepEqual(value(Params.fromQuery("__proto__=1"))["__proto__"], "1")
    assert.deepEqual(
      value(
        Params.fromQuery("l[1]=b&l[0]=a&t[0][_]=x&t[0][n][]=1&t[]={\"_\":\"y\"}&s[]=[1&g[2]=c&__proto__[a]=1")
      ) as object,
      {
        l: ["a", "b"],
        t: [{ _: "x", n: ["1"] }, { _: "y" }],
        s: ["[1"],
        g: { 2: "c" },
        ["__proto__"]: { a: "1" }
      }
    )
    for (
      const query of [
        "a[b]=1&a[b][c]=2",
        "a[b][c]=2&a[b]=1",
        "a[][]=1&a[0]=2",
        "a=1&a=2",
        "a=1&a[]=2",
        "a[x]=1&a[x]=2",
        "a[]=1&a=2"
      ]
    ) {
      assert.strictEqual(failureOf(Params.fromQuery(query)).code, 400, query)
    }
    assert.strictEqual(
      failureOf(Params.fromQuery("&".repeat(10) + Array.from({ length: 300 }, (_, i) => `a${i}=1`).join("&"))).code,
      400
    )
  })

  it("opens JSON only where it is an array or an object", () => {
    const given = value(Params.fromQuery("a=1&b={\"c\":[1]}&d={&e=\"x\"&f=[1]&g=true"))
    assert.deepEqual(value(Params.open(given, (name) => name === "f")), {
      a: "1",
      b: { c: [1] },
      d: "{",
      e: "\"x\"",
      f: "[1]",
      g: "true"
    })
    assert.strictEqual(failureOf(Params.open({ a: "{\"b\":1,\"b\":2}" }, () => false)).type, "JSON_DUPLICATE_KEY")
  })

  it("reads what bots ask for, with the comma of the documentation", () => {
    const read = Params.fromBot({
      method: "messages->sendEncryptedService",
      params: "{\"peer\": 1, \"message\": {\"_\": \"decryptedMessageService\"}, }"
    })
    assert.deepEqual(value(read), {
      method: "messages.sendEncryptedService",
      params: { peer: 1, message: { _: "decryptedMessageService" } }
    })
    assert.deepEqual(value(Params.fromBot({ method: "a.b", params: { c: 1 } })).params, { c: 1 })
    assert.deepEqual(value(Params.fromBot({ method: "a.b" })).params, {})
    assert.strictEqual(failureOf(Params.fromBot({})).description, "Missing method to call.")
    for (const params of ["{", "[1]", "1", 1, true, "{'a':1}"]) {
      assert.strictEqual(failureOf(Params.fromBot({ method: "a", params })).description, "Could not parse parameters.")
    }
  })

  it("takes the names that bots use", () => {
    const has = (name: string) => ["peer", "message"].includes(name)
    assert.deepEqual(Params.rename({ chat_id: 1, text: "x" }, has), { peer: 1, message: "x" })
    assert.deepEqual(Params.rename({ chat_id: 1, peer: 2 }, has), { chat_id: 1, peer: 2 })
    assert.deepEqual(Params.rename({ chat_id: 1 }, () => true), { chat_id: 1 })
  })

  it("checks single parameters", () => {
    const bounds = { min: -10, max: 10, fallback: 3 }
    assert.deepStrictEqual(["5", 5, "-5", undefined, ""].map((a) => value(Params.int({ a }, "a", bounds))), [
      5,
      5,
      -5,
      3,
      3
    ])
    for (const a of ["x", 1.5, 11, "11", {}, [], true, Number.NaN, 2n]) {
      assert.strictEqual(failureOf(Params.int({ a }, "a", bounds)).code, 400)
    }
    assert.strictEqual(value(Params.long({ a: "-9223372036854775808" }, "a")), -9223372036854775808n)
    for (const a of ["9223372036854775808", 2 ** 60, 1.5, "", {}, undefined]) {
      assert.strictEqual(failureOf(Params.long({ a }, "a")).code, 400)
    }
  })
})

describe("LoosePeer", () => {
  it("reads every form of a secret chat", () => {
    const message = { _: "encryptedMessage", chat_id: -5, date: 1 }
    const forms: ReadonlyArray<unknown> = [
      -5,
      "-5",
      -5n,
      -2000000000005,
      "-2000000000005",
      { chat_id: -5, access_hash: "12" },
      { _: "inputEncryptedChat", chat_id: -5, access_hash: "12" },
      message,
      { _: "encryptedMessageService", chat_id: "-5" },
      { _: "updateNewEncryptedMessage", message, qts: 1 },
      { _: "updateNewOutgoingEncryptedMessage", message },
      { update_id: 3, update: { _: "updateNewEncryptedMessage", message } },
      { _: "updateEncryption", chat: { _: "encryptedChatRequested", id: -5 } },
      { _: "encryptedChat", id: -5 },
      { _: "updateEncryptedChatTyping", chat_id: -5 },
      { _: "updateEncryptedMessagesRead", chat_id: -5 },
      { _: "messages.sentEncryptedMessage", chat_id: -5 }
    ]
    for (const form of forms) {
      assert.deepStrictEqual(LoosePeer.chatId(form), Result.succeed(-5), JSON.stringify(String(form)))
    }
  })

  it("refuses everything else", () => {
    const forms: ReadonlyArray<unknown> = [
      undefined,
      null,
      "",
      "x",
      0,
      1.5,
      true,
      [],
      {},
      { _: "inputPeerUser", user_id: 1 },
      { _: 5 },
      { chat_id: {} },
      2 ** 40,
      "99999999999999999999",
      Number.NaN,
      { _: "updateEncryption" },
      { _: "toString" },
      { update: { update: { chat_id: 1 } } }
    ]
    for (const form of forms) assert.strictEqual(failureOf(LoosePeer.chatId(form)).code, 400, String(form))
    assert.strictEqual(failureOf(LoosePeer.chatId({ _: "user" })).description, "Invalid constructor given")
  })

  it("reads every form of a person", () => {
    const known = Result.succeed<LoosePeer.Person>({ _tag: "Known", userId: 5n, accessHash: -7n })
    for (
      const form of [{ user_id: 5, access_hash: "-7" }, { _: "inputUser", user_id: "5", access_hash: -7 }, {
        _: "user",
        id: 5,
        access_hash: "-7"
      }]
    ) {
      assert.deepEqual(LoosePeer.person(form), known)
    }
    assert.deepEqual(LoosePeer.person("@durov"), Result.succeed({ _tag: "Username", username: "durov" }))
    assert.deepEqual(LoosePeer.person("+1 555 0001"), Result.succeed({ _tag: "Phone", phone: "15550001" }))
    assert.deepEqual(LoosePeer.person(" 15550001"), Result.succeed({ _tag: "Phone", phone: "15550001" }))
    assert.deepEqual(LoosePeer.person("5"), Result.succeed({ _tag: "Id", userId: 5n }))
    assert.deepEqual(LoosePeer.person("me"), Result.succeed({ _tag: "Self" }))
    for (const form of [undefined, "x", -5, 1.5, [], {}, { _: "chat", id: 5 }, "@a", "+1", " 5", "      "]) {
      assert.strictEqual(failureOf(LoosePeer.person(form)).code, 400)
    }
  })
})

describe("LooseTl", () => {
  const method = (name: string) => ApiMethods.byName(name)!
  const build = (name: string, params: LooseTl.Parameters) => LooseTl.request(method(name), params, () => 77n)

  it("makes requests by the schema", () => {
    const made = build("messages.sendMessage", {
      peer: "me",
      message: 5,
      silent: "1",
      no_webpage: false,
      schedule_date: "9"
    })
    if (Result.isFailure(made)) throw made.failure
    assert.deepEqual({ ...made.success } as unknown, {
      _tag: "messages.sendMessage",
      silent: true,
      peer: { _tag: "inputPeerSelf" },
      message: "5",
      randomId: 77n,
      scheduleDate: 9
    })
    const ids = build("messages.getMessages", { id: { 0: { _: "inputMessageID", id: "4" } } })
    if (Result.isFailure(ids)) throw ids.failure
    assert.deepEqual((ids.success as any).id, [{ _tag: "inputMessageID", id: 4 }])
  })

  it("finds what was meant by a name", () => {
    const pairs = [
      ["messages.sendmessage", "messages.sendMessage"],
      ["getDialogs", "messages.getDialogs"],
      ["get_full_user", "users.getFullUser"],
      ["HELP.GETCONFIG", "help.getConfig"],
      ["invokeWithLayer", undefined],
      ["__proto__", undefined],
      ["nope", undefined],
      ["x".repeat(65), undefined]
    ] as const
    for (const [name, meant] of pairs) assert.strictEqual(LooseTl.similar(name), meant, name)
  })

  it("says which parameter is wrong", () => {
    assert.match(
      failureOf(build("messages.sendMessage", { peer: 5, message: "x" })).description,
      /^Parameter peer: expected/
    )
    assert.match(failureOf(build("messages.sendMessage", { peer: "me" })).description, /^Parameter message: /)
    assert.match(
      failureOf(build("messages.sendMessage", { peer: "me", message: "", typo: 1 })).description,
      /^Parameter typo: /
    )
    const input = { _: "inputUser", user_id: 2 ** 60, access_hash: 0 }
    assert.match(
      failureOf(build("users.getUsers", { id: [input] })).description,
      /^Parameter id\.0\.user_id: expected an int64/
    )
  })

  it("has every method but wrappers", () => {
    assert.isDefined(LooseTl.method("messages.sendEncryptedService"))
    assert.isUndefined(LooseTl.method("invokeWithLayer"))
    assert.isUndefined(LooseTl.method("messages.nope"))
    assert.isUndefined(LooseTl.method("toString"))
  })

  it("writes results and plain values", () => {
    const { response } = method("users.getUsers")
    assert.isDefined(response)
    assert.deepEqual(LooseTl.result(method("messages.receivedQueue"), [5n]), Result.succeed(["5"]))
    assert.deepEqual(
      LooseTl.toJson({ _tag: "X", randomId: 5n, keyHash: new Uint8Array([1]), no: undefined, list: [{ aB: 1 }] }),
      {
        _: "X",
        random_id: "5",
        key_hash: { _: "bytes", bytes: "AQ==" },
        list: [{ a_b: 1 }]
      }
    )
  })
})

describe("Failure", () => {
  it("keeps the codes of the server, and turns floods into 429", () => {
    const at = (error: unknown) => {
      const { code, retryAfter, type } = Failure.fromError(error)
      return [code, type, retryAfter]
    }
    assert.deepStrictEqual(at(Errors.fromServer({ code: 400, type: "DATA_INVALID" })), [400, "DATA_INVALID", undefined])
    assert.deepStrictEqual(at(Errors.fromServer({ code: 403, type: "USER_IS_BLOCKED" })), [
      403,
      "USER_IS_BLOCKED",
      undefined
    ])
    assert.deepStrictEqual(at(Errors.fromServer({ code: 420, type: "FLOOD_WAIT_17" })), [429, "FLOOD_WAIT_17", 17])
    assert.deepStrictEqual(at(Errors.fromServer({ code: 303, type: "X_1" })), [400, "X_1", undefined])
    assert.deepStrictEqual(at(Errors.fromServer({ code: -503, type: "Timeout" })), [500, "Timeout", undefined])
    assert.deepStrictEqual(at(new Errors.SecretChatUnknown({ chatId: 5 })), [404, "CHAT_UNKNOWN", undefined])
    assert.deepStrictEqual(at(new Errors.SecretChatUnknown({})), [400, "PEER_INVALID", undefined])
    assert.deepStrictEqual(at(new Errors.SecretChatNotReady({ chatId: 5, state: "waiting" })), [
      409,
      "CHAT_NOT_READY",
      undefined
    ])
    assert.deepStrictEqual(at(new TransportError({ reason: "timeout", detail: "late" })), [
      504,
      "TRANSPORT_TIMEOUT",
      undefined
    ])
    assert.deepStrictEqual(at(new Error("secret")), [500, "INTERNAL", undefined])
  })

  it("is written as documented, in both envelopes", () => {
    const flood = Failure.fromError(Errors.fromServer({ code: 420, type: "FLOOD_WAIT_17" }))
    assert.deepEqual(JSON.parse(Envelope.failure("ok", flood)), {
      ok: false,
      error_code: 429,
      description: "Too Many Requests: retry after 17",
      parameters: { type: "FLOOD_WAIT_17", retry_after: 17 }
    })
    assert.deepEqual(JSON.parse(Envelope.failure("success", Failure.notFound)), {
      success: false,
      response: null,
      errors: [{ exception: "NOT_FOUND", message: "Path not found", code: 404, parameters: { type: "NOT_FOUND" } }]
    })
    assert.strictEqual(Envelope.success("ok", { a: 5n }), "{\"ok\":true,\"result\":{\"a\":\"5\"}}")
    assert.strictEqual(Envelope.success("success", undefined), "{\"success\":true,\"response\":null,\"errors\":[]}")
  })
})

describe("Token", () => {
  it.effect("is random, named after its user, and hashed with the key of the vault", () =>
    Effect.gen(function*() {
      const crypto = yield* Crypto
      const vault = yield* Vault
      const tokens = [Token.temporary(crypto), Token.permanent(crypto, 5n), Token.permanent(crypto, 5n)]
      assert.strictEqual(new Set(tokens.map((t) => Redacted.value(t))).size, 3)
      for (const token of tokens) assert.isTrue(Token.isPlausible("user", Redacted.value(token)))
      assert.match(Redacted.value(tokens[1]!), /^5:[\w-]{43}$/)
      assert.isFalse(String(tokens[1]).includes("5:"))
      const hash = Token.hash(vault, "user", tokens[1]!)
      assert.deepStrictEqual(Token.hash(vault, "user", tokens[1]!), hash)
      assert.notDeepEqual(Token.hash(vault, "bot", tokens[1]!), hash)
      for (const text of ["", "x", "5:", `5:${"a".repeat(42)}`, `x:${"a".repeat(43)}`, `5:${"a".repeat(43)}\n`]) {
        assert.isFalse(Token.isPlausible("user", text), text)
      }
      assert.isTrue(Token.isEqual(crypto, Redacted.make("abc"), "abc"))
      assert.isFalse(Token.isEqual(crypto, Redacted.make("abc"), "abcd"))
    }).pipe(Effect.provide(Layer.merge(TestCrypto.layer({ seed: "gateway" }), NodeVault.layerMemory))))
})
