/**
 * The control surface: what the user of the server may tell it and ask it.
 * Everything here is immediate; nothing waits for a client, except `awaitCalls`.
 */
import type * as Api from "@effect-mtproto/core/Api"
import * as Srp from "@effect-mtproto/crypto/Srp"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as TestServer from "../TestServer.ts"
import { TestServerError } from "../TestServerError.ts"
import * as CallLog from "./callLog.ts"
import * as Engine from "./engine.ts"
import * as Failure from "./failure.ts"
import type { CallFault } from "./faults.ts"
import { GENERATOR, PRIME } from "./group.ts"
import * as Mail from "./mail.ts"
import { user } from "./methods/method.ts"
import type { Account } from "./model.ts"
import * as Session from "./session.ts"
import * as UpdateBox from "./updateBox.ts"
import * as World from "./world.ts"

type Server = TestServer.TestServer["Service"]

const tagOf = (method: string | Api.AnyMethod): string => typeof method === "string" ? method : method.tag

const describe = (account: Account): TestServer.Account => ({
  id: account.id,
  phone: account.phone,
  firstName: account.firstName,
  ...(account.lastName === undefined ? {} : { lastName: account.lastName }),
  ...(account.username === undefined ? {} : { username: account.username }),
  isBot: account.botToken !== undefined
})

const fail = (reason: TestServerError["reason"], detail: string) => Effect.fail(new TestServerError({ reason, detail }))

/** The account with a phone number, however it is written. */
const find = (world: World.World, phone: string): Effect.Effect<Account, TestServerError> => {
  const account = world.byPhone.get(World.normalizePhone(phone) ?? "")
  return account === undefined
    ? fail("UnknownAccount", "no account has this phone number: make it with createAccount first")
    : Effect.succeed(account)
}

const FIRST_ID = 1000n

const createAccount = (
  world: World.World,
  options: TestServer.AccountOptions
): Effect.Effect<TestServer.Account, TestServerError> => {
  const phone = World.normalizePhone(options.phone)
  if (phone === undefined) return fail("InvalidPhone", "a phone number has 5 to 15 digits")
  if (world.byPhone.has(phone)) return fail("PhoneTaken", "another account has this phone number")
  const username = options.username?.toLowerCase()
  if (username !== undefined && world.byUsername.has(username)) {
    return fail("UsernameTaken", "another account has this username")
  }
  if (options.botToken !== undefined && world.byToken.has(options.botToken)) {
    return fail("TokenTaken", "another bot has this token")
  }
  const dc = options.dc ?? world.dcId
  if (!world.addresses.some((address) => address.id === dc)) {
    return fail("UnknownDc", "the server has no data centre of this number")
  }
  let id = options.id ?? FIRST_ID + BigInt(world.accounts.size)
  if (options.id !== undefined && (id <= 0n || world.accounts.has(id))) {
    return fail("IdTaken", "another account has this number, or it is not positive")
  }
  while (world.accounts.has(id)) id++
  const account: Account = {
    id,
    phone,
    firstName: options.firstName,
    lastName: options.lastName,
    username: options.username,
    botToken: options.botToken,
    dc,
    password: undefined,
    deleted: false,
    mail: Mail.make(id),
    blocked: new Set(),
    contacts: new Set(),
    authorizations: new Set()
  }
  world.accounts.set(id, account)
  world.byPhone.set(phone, account)
  if (username !== undefined) world.byUsername.set(username, account)
  if (options.botToken !== undefined) world.byToken.set(options.botToken, account)
  if (options.code !== undefined) world.codes.set(phone, options.code)
  world.revision++
  return options.password === undefined
    ? Effect.succeed(describe(account))
    : Effect.as(setPassword(world, account, options.password, options.passwordHint), describe(account))
}

const SALT1 = 40
const SALT2 = 16

/** Turns two-step verification on, or off. */
const setPassword = (
  world: World.World,
  account: Account,
  password: Redacted.Redacted<string> | string | undefined,
  hint: string | undefined
): Effect.Effect<void> => {
  if (password === undefined) {
    return Effect.sync(() => {
      account.password = undefined
      world.revision++
    })
  }
  const salts = { salt1: world.crypto.randomBytes(SALT1), salt2: world.crypto.randomBytes(SALT2) }
  return Srp.verifier(world.crypto, {
    algorithm: { ...salts, g: GENERATOR, p: PRIME },
    password: typeof password === "string" ? Redacted.make(password) : password
  }).pipe(
    Effect.map((verifier) => {
      account.password = { ...salts, verifier, hint }
      world.revision++
    }),
    Effect.orDie
  )
}

const sessionsOf = (account: Account): Array<Session.Session> =>
  [...account.authorizations].flatMap((authorization) => [...World.sessionsOf(authorization.key)])

/** Everything about one server that does not depend on its address. */
export const make = (
  engine: Engine.Engine
): Omit<Server, "host" | "port" | "dcId" | "datacenters" | "testMode" | "publicKeys" | "publicKeyPem" | "save"> => {
  const { runtime, world } = engine
  const { faults, settings } = world
  const settled = <A>(run: () => A): Effect.Effect<A> =>
    Effect.sync(() => {
      const result = run()
      Engine.settle(engine)
      return result
    })
  const withAccount = <A>(phone: string, run: (account: Account) => A): Effect.Effect<A, TestServerError> =>
    Effect.flatMap(find(world, phone), (account) => settled(() => run(account)))
  const phoneOf = (phone: string | undefined): Effect.Effect<string | undefined, TestServerError> =>
    phone === undefined ? Effect.succeed(undefined) : Effect.map(find(world, phone), (account) => account.phone)
  const order = (
    method: string | Api.AnyMethod,
    fault: CallFault,
    options: TestServer.FaultOptions | undefined
  ): Effect.Effect<void, TestServerError> =>
    Effect.map(phoneOf(options?.account), (phone) => {
      faults.calls.push({ method: tagOf(method), phone, fault, remaining: options?.times ?? 1 })
    })
  const rules = (change: Partial<Session.Rules>): Effect.Effect<void> =>
    Effect.sync(() => {
      settings.rules = { ...settings.rules, ...change }
    })

  return {
    createAccount: (options) => Effect.suspend(() => createAccount(world, options)),
    account: (phone) => Effect.map(find(world, phone), describe),
    loginCode: (phone) =>
      Effect.suspend(() => {
        const normalized = World.normalizePhone(phone)
        return normalized === undefined
          ? fail("InvalidPhone", "a phone number has 5 to 15 digits")
          : Effect.sync(() => {
            world.revision++
            return World.codeOf(world, normalized)
          })
      }),
    setPassword: (phone, password, hint) =>
      Effect.flatMap(find(world, phone), (account) => setPassword(world, account, password, hint)),
    deleteAccount: (phone) =>
      withAccount(phone, (account) => {
        account.deleted = true
        for (const authorization of account.authorizations) {
          authorization.active = false
          for (const key of [authorization.key, ...authorization.imported]) key.authorization = undefined
          authorization.imported.clear()
        }
        account.authorizations.clear()
      }),
    logOut: (phone) =>
      withAccount(phone, (account) => {
        for (const authorization of account.authorizations) World.terminate(world, authorization)
      }),
    sendMessage: (from, to, text) =>
      Effect.flatMap(find(world, to), (recipient) =>
        withAccount(from, (sender) => {
          const event = Mail.send(sender.mail, recipient.mail, {
            date: World.seconds(world),
            text,
            entities: undefined,
            silent: false,
            document: undefined
          }, { randomId: World.randomLong(world), replyTo: undefined, limit: world.limits.mail })
          World.sendMail(world, sender, event.own)
          if (event.other !== undefined) World.sendMail(world, recipient, event.other)
        })),
    messages: (phone) =>
      withAccount(phone, (account) =>
        [...account.mail.messages.values()].map((mail) => ({
          id: mail.id,
          from: world.accounts.get(mail.from)?.phone ?? "",
          with: world.accounts.get(mail.peer)?.phone ?? "",
          text: mail.text,
          date: mail.date,
          ...(mail.document === undefined ? {} : { file: mail.document.file.bytes })
        }))),
    answer: (method, respond) =>
      Effect.sync(() => {
        const entry = user(method as Api.AnyMethod, (_call, request) => {
          const { _tag, ...params } = request as { readonly _tag: string }
          return (respond as (params: unknown) => unknown)(params)
        })
        runtime.stubs.set(method.tag, { ...entry, access: "anyone" })
      }),
    calls: (method) => Effect.sync(() => CallLog.list(world.calls, method === undefined ? undefined : tagOf(method))),
    callCount: (method) => Effect.sync(() => CallLog.count(world.calls, tagOf(method))),
    clearCalls: Effect.sync(() => CallLog.clear(world.calls)),
    awaitCalls: (method, count = 1) =>
      Effect.callback((resume) => {
        const giveUp = CallLog.wait(world.calls, tagOf(method), count, () =>
          resume(Effect.sync(() =>
            CallLog.list(world.calls, tagOf(method))
          )))
        return Effect.sync(giveUp)
      }),
    counters: Effect.sync(() => ({
      ...world.counters,
      connections: engine.links.size,
      sessions: engine.attachments.size,
      keys: world.keys.size,
      chats: world.chats.size,
      fileBytes: world.files.bytes
    })),
    secretChats: Effect.sync(() =>
      [...world.chats.values()].map((chat) => ({
        id: chat.id,
        state: chat.state,
        initiator: chat.initiator.account.phone,
        participant: chat.participant.account.phone
      }))
    ),
    devices: (phone) =>
      withAccount(phone, (account) =>
        [...account.authorizations].map((authorization) => {
          const sessions = [...World.sessionsOf(authorization.key)]
          return {
            hash: authorization.hash,
            qts: authorization.box.qts,
            unconfirmedMessages: UpdateBox.waiting(authorization.box),
            unconfirmedUpdates: authorization.box.others.length,
            sessions: sessions.length,
            connections: sessions.filter((session) => engine.attachments.get(session)?.link !== undefined).length,
            unacknowledged: sessions.reduce((sum, session) => sum + session.unacked.size, 0)
          }
        })),
    faults: {
      failNext: (method, error) => order(method, { _tag: "Fail", code: error.code, type: error.type }, error),
      dropAnswer: (method, options) => order(method, { _tag: "DropAnswer" }, options),
      delayNext: (method, duration, options) =>
        order(method, { _tag: "Delay", millis: Duration.toMillis(Duration.fromInputUnsafe(duration)) }, options),
      duplicateAnswer: (method, options) => order(method, { _tag: "DuplicateAnswer" }, options),
      announceAnswer: (method, options) => order(method, { _tag: "AnnounceAnswer" }, options),
      disconnectOn: (method, when, options) => order(method, { _tag: "Disconnect", when }, options),
      dropConnections: (phone) =>
        phone === undefined
          ? settled(() => {
            const links = [...engine.links]
            for (const link of links) link.destroy()
            return links.length
          })
          : withAccount(phone, (account) => {
            const links = new Set(
              sessionsOf(account).map((session) => engine.attachments.get(session)?.link).filter((link) =>
                link !== undefined
              )
            )
            for (const link of links) link.destroy()
            return links.size
          }),
      badServerSalt: (options) =>
        Effect.map(phoneOf(options?.account), (phone) => {
          faults.packets.push({ code: Session.BadMessage.wrongSalt, phone, remaining: options?.times ?? 1 })
        }),
      badMessage: (code, options) =>
        Effect.map(phoneOf(options?.account), (phone) => {
          faults.packets.push({ code, phone, remaining: options?.times ?? 1 })
        }),
      transportError: (code, options) =>
        Effect.sync(() => {
          faults.transport.push({ code, remaining: options?.times ?? 1 })
        }),
      handshake: (fault, options) =>
        Effect.sync(() => {
          faults.handshake.push({ fault, remaining: options?.times ?? 1 })
        }),
      forgetSessions: (phone) =>
        withAccount(phone, (account) => {
          for (const session of sessionsOf(account)) Session.forgetEverything(session, World.randomLong(world))
        }),
      qtsGap: (phone, by = 1) =>
        withAccount(phone, (account) => {
          for (const authorization of account.authorizations) authorization.box.qts += by
        }),
      dropUpdates: (phone, count = 1) =>
        withAccount(phone, (account) => {
          faults.unpushed.set(account.phone, (faults.unpushed.get(account.phone) ?? 0) + count)
        }),
      reorder: (phone, count = 1) =>
        withAccount(phone, (account) => {
          faults.late.set(account.phone, (faults.late.get(account.phone) ?? 0) + count)
        }),
      updatesTooLong: (phone) =>
        withAccount(phone, (account) => {
          for (const session of sessionsOf(account)) {
            if (!session.wantsUpdates) continue
            Session.loseUpdates(session)
            world.dirty.add(session)
          }
        }),
      differenceTooLong: (times = 1) =>
        Effect.sync(() => {
          faults.differencesTooLong += times
        }),
      differenceLimit: (limit) =>
        Effect.sync(() => {
          faults.differenceLimit = limit
        }),
      clockSkew: (skew) =>
        Effect.sync(() => {
          settings.clockSkew = skew
        }),
      gzip: (mode) =>
        Effect.sync(() => {
          settings.gzip = mode
        }),
      trailingBytes: (enabled) =>
        Effect.sync(() => {
          settings.trailingBytes = enabled
        }),
      containers: (enabled) => rules({ containers: enabled }),
      acceptance: (checks) =>
        rules({
          ...(checks.time === undefined ? {} : { checkTime: checks.time }),
          ...(checks.salt === undefined ? {} : { checkSalt: checks.salt }),
          ...(checks.sequence === undefined ? {} : { checkSequence: checks.sequence })
        }),
      clear: Effect.sync(() => {
        faults.calls = []
        faults.handshake = []
        faults.packets = []
        faults.transport = []
        faults.differencesTooLong = 0
        faults.differenceLimit = undefined
        faults.unpushed.clear()
        faults.late.clear()
      })
    }
  }
}

/** An error in place of an answer, for `answer`. */
export const failure = (code: number, type: string): Failure.RpcFailure => Failure.make(code, type)
