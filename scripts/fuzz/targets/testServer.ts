/** What a client, or somebody who is none, can send to the test server. */
import * as Api from "@effect-mtproto/core/Api"
import * as MtprotoApi from "@effect-mtproto/core/MtprotoApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as Packet from "@effect-mtproto/crypto/Packet"
import * as RsaPublicKey from "@effect-mtproto/crypto/RsaPublicKey"
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { gzipSync } from "node:zlib"
import * as DevelopmentKey from "../../../packages/test-server/src/internal/developmentKey.ts"
import * as Engine from "../../../packages/test-server/src/internal/engine.ts"
import * as KeyExchange from "../../../packages/test-server/src/internal/keyExchange.ts"
import * as Limits from "../../../packages/test-server/src/internal/limits.ts"
import * as Mail from "../../../packages/test-server/src/internal/mail.ts"
import type { Account } from "../../../packages/test-server/src/internal/model.ts"
import * as Relay from "../../../packages/test-server/src/internal/relay.ts"
import * as Session from "../../../packages/test-server/src/internal/session.ts"
import * as World from "../../../packages/test-server/src/internal/world.ts"
import { containerOf, encode, initialize } from "../../../packages/test-server/test/support/client.ts"
import { makeCrypto } from "../makeCrypto.ts"
import { below, concat, pick, type Random, type Target } from "../Target.ts"

const NOW = 1_700_000_000_000
const CHAT = 77
const SALT = 5n
const SESSION = 6n
const PHONES = ["15550001", "15550002"] as const

/** The name of a message of the client, some time after `NOW`. */
const msgId = (n: number): bigint => (BigInt(NOW / 1000) << 32n) + BigInt(4 * n)

/** A server with two people, logged in, and a secret chat between them. Its mistakes are violations. */
const serve = (crypto: Crypto["Service"], keys: ReadonlyArray<SharedKey.SharedKey>) => {
  let now = NOW
  const world = World.make({
    crypto,
    clock: () => now,
    dcId: 2,
    testMode: false,
    limits: Limits.defaults,
    settings: { rules: { ...Session.defaultRules }, gzip: "auto", trailingBytes: false, clockSkew: 0 }
  })
  const people = PHONES.map((phone, i) => {
    const account: Account = {
      id: 1000n + BigInt(i),
      phone,
      firstName: "Ann",
      lastName: undefined,
      username: `ann${i}`,
      botToken: undefined,
      dc: 2,
      password: undefined,
      deleted: false,
      mail: Mail.make(1000n + BigInt(i)),
      blocked: new Set(),
      contacts: new Set(),
      authorizations: new Set()
    }
    world.accounts.set(account.id, account)
    world.byPhone.set(phone, account)
    const key = World.addKey(world, keys[i]!, { dc: 2, salt: SALT, expiresIn: undefined })
    return { account, key, authorization: World.authorize(world, key, account) }
  })
  const [a, b] = people as [typeof people[number], typeof people[number]]
  const { result: chat } = Relay.request({
    id: CHAT,
    device: a.authorization,
    account: b.account,
    gA: new Uint8Array(256).fill(3),
    accessHashes: [1n, 2n],
    now: NOW / 1000
  })
  world.chats.set(CHAT, chat)
  Relay.accept(chat, b.authorization, {
    accessHash: 2n,
    gB: new Uint8Array(256).fill(4),
    keyFingerprint: 9n,
    now: NOW / 1000
  })
  const timers: Array<() => void> = []
  const engine = Engine.make({
    world,
    stubs: new Map(),
    run: (effect, done) => {
      Effect.runFork(effect).addObserver((exit) => {
        if (exit._tag === "Success") done(exit.value)
      })
    },
    after: (_, run) => {
      timers.push(run)
      return () => {
        const at = timers.indexOf(run)
        if (at !== -1) timers.splice(at, 1)
      }
    },
    report: (error) => {
      throw new Error("an internal error of the server", { cause: error })
    }
  })
  let open = true
  let written = 0
  const link: Engine.Link = {
    dc: 2,
    sessions: new Set(),
    isOpen: () => open,
    isFull: () => written > Limits.defaults.unreadBytes,
    send: (packets) => {
      for (const { length } of packets) written += length
    },
    quickAck: () => {},
    transportError: () => {},
    close: () => {
      open = false
    },
    destroy: () => {
      open = false
    },
    keepAlive: () => {}
  }
  return {
    world,
    accessHash: World.accessHash(world, a.account, b.account),
    receive: (packet: Uint8Array, quick: boolean): void => {
      if (!open) return
      now += 10
      Engine.receive(engine, link, packet, quick)
      Engine.settle(engine)
      for (let i = 0; i < 3 && timers.length > 0; i++) timers.shift()!()
      Engine.settle(engine)
      if (Engine.isPostponing(engine, link)) {
        written = 0
        Engine.resume(engine, link)
        Engine.performPostponed(engine, link)
        Engine.settle(engine)
      }
    },
    end: (): void => {
      Engine.detach(engine, link)
      now += 3_600_000
      Engine.sweep(engine)
      Engine.settle(engine)
    }
  }
}

const methods: ReadonlyArray<Uint8Array> = [
  Api.updates.getState(),
  Api.updates.getDifference({ pts: 1, qts: 1, date: 1 }),
  Api.help.getConfig(),
  Api.auth.sendCode({ phoneNumber: PHONES[1], apiId: 1, apiHash: "x", settings: { _tag: "codeSettings" } }),
  Api.auth.signIn({ phoneNumber: PHONES[1], phoneCodeHash: "hash", phoneCode: "12345" }),
  Api.auth.logOut(),
  Api.contacts.resolvePhone({ phone: PHONES[1] }),
  Api.users.getUsers({ id: [{ _tag: "inputUserSelf" }, { _tag: "inputUser", userId: 1001n, accessHash: 5n }] }),
  Api.messages.getDhConfig({ version: 0, randomLength: 16 }),
  Api.messages.requestEncryption({
    userId: { _tag: "inputUser", userId: 1001n, accessHash: 5n },
    randomId: 78,
    gA: new Uint8Array(256).fill(5)
  }),
  Api.messages.acceptEncryption({
    peer: { _tag: "inputEncryptedChat", chatId: CHAT, accessHash: 1n },
    gB: new Uint8Array(256).fill(6),
    keyFingerprint: 7n
  }),
  Api.messages.discardEncryption({ chatId: CHAT }),
  Api.messages.sendEncrypted({
    peer: { _tag: "inputEncryptedChat", chatId: CHAT, accessHash: 1n },
    randomId: 8n,
    data: new Uint8Array(88).fill(1)
  }),
  Api.messages.sendEncryptedService({
    peer: { _tag: "inputEncryptedChat", chatId: CHAT, accessHash: 1n },
    randomId: 9n,
    data: new Uint8Array(88).fill(2)
  }),
  Api.messages.sendEncryptedFile({
    peer: { _tag: "inputEncryptedChat", chatId: CHAT, accessHash: 1n },
    randomId: 10n,
    data: new Uint8Array(88).fill(2),
    file: { _tag: "inputEncryptedFileUploaded", id: 1n, parts: 1, md5Checksum: "", keyFingerprint: 3 }
  }),
  Api.messages.readEncryptedHistory({
    peer: { _tag: "inputEncryptedChat", chatId: CHAT, accessHash: 1n },
    maxDate: 1_700_000_000
  }),
  Api.messages.setEncryptedTyping({
    peer: { _tag: "inputEncryptedChat", chatId: CHAT, accessHash: 1n },
    typing: true
  }),
  Api.messages.receivedQueue({ maxQts: 1 }),
  Api.upload.saveFilePart({ fileId: 1n, filePart: 0, bytes: new Uint8Array(64) }),
  Api.upload.saveBigFilePart({ fileId: 2n, filePart: 0, fileTotalParts: 2, bytes: new Uint8Array(64) }),
  Api.account.getPassword(),
  Api.auth.checkPassword({
    password: { _tag: "inputCheckPasswordSRP", srpId: 1n, A: new Uint8Array(256).fill(7), M1: new Uint8Array(32) }
  }),
  Api.auth.exportAuthorization({ dcId: 4 }),
  Api.auth.importAuthorization({ id: 1n, bytes: new Uint8Array(128) }),
  Api.messages.sendMessage({
    peer: { _tag: "inputPeerSelf" },
    message: "text",
    randomId: 11n,
    entities: [{ _tag: "messageEntityTextUrl", offset: 0, length: 1, url: "https://example.org" }]
  }),
  Api.messages.sendMedia({
    peer: { _tag: "inputPeerSelf" },
    message: "",
    randomId: 12n,
    media: {
      _tag: "inputMediaUploadedDocument",
      file: { _tag: "inputFile", id: 1n, parts: 1, name: "a", md5Checksum: "" },
      mimeType: "text/plain",
      attributes: [{ _tag: "documentAttributeFilename", fileName: "a" }]
    }
  }),
  Api.messages.getHistory({
    peer: { _tag: "inputPeerSelf" },
    offsetId: 0,
    offsetDate: 0,
    addOffset: 0,
    limit: 10,
    maxId: 0,
    minId: 0,
    hash: 0n
  }),
  Api.messages.getDialogs({
    offsetDate: 0,
    offsetId: 0,
    offsetPeer: { _tag: "inputPeerEmpty" },
    limit: 10,
    hash: 0n
  }),
  Api.messages.readHistory({ peer: { _tag: "inputPeerSelf" }, maxId: 0 }),
  Api.messages.deleteMessages({ id: [1, 2, 3], revoke: true }),
  Api.upload.getFile({
    location: { _tag: "inputEncryptedFileLocation", id: 1n, accessHash: 2n },
    offset: 0n,
    limit: 4096
  })
].map((request) => Api.encodeRequest(request as Api.AnyRequest).slice())

/** Requests as clients of older layers write them. */
const olderMethods = [
  // auth.signIn and messages.sendMessage of layer 144
  "8115d5bc 083135353530303031000000 0468617368000000 0531323334350000",
  "a4759d0d 01000000 c97ea07d 05000000 02686900 0900000000000000",
  // messages.sendMessage of layer 198
  "45973f98 00000000 c97ea07d 02686900 0900000000000000",
  // auth.sendCode with codeSettings of layer 144
  "4f2477a6 083135353530303031000000 01000000 01780000 c269648a 00000000"
].map((text) => new Uint8Array(Buffer.from(text.replaceAll(" ", ""), "hex")))

const bodies = (): ReadonlyArray<Uint8Array> => {
  const message = (body: Uint8Array, n: number): MtprotoApi.message => ({
    _tag: "message",
    msgId: msgId(n),
    seqno: 2 * n + 1,
    body
  })
  return [
    ...methods,
    ...olderMethods,
    ...methods.map((method, i) => initialize(method, [144, 193, 198][i % 3])),
    initialize(methods[0]!),
    initialize(methods[2]!, 1),
    Api.wrap(Api.invokeAfterMsg, { msgId: msgId(1) }, methods[0]!),
    Api.wrap(Api.invokeWithoutUpdates, {}, methods[0]!),
    encode.ping(1n),
    encode.pingDelayDisconnect(1n, 75),
    encode.ack([msgId(1), 2n]),
    encode.stateReq([msgId(1)]),
    encode.resendReq([1n]),
    encode.dropAnswer(msgId(1)),
    encode.getFutureSalts(64),
    encode.destroySession(SESSION),
    encode.destroyKey(),
    encode.copy(message(encode.ping(1n), 2)),
    containerOf([message(methods[0]!, 1), message(methods[12]!, 2), message(encode.ping(1n), 3)]),
    encode.packed(gzipSync(methods[12]!)),
    // more than a session accepts
    encode.packed(gzipSync(new Uint8Array(1 << 26))),
    encode.packed(gzipSync(encode.packed(gzipSync(methods[0]!))))
  ].map((body) => body.slice())
}

const sealed = (crypto: Crypto["Service"], key: SharedKey.SharedKey, body: Uint8Array, n: number): Uint8Array =>
  Packet.seal(crypto, {
    key,
    from: "client",
    message: { salt: SALT, sessionId: SESSION, msgId: msgId(n), seqNo: 2 * n + 1, body }
  }).packet

const engineTargets = (crypto: Crypto["Service"]): ReadonlyArray<Target> => {
  const keys = PHONES.map(() => SharedKey.make(crypto, crypto.randomBytes(256)))
  const key = keys[0]!
  const honest = methods[0]!
  const whole = (input: Uint8Array) => concat(input, new Uint8Array(-input.length & 3))
  return [
    {
      name: "test-server/engine.receive",
      seeds: bodies().filter(({ length }) => length < 100_000).map((body, i) => sealed(crypto, key, body, i + 1)),
      run: (packet, next) => {
        const server = serve(crypto, keys)
        server.receive(packet, next() < 0.5)
        server.end()
      },
      isExpected: () => false
    },
    {
      name: "test-server/engine.receive, authentic",
      seeds: bodies(),
      run: (input, next) => {
        const server = serve(crypto, keys)
        // In a session that has begun, and again: a repetition changes nothing.
        server.receive(sealed(crypto, key, honest, 1), false)
        const packet = sealed(crypto, key, whole(input), next() < 0.9 ? 2 : below(next, 1 << 20))
        server.receive(packet, next() < 0.2)
        server.receive(packet, false)
        server.receive(sealed(crypto, key, honest, 3), false)
        server.end()
      },
      isExpected: () => false
    },
    {
      name: "test-server/engine.receive, a conversation",
      seeds: methods,
      rarity: 4,
      run: (input, next: Random) => {
        const server = serve(crypto, keys)
        for (let n = 1; n < 12; n++) {
          const body = next() < 0.3 ? whole(input) : pick(next, methods)
          const from = next() < 0.8 ? key : keys[1]!
          server.receive(sealed(crypto, from, next() < 0.2 ? initialize(body) : body, n), false)
        }
        server.end()
      },
      isExpected: () => false
    },
    {
      name: "test-server/engine.receive, any method with noise",
      seeds: [],
      run: (noise, next) => {
        const server = serve(crypto, keys)
        const body = concat(pick(next, methods).subarray(0, 4), whole(noise))
        server.receive(sealed(crypto, key, body, 1), false)
        server.end()
      },
      isExpected: () => false
    }
  ]
}

const exchangeTarget = (crypto: Crypto["Service"]): Target => {
  const rsa = Result.getOrThrow(RsaPublicKey.privateFromPem(crypto, DevelopmentKey.pem))
  const nonce = new Uint8Array(16).fill(1)
  const requests = [
    TlCodec.encode(MtprotoApi.req_pq_multi)({ _tag: "req_pq_multi", nonce }),
    TlCodec.encode(MtprotoApi.req_DH_params)({
      _tag: "req_DH_params",
      nonce,
      serverNonce: nonce,
      p: new Uint8Array(4).fill(1),
      q: new Uint8Array(4).fill(2),
      publicKeyFingerprint: rsa.fingerprint,
      encryptedData: new Uint8Array(256).fill(3)
    }),
    TlCodec.encode(MtprotoApi.set_client_DH_params)({
      _tag: "set_client_DH_params",
      nonce,
      serverNonce: nonce,
      encryptedData: new Uint8Array(336).fill(3)
    }),
    encode.ack([1n])
  ].map((body) => body.slice())
  const keys = PHONES.map(() => SharedKey.make(crypto, crypto.randomBytes(256)))
  return {
    name: "test-server/KeyExchange.handle",
    seeds: requests,
    rarity: 4,
    slow: true,
    run: (body, next) => {
      const { world } = serve(crypto, keys)
      const state = KeyExchange.make({ crypto, key: rsa, pem: DevelopmentKey.pem, dc: 2 })
      return Effect.runPromise(Effect.gen(function*() {
        const started = yield* KeyExchange.handle(world, state, requests[0]!)
        // Half of the requests belong to the exchange that was begun.
        const aimed = body.slice()
        if (started._tag === "Answer" && next() < 0.5 && aimed.length >= 36) {
          aimed.set(nonce, 4)
          aimed.set(started.body.subarray(20, 36), 20)
        }
        yield* KeyExchange.handle(world, state, aimed)
        return yield* KeyExchange.handle(world, state, body)
      }))
    },
    isExpected: () => false
  }
}

export const make = async (): Promise<ReadonlyArray<Target>> => {
  const crypto = await makeCrypto()
  return [...engineTargets(crypto), exchangeTarget(crypto)]
}
