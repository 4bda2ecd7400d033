/**
 * The state of the whole server, and what several methods do to it: accounts,
 * keys, logins, and getting updates to devices.
 *
 * Nothing here does I/O. Time is read from `clock`, random bytes from `crypto`;
 * what was queued for a session is written by whoever drains `dirty`.
 */
import * as Api from "@effect-mtproto/core/Api"
import type { Crypto } from "@effect-mtproto/crypto/Crypto"
import type * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import type * as Srp from "@effect-mtproto/crypto/Srp"
import { readLong, writeLong } from "./bytes.ts"
import * as CallLog from "./callLog.ts"
import * as Faults from "./faults.ts"
import * as Files from "./files.ts"
import * as Layers from "./layers.ts"
import type { Limits } from "./limits.ts"
import * as Mail from "./mail.ts"
import type { Account, AuthKey, Authorization, Chat } from "./model.ts"
import * as Relay from "./relay.ts"
import * as Salts from "./salts.ts"
import * as Session from "./session.ts"
import * as UpdateBox from "./updateBox.ts"

/** What can be changed while the server runs. */
export interface Settings {
  rules: Session.Rules
  /** Which results are compressed: those it pays for, all, or none. */
  gzip: "auto" | "always" | "never"
  /** Whether plain answers of the key exchange carry random bytes after their object, as in production. */
  trailingBytes: boolean
  /** How far the server's clock is ahead of the real one, in milliseconds. */
  clockSkew: number
}

export interface DcAddress {
  readonly id: number
  readonly host: string
  readonly port: number
}

export interface Counters {
  connectionsOpened: number
  connectionsClosed: number
  framesRefused: number
  keysCreated: number
  keysRefused: number
  sessionsCreated: number
  queries: number
  failures: number
  updatesPushed: number
  messagesRelayed: number
  framesSent: number
  bytesReceived: number
  bytesSent: number
}

interface LoginCode {
  readonly phone: string
  readonly key: AuthKey
  readonly expiresAt: number
  attempts: number
}

/** A challenge of two-step verification. */
export interface PasswordChallenge {
  readonly account: Account
  readonly key: AuthKey
  readonly challenge: Srp.Challenge
}

/** A login on its way to another data centre. */
export interface ExportedLogin {
  readonly authorization: Authorization
  readonly dc: number
  readonly bytes: Uint8Array
}

/** A code by which a device waits to be let in. */
export interface LoginToken {
  readonly name: string
  readonly bytes: Uint8Array
  /** The permanent key of the device. */
  readonly key: AuthKey
  readonly expiresAt: number
  acceptedBy: Account | undefined
}

export interface World {
  readonly crypto: Crypto["Service"]
  /** Milliseconds of unix time, skew included. */
  readonly clock: () => number
  /** The main data centre. */
  readonly dcId: number
  readonly testMode: boolean
  /** Where the data centres listen; filled in once the server does. */
  addresses: ReadonlyArray<DcAddress>
  readonly limits: Limits
  readonly settings: Settings
  /** The secret from which access hashes are derived. */
  secret: Uint8Array
  /** Changes with everything that may have to be saved. */
  revision: number
  readonly accounts: Map<bigint, Account>
  readonly byPhone: Map<string, Account>
  readonly byUsername: Map<string, Account>
  readonly byToken: Map<string, Account>
  /** The code that lets a phone number in. */
  readonly codes: Map<string, string>
  /** Logins under way, by `phone_code_hash`. */
  readonly logins: Map<string, LoginCode>
  readonly loginTokens: Map<string, LoginToken>
  readonly passwords: Map<bigint, PasswordChallenge>
  readonly exported: Map<bigint, ExportedLogin>
  readonly keys: Map<bigint, AuthKey>
  readonly chats: Map<number, Chat>
  readonly files: Files.FileStore
  /** What is known of files that are sent openly. */
  readonly documents: Map<bigint, Mail.MailDocument>
  readonly faults: Faults.Faults
  readonly calls: CallLog.CallLog
  readonly counters: Counters
  /** Sessions with something to write. */
  readonly dirty: Set<Session.Session>
  /** Sessions and keys that ended, whose connections have to be told. */
  readonly ended: Set<Session.Session>
}

export const make = (options: {
  readonly crypto: Crypto["Service"]
  readonly clock: () => number
  readonly dcId: number
  readonly testMode: boolean
  readonly limits: Limits
  readonly settings: Settings
}): World => ({
  ...options,
  addresses: [],
  secret: options.crypto.randomBytes(32),
  revision: 0,
  accounts: new Map(),
  byPhone: new Map(),
  byUsername: new Map(),
  byToken: new Map(),
  codes: new Map(),
  logins: new Map(),
  loginTokens: new Map(),
  passwords: new Map(),
  exported: new Map(),
  keys: new Map(),
  chats: new Map(),
  files: Files.make(options.limits.fileBytes),
  documents: new Map(),
  faults: Faults.make(),
  calls: CallLog.make(options.limits.calls, options.limits.callBytes),
  counters: {
    connectionsOpened: 0,
    connectionsClosed: 0,
    framesRefused: 0,
    keysCreated: 0,
    keysRefused: 0,
    sessionsCreated: 0,
    queries: 0,
    failures: 0,
    updatesPushed: 0,
    messagesRelayed: 0,
    framesSent: 0,
    bytesReceived: 0,
    bytesSent: 0
  },
  dirty: new Set(),
  ended: new Set()
})

export const seconds = (world: World): number => Math.floor(world.clock() / 1000)

/** A random `long` that is not 0. */
export const randomLong = (world: World): bigint => {
  const value = readLong(world.crypto.randomBytes(8), 0)
  return value === 0n ? 1n : value
}

// -----------------------------------------------------------------------------
// accounts
// -----------------------------------------------------------------------------

/** A phone number without everything that people write between its digits. */
export const normalizePhone = (phone: string): string | undefined => {
  const digits = phone.replace(/[\s()+.-]/g, "")
  return /^\d{5,15}$/.test(digits) ? digits : undefined
}

/** The code of a phone number: made up once, and the same from then on. */
export const codeOf = (world: World, phone: string): string => {
  let code = world.codes.get(phone)
  if (code === undefined) {
    code = Array.from(world.crypto.randomBytes(5), (byte) => byte % 10).join("")
    world.codes.set(phone, code)
    // numbers that nobody has, tried by clients, may not pile up
    if (world.codes.size > world.accounts.size + world.limits.loginCodes) {
      for (const other of world.codes.keys()) {
        if (world.byPhone.has(other)) continue
        world.codes.delete(other)
        break
      }
    }
  }
  return code
}

/** The access hash by which `viewer` names `target`: different for every viewer, so that it cannot be passed on. */
export const accessHash = (world: World, viewer: Account, target: Account): bigint => {
  const ids = new Uint8Array(16)
  writeLong(ids, 0, viewer.id)
  writeLong(ids, 8, target.id)
  return readLong(world.crypto.sha256(world.secret, ids), 0)
}

/** An account as another one sees it. */
export const userOf = (world: World, viewer: Account, target: Account): Api.User => {
  const contact = viewer.contacts.has(target.id)
  return {
    _tag: "user",
    id: target.id,
    accessHash: accessHash(world, viewer, target),
    ...(target.deleted ? { deleted: true } : {
      firstName: target.firstName,
      ...(target.lastName === undefined ? {} : { lastName: target.lastName }),
      ...(target.username === undefined ? {} : { username: target.username }),
      ...(viewer === target || contact ? { phone: target.phone } : {})
    }),
    ...(viewer === target ? { self: true } : {}),
    ...(contact ? { contact: true } : {}),
    ...(contact && target.contacts.has(viewer.id) ? { mutualContact: true } : {}),
    ...(target.botToken === undefined ? {} : { bot: true, botInfoVersion: 1 })
  }
}

/** The account that an `InputUser` names, if the viewer may name it so. */
export const resolveUser = (world: World, viewer: Account, user: Api.InputUser): Account | undefined => {
  switch (user._tag) {
    case "inputUserSelf":
      return viewer
    case "inputUser": {
      const account = world.accounts.get(user.userId)
      if (account === undefined) return undefined
      return account === viewer || accessHash(world, viewer, account) === user.accessHash ? account : undefined
    }
    default:
      return undefined
  }
}

// -----------------------------------------------------------------------------
// keys
// -----------------------------------------------------------------------------

/** Adds a key that was just agreed on. */
export const addKey = (
  world: World,
  key: SharedKey.SharedKey,
  options: { readonly dc: number; readonly salt: bigint; readonly expiresIn: number | undefined }
): AuthKey => {
  const now = seconds(world)
  const authKey: AuthKey = {
    key,
    dc: options.dc,
    createdAt: now,
    expiresAt: options.expiresIn === undefined ? undefined : now + options.expiresIn,
    boundTo: undefined,
    temporary: new Set(),
    salts: Salts.make(options.salt, now, key.bytes),
    sessions: new Map(),
    layer: Api.layer,
    client: undefined,
    authorization: undefined,
    passwordPending: undefined
  }
  world.keys.set(key.id, authKey)
  world.counters.keysCreated++
  forgetAnonymousKeys(world)
  return authKey
}

const forgetAnonymousKeys = (world: World): void => {
  const logins = [...world.accounts.values()].reduce((sum, account) => sum + account.authorizations.size, 0)
  if (world.keys.size <= logins + world.limits.anonymousKeys) return
  for (const key of world.keys.values()) {
    if (key.authorization !== undefined || key.boundTo !== undefined) continue
    removeKey(world, key)
    return
  }
}

/** Forgets a key, its sessions, and the login it had. */
export const removeKey = (world: World, key: AuthKey): void => {
  leave(world, key)
  world.keys.delete(key.key.id)
  for (const temporary of key.temporary) removeKey(world, temporary)
  key.boundTo?.temporary.delete(key)
  for (const session of key.sessions.values()) endSession(world, key, session)
}

/** Whether a temporary key is past its end. */
export const isExpired = (key: AuthKey, now: number): boolean => key.expiresAt !== undefined && key.expiresAt <= now

export const endSession = (world: World, key: AuthKey, session: Session.Session): void => {
  key.sessions.delete(session.id)
  world.dirty.delete(session)
  world.ended.add(session)
}

// -----------------------------------------------------------------------------
// logins
// -----------------------------------------------------------------------------

/** A key speaks for nobody any more. If it is the one that logged in, its login ends. */
const leave = (world: World, key: AuthKey): void => {
  const { authorization } = key
  if (authorization === undefined) return
  if (authorization.key === key) terminate(world, authorization)
  else {
    key.authorization = undefined
    authorization.imported.delete(key)
  }
}

/** Lets a key of another data centre speak for a login. */
export const importLogin = (world: World, key: AuthKey, authorization: Authorization): void => {
  if (key.authorization === authorization) return
  leave(world, key)
  key.authorization = authorization
  authorization.imported.add(key)
}

/** Logs an account in on a permanent key. */
export const authorize = (world: World, key: AuthKey, account: Account): Authorization => {
  key.passwordPending = undefined
  if (key.authorization?.account === account && key.authorization.key === key) return key.authorization
  leave(world, key)
  const authorization: Authorization = {
    hash: randomLong(world),
    account,
    key,
    createdAt: seconds(world),
    box: UpdateBox.make(),
    imported: new Set(),
    acceptsSecretChats: account.botToken === undefined,
    chats: new Set(),
    active: true
  }
  key.authorization = authorization
  account.authorizations.add(authorization)
  if (account.authorizations.size > world.limits.authorizationsPerAccount) {
    terminate(world, account.authorizations.values().next().value!)
  }
  return authorization
}

/** Ends a login. Its secret chats end with it; the key stays, logged out. */
export const terminate = (world: World, authorization: Authorization): void => {
  authorization.active = false
  authorization.account.authorizations.delete(authorization)
  for (const key of [authorization.key, ...authorization.imported]) {
    key.authorization = undefined
    for (const session of sessionsOf(key)) session.wantsUpdates = false
  }
  authorization.imported.clear()
  deliver(world, Relay.logOut(authorization, seconds(world)))
}

/** The sessions on a permanent key and on the temporary keys that speak for it. */
export const sessionsOf = function*(key: AuthKey): IterableIterator<Session.Session> {
  yield* key.sessions.values()
  for (const temporary of key.temporary) yield* temporary.sessions.values()
}

// -----------------------------------------------------------------------------
// updates
// -----------------------------------------------------------------------------

/** Queues updates on every session of a device that wants them, serialised once for each key. */
const pushTo = (
  world: World,
  authorization: Authorization,
  updates: () => Api.Updates,
  except?: Session.Session
): void => {
  const late = Faults.takeLate(world.faults, authorization.account.phone)
  pushToKey(world, authorization.key, updates, except, late)
  for (const temporary of authorization.key.temporary) pushToKey(world, temporary, updates, except, late)
}

const pushToKey = (
  world: World,
  key: AuthKey,
  updates: () => Api.Updates,
  except: Session.Session | undefined,
  late: boolean
): void => {
  let body: Uint8Array | undefined
  for (const session of key.sessions.values()) {
    if (!session.wantsUpdates || session === except) continue
    body ??= Layers.encodeUpdates(key.layer, updates())
    Session.push(session, world.settings.rules, world.clock(), body, late)
    world.dirty.add(session)
    world.counters.updatesPushed++
  }
}

/** Sends an update to a device that is not logged in. */
export const sendToKey = (world: World, key: AuthKey, update: Api.Update): void => {
  for (const session of sessionsOf(key)) {
    const body = Layers.encodeUpdates(key.layer, { _tag: "updateShort", update, date: seconds(world) })
    Session.push(session, world.settings.rules, world.clock(), body)
    world.dirty.add(session)
  }
}

/** The users that an update about a secret chat speaks of. */
const usersIn = (update: Api.Update): ReadonlyArray<bigint> =>
  update._tag === "updateEncryption" && "adminId" in update.chat
    ? [update.chat.adminId, update.chat.participantId]
    : []

export const usersFor = (world: World, viewer: Account, ids: Iterable<bigint>): Array<Api.User> => {
  const users: Array<Api.User> = []
  for (const id of new Set(ids)) {
    const account = world.accounts.get(id)
    if (account !== undefined) users.push(userOf(world, viewer, account))
  }
  return users
}

/** Sends an update that is kept until it is confirmed. */
export const sendUpdate = (world: World, to: Authorization, update: Api.Update): void => {
  if (!to.active) return
  const ids = usersIn(update)
  const { date, seq } = UpdateBox.addUpdate(to.box, seconds(world), update, ids)
  pushTo(world, to, () => ({
    _tag: "updates",
    updates: [update],
    users: usersFor(world, to.account, ids),
    chats: [],
    date,
    seq
  }))
}

/** Sends a read mark. It is kept too, in place of an earlier one of the same chat: the latest says it all. */
export const sendReadMark = (world: World, to: Authorization, mark: Api.updateEncryptedMessagesRead): void => {
  UpdateBox.dropUpdates(
    to.box,
    (update) => update._tag === "updateEncryptedMessagesRead" && update.chatId === mark.chatId
  )
  sendUpdate(world, to, mark)
}

/** Sends what the rules of secret chats want to be told. */
export const deliver = (world: World, notices: ReadonlyArray<Relay.Notice>): void => {
  for (const notice of notices) sendUpdate(world, notice.to, notice.update)
}

/** Sends an update that nobody misses if it is lost. */
export const sendShort = (world: World, to: Authorization, update: Api.Update): void => {
  if (!to.active) return
  pushTo(world, to, () => ({ _tag: "updateShort", update, date: seconds(world) }))
}

/** Whether another encrypted message can be queued for a device. */
export const hasRoom = (world: World, to: Authorization): boolean =>
  UpdateBox.waiting(to.box) < world.limits.queuedMessages && to.box.bytes < world.limits.queuedBytes

/** Queues an encrypted message for a device, and pushes it. */
export const sendMessage = (world: World, to: Authorization, message: Api.EncryptedMessage): void => {
  const qts = UpdateBox.addMessage(to.box, message)
  world.counters.messagesRelayed++
  if (Faults.takeUnpushed(world.faults, to.account.phone)) return
  pushTo(world, to, () => ({
    _tag: "updates",
    updates: [{ _tag: "updateNewEncryptedMessage", message, qts }],
    users: [],
    chats: [],
    date: UpdateBox.state(to.box, seconds(world)).date,
    seq: 0
  }))
}

// -----------------------------------------------------------------------------
// ordinary messages
// -----------------------------------------------------------------------------

const peerUser = (userId: bigint): Api.Peer => ({ _tag: "peerUser", userId })

/** A document of which an account may know. */
export const documentOf = (
  world: World,
  viewer: Account,
  input: { readonly id: bigint; readonly accessHash: bigint }
): Mail.MailDocument | undefined =>
  Files.find(world.files, viewer.id, input.id, input.accessHash) === undefined
    ? undefined
    : world.documents.get(input.id)

/** A document, as a message shows it. */
export const mediaOf = (document: Mail.MailDocument): Api.MessageMedia => ({
  _tag: "messageMediaDocument",
  document: {
    _tag: "document",
    id: document.file.id,
    accessHash: document.file.accessHash,
    fileReference: document.reference,
    date: document.date,
    mimeType: document.mimeType,
    size: BigInt(document.file.bytes.length),
    dcId: document.file.dc,
    attributes: document.attributes
  }
})

/** A message in an account's box. */
export const messageOf = (_world: World, viewer: Account, mail: Mail.Mail): Api.Message => ({
  _tag: "message",
  ...(mail.from === viewer.id && mail.peer !== viewer.id ? { out: true } : {}),
  ...(mail.silent ? { silent: true } : {}),
  id: mail.id,
  ...(mail.from === viewer.id ? { fromId: peerUser(viewer.id) } : {}),
  peerId: peerUser(mail.peer),
  ...(mail.replyTo === undefined
    ? {}
    : { replyTo: { _tag: "messageReplyHeader", replyToMsgId: mail.replyTo } }),
  date: mail.date,
  message: mail.text,
  ...(mail.document === undefined ? {} : { media: mediaOf(mail.document) }),
  ...(mail.entities === undefined ? {} : { entities: mail.entities })
})

/** What happened in an account's box, as its devices are told. */
export const mailUpdate = (world: World, viewer: Account, event: Mail.MailEvent): Api.Update => {
  const { count: ptsCount, pts } = event
  switch (event._tag) {
    case "New":
      return { _tag: "updateNewMessage", message: messageOf(world, viewer, event.mail), pts, ptsCount }
    case "Deleted":
      return { _tag: "updateDeleteMessages", messages: event.ids, pts, ptsCount }
    case "ReadInbox":
      return {
        _tag: "updateReadHistoryInbox",
        peer: peerUser(event.peer),
        maxId: event.upTo,
        stillUnreadCount: Mail.unread(viewer.mail, event.peer),
        pts,
        ptsCount
      }
    case "ReadOutbox":
      return { _tag: "updateReadHistoryOutbox", peer: peerUser(event.peer), maxId: event.upTo, pts, ptsCount }
  }
}

/** The users that an event speaks of. */
export const usersInMail = (event: Mail.MailEvent): ReadonlyArray<bigint> =>
  event._tag === "New" ? [event.mail.peer, event.mail.from] : event._tag === "Deleted" ? [] : [event.peer]

/** Tells all devices of an account what happened in its box, except for the session that hears of it otherwise. */
export const sendMail = (world: World, to: Account, event: Mail.MailEvent, except?: Session.Session): void => {
  for (const device of to.authorizations) {
    pushTo(world, device, () => ({
      _tag: "updates",
      updates: [mailUpdate(world, to, event)],
      users: usersFor(world, to, usersInMail(event)),
      chats: [],
      date: seconds(world),
      seq: 0
    }), except)
  }
}

/** Forgets chats that ended, oldest first, while there are too many. False if there is no room. */
export const makeRoomForChat = (world: World): boolean => {
  if (world.chats.size < world.limits.chats) return true
  for (const chat of world.chats.values()) {
    if (chat.state !== "discarded") continue
    world.chats.delete(chat.id)
    for (const side of [chat.initiator, chat.participant]) side.authorization?.chats.delete(chat)
    for (const device of chat.offeredTo) device.chats.delete(chat)
    return true
  }
  return false
}
