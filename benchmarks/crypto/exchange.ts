/**
 * What agreeing on an authorization key costs the client.
 *
 * The random bytes of both clients are the same in every run, so their requests are too, and the server answers them from
 * memory: only the client works. CPU time is that of all threads of the process.
 */
import * as MtprotoApi from "@effect-mtproto/core/MtprotoApi"
import * as TlCodec from "@effect-mtproto/core/TlCodec"
import { TlReader } from "@effect-mtproto/core/TlReader"
import * as Formulas from "@effect-mtproto/crypto/AuthKeyExchange"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import * as DiffieHellman from "@effect-mtproto/crypto/DiffieHellman"
import * as RsaPad from "@effect-mtproto/crypto/RsaPad"
import * as RsaPublicKey from "@effect-mtproto/crypto/RsaPublicKey"
import * as TestCrypto from "@effect-mtproto/crypto/TestCrypto"
import * as AuthKeyExchange from "@effect-mtproto/transport/AuthKeyExchange"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import { generateKeyPairSync } from "node:crypto"
import { assertEqualBytes, type Bench, median } from "../lib/Bench.ts"
import * as Mtcute from "../lib/Mtcute.ts"
import { named } from "../lib/Versions.ts"

const requests = TlCodec.make(MtprotoApi.HandshakeRequest)
const inner = TlCodec.make(MtprotoApi.P_Q_inner_data)
const clientInner = TlCodec.make(MtprotoApi.client_DH_inner_data)
const resPq = TlCodec.make(MtprotoApi.resPQ)
const dhParams = TlCodec.make(MtprotoApi.Server_DH_Params)
const dhInner = TlCodec.make(MtprotoApi.server_DH_inner_data)
const dhAnswer = TlCodec.make(MtprotoApi.Set_client_DH_params_answer)

const PQ = 1229739323n * 1402015859n

const bigEndian = (n: bigint): Uint8Array => {
  const hex = n.toString(16)
  return Uint8Array.from(Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, "hex"))
}

interface Server {
  readonly publicKey: RsaPublicKey.RsaPublicKey
  readonly pem: string
  /** The answer to the body of a plain message. */
  readonly answer: (body: Uint8Array) => Promise<Uint8Array>
}

/** A server that does nothing twice. */
const makeServer = async (crypto: Crypto["Service"]): Promise<Server> => {
  const pair = generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "pkcs1", format: "pem" },
    privateKeyEncoding: { type: "pkcs1", format: "pem" }
  })
  const key = Result.getOrThrow(RsaPublicKey.privateFromPem(crypto, pair.privateKey))
  const group = await Effect.runPromise(DiffieHellman.checkGroup(crypto, { g: 3, p: DiffieHellman.wellKnownPrime() }))
  const own = await Effect.runPromise(DiffieHellman.generate(crypto, group))
  const serverNonce = crypto.randomBytes(16)
  const known = new Map<string, Uint8Array>()
  let newNonce: Uint8Array = new Uint8Array(32)

  const make = async (body: Uint8Array): Promise<Uint8Array> => {
    const request = requests.read(new TlReader(body))
    switch (request._tag) {
      case "req_pq":
      case "req_pq_multi":
        return resPq.encode({
          _tag: "resPQ",
          nonce: request.nonce,
          serverNonce,
          pq: bigEndian(PQ),
          serverPublicKeyFingerprints: [key.fingerprint]
        })
      case "req_DH_params": {
        const data = await Effect.runPromise(RsaPad.decrypt(crypto, key, request.encryptedData))
        newNonce = inner.read(new TlReader(data)).newNonce.slice()
        const aes = Formulas.temporaryAesKey(crypto, { newNonce, serverNonce })
        const plain = dhInner.encode({
          _tag: "server_DH_inner_data",
          nonce: request.nonce,
          serverNonce,
          g: 3,
          dhPrime: group.p,
          gA: own.publicValue,
          serverTime: 1_750_000_000
        })
        return dhParams.encode({
          _tag: "server_DH_params_ok",
          nonce: request.nonce,
          serverNonce,
          encryptedAnswer: Formulas.sealInner(crypto, aes, plain)
        })
      }
      case "set_client_DH_params": {
        const aes = Formulas.temporaryAesKey(crypto, { newNonce, serverNonce })
        const plain = Result.getOrThrow(Formulas.openInner(crypto, aes, request.encryptedData))
        const { gB } = clientInner.decode(plain)
        const shared = await Effect.runPromise(DiffieHellman.agree(crypto, group, own.secret, gB))
        return dhAnswer.encode({
          _tag: "dh_gen_ok",
          nonce: request.nonce,
          serverNonce,
          newNonceHash1: Formulas.newNonceHash(crypto, newNonce, 1, shared)
        })
      }
      default:
        throw new Error("an unexpected request")
    }
  }

  return {
    publicKey: key,
    pem: pair.publicKey,
    answer: async (body) => {
      const name = Buffer.from(body).toString("latin1")
      const answer = known.get(name)
      if (answer !== undefined) return answer
      const made = (await make(body)).slice()
      known.set(name, made)
      return made
    }
  }
}

const cpu = (): number => {
  const { system, user } = process.cpuUsage()
  return (system + user) / 1e3
}

export const run = async (bench: Bench, crypto: Crypto["Service"]): Promise<void> => {
  const [internals, provider] = await Promise.all([Mtcute.loadInternals(), Mtcute.loadProvider()])
  const server = await makeServer(crypto)
  internals.addPublicKey(provider, server.pem)

  const ours = async (): Promise<Uint8Array> => {
    const client = TestCrypto.make(crypto, { seed: "benchmark" })
    const agreed = await Effect.runPromise(
      AuthKeyExchange.run(
        client,
        { publicKeys: [server.publicKey], dc: 2 },
        (body) => Effect.promise(() => server.answer(body.slice()))
      )
    )
    return agreed.key.bytes
  }

  const theirs = async (): Promise<Uint8Array> => {
    const stream = crypto.aesCtr(new Uint8Array(32).fill(7), new Uint8Array(16))
    provider.randomFill = (bytes) => bytes.set(stream(new Uint8Array(bytes.length)))
    const answers: Array<Promise<Uint8Array>> = []
    let messageId = 0
    const Long = await Mtcute.loadLong()
    const connection = {
      log: Mtcute.silentLog,
      params: { dc: { id: 2 } },
      _session: {
        _readerMap: internals.mtpReaderMap,
        _writerMap: internals.mtpWriterMap,
        getMessageId: () => new Long(++messageId * 4, 1),
        updateTimeOffset: () => undefined
      },
      send: async (packet: Uint8Array) => {
        answers.push(server.answer(packet.slice(20)))
      },
      waitForUnencryptedMessage: async () => {
        const body = await answers.shift()!
        const packet = new Uint8Array(20 + body.length)
        packet.set(body, 20)
        return packet
      }
    }
    return (await internals.doAuthorization(connection, provider))[0]
  }

  // The first runs fill the memory of the server, and warm up.
  for (let i = 0; i < 5; i++) {
    assertEqualBytes("our key", await ours(), await ours())
    assertEqualBytes("their key", await theirs(), await theirs())
  }
  const figures: Array<readonly [ours: number, theirs: number]> = []
  for (let i = 0; i < Math.max(10, bench.rounds); i++) {
    const start = cpu()
    await ours()
    const middle = cpu()
    await theirs()
    figures.push([middle - start, cpu() - middle])
  }
  bench.add({
    name: "authorization key exchange: CPU time of the client",
    unit: "ms",
    ours: median(figures.map(([a]) => a)),
    peer: median(figures.map(([, b]) => b)),
    peerName: named("@mtcute/core"),
    ratio: median(figures.map(([a, b]) => b / a)),
    goal: 2
  })
}
