/**
 * The state of a server as rows, and back: what a server that is stopped has to find again when it is started.
 *
 * Kept are accounts, keys, logins, sessions with their unacknowledged messages, secret chats, queued updates, ordinary
 * messages and files. Not kept is what ends soon by itself, and what clients then do again: key exchanges, login codes
 * under way, codes to scan, challenges of passwords, parts of files that are not complete.
 *
 * Large values that never change (files, messages) have rows of their own, which are written once.
 */
import * as SharedKey from "@effect-mtproto/crypto/SharedKey"
import { deserialize, serialize } from "node:v8"
import { toHex } from "./bytes.ts"
import type * as Mail from "./mail.ts"
import type { Account, AuthKey, Authorization, Chat, ChatSide, Password, StoredFile } from "./model.ts"
import * as Salts from "./salts.ts"
import type * as Session from "./session.ts"
import * as UpdateBox from "./updateBox.ts"
import type { World } from "./world.ts"

/** A row that is to be there. */
export interface Row {
  /** Its value; not asked for if the row is there already and never changes. */
  readonly value: () => Uint8Array
  readonly fixed: boolean
}

// -----------------------------------------------------------------------------
// rows
// -----------------------------------------------------------------------------

interface Rows {
  server: { readonly version: 1; readonly secret: Uint8Array }
  code: { readonly phone: string; readonly code: string }
  account: {
    readonly id: bigint
    readonly phone: string
    readonly firstName: string
    readonly lastName: string | undefined
    readonly username: string | undefined
    readonly botToken: string | undefined
    readonly dc: number
    readonly password: Password | undefined
    readonly deleted: boolean
    readonly blocked: Set<bigint>
    readonly contacts: Set<bigint>
    readonly pts: number
    readonly nextId: number
    readonly events: ReadonlyArray<StoredEvent>
    readonly readInbox: Map<bigint, number>
    readonly readOutbox: Map<bigint, number>
    readonly sent: Map<bigint, number>
  }
  mail: Omit<Mail.Mail, "document"> & { readonly owner: bigint; readonly document: bigint | undefined }
  file: { readonly id: bigint; readonly bytes: Uint8Array }
  fileInfo: Omit<StoredFile, "bytes">
  document: Omit<Mail.MailDocument, "file"> & { readonly id: bigint }
  key: {
    readonly bytes: Uint8Array
    readonly dc: number
    readonly createdAt: number
    readonly expiresAt: number | undefined
    readonly boundTo: bigint | undefined
    readonly salts: { readonly first: bigint; readonly since: number }
    readonly layer: number
    readonly client: AuthKey["client"]
    readonly passwordPending: bigint | undefined
  }
  login: {
    readonly hash: bigint
    readonly account: bigint
    readonly key: bigint
    readonly createdAt: number
    readonly acceptsSecretChats: boolean
    readonly imported: ReadonlyArray<bigint>
    readonly qts: number
    readonly seq: number
    readonly issued: number
    readonly others: UpdateBox.UpdateBox["others"]
  }
  queued: UpdateBox.QueuedMessage & { readonly login: bigint }
  session: { readonly key: bigint; readonly session: Session.Session }
  chat: Omit<Chat, "initiator" | "participant" | "offeredTo"> & {
    readonly initiator: StoredSide
    readonly participant: StoredSide
    readonly offeredTo: ReadonlyArray<bigint>
  }
}

interface StoredSide {
  readonly account: bigint
  readonly accessHash: bigint
  readonly login: bigint | undefined
  readonly files: ReadonlyArray<readonly [randomId: bigint, file: bigint]>
}

type StoredEvent =
  | { readonly _tag: "New"; readonly pts: number; readonly id: number }
  | Exclude<Mail.MailEvent, { readonly _tag: "New" }>

// -----------------------------------------------------------------------------
// taking it down
// -----------------------------------------------------------------------------

const sideOf = (side: ChatSide): StoredSide => ({
  account: side.account.id,
  accessHash: side.accessHash,
  login: side.authorization?.hash,
  files: [...side.files].map(([randomId, file]) => [randomId, file.id] as const)
})

const eventOf = (event: Mail.MailEvent): StoredEvent =>
  event._tag === "New" ? { _tag: "New", pts: event.pts, id: event.mail.id } : event

/** What a session has to remember. Calls that are being executed are as if they had never come. */
const sessionOf = (session: Session.Session): Session.Session => ({
  ...session,
  received: new Map([...session.received].filter(([, record]) => record.state !== "running")),
  queue: [],
  late: undefined,
  acks: []
})

/** Everything that is to be kept, by the names of its rows. */
export const capture = (world: World): ReadonlyMap<string, Row> => {
  const rows = new Map<string, Row>()
  const put = <K extends keyof Rows>(kind: K, name: string, value: () => Rows[K], fixed = false): void => {
    rows.set(`${kind}/${name}`, { value: () => serialize(value()), fixed })
  }
  put("server", "", () => ({ version: 1, secret: world.secret }))
  for (const [phone, code] of world.codes) put("code", phone, () => ({ phone, code }))
  for (const account of world.accounts.values()) {
    const { authorizations: _authorizations, mail, ...own } = account
    put("account", `${account.id}`, () => ({
      ...own,
      pts: mail.pts,
      nextId: mail.nextId,
      events: mail.events.map(eventOf),
      readInbox: mail.readInbox,
      readOutbox: mail.readOutbox,
      sent: mail.sent
    }))
    for (const letter of mail.messages.values()) {
      const { document } = letter
      put(
        "mail",
        `${account.id}/${letter.id}`,
        () => ({ ...letter, owner: account.id, document: document?.file.id }),
        true
      )
    }
  }
  for (const file of world.files.files.values()) {
    const { bytes, ...info } = file
    put("file", `${file.id}`, () => ({ id: file.id, bytes }), true)
    put("fileInfo", `${file.id}`, () => info)
  }
  for (const { file, ...document } of world.documents.values()) {
    put("document", `${file.id}`, () => ({ ...document, id: file.id }), true)
  }
  const logins = new Set<Authorization>()
  for (const key of world.keys.values()) {
    put("key", `${key.key.id}`, () => ({
      bytes: key.key.bytes,
      dc: key.dc,
      createdAt: key.createdAt,
      expiresAt: key.expiresAt,
      boundTo: key.boundTo?.key.id,
      salts: { first: key.salts.first, since: key.salts.since },
      layer: key.layer,
      client: key.client,
      passwordPending: key.passwordPending?.id
    }))
    if (key.authorization !== undefined) logins.add(key.authorization)
    for (const session of key.sessions.values()) {
      put("session", `${key.key.id}/${session.id}`, () => ({ key: key.key.id, session: sessionOf(session) }))
    }
  }
  for (const { account, box, imported, key, ...login } of logins) {
    put("login", `${login.hash}`, () => ({
      hash: login.hash,
      account: account.id,
      key: key.key.id,
      createdAt: login.createdAt,
      acceptsSecretChats: login.acceptsSecretChats,
      imported: [...imported].map((other) => other.key.id),
      qts: box.qts,
      seq: box.seq,
      issued: box.issued,
      others: box.others
    }))
    for (const queued of box.messages.slice(box.head)) {
      put("queued", `${login.hash}/${queued.qts}`, () => ({ ...queued, login: login.hash }), true)
    }
  }
  for (const chat of world.chats.values()) {
    put("chat", `${chat.id}`, () => ({
      ...chat,
      initiator: sideOf(chat.initiator),
      participant: sideOf(chat.participant),
      offeredTo: [...chat.offeredTo].map((login) => login.hash)
    }))
  }
  return rows
}

// -----------------------------------------------------------------------------
// setting it up again
// -----------------------------------------------------------------------------

const groupBy = <A>(values: ReadonlyArray<A>, keyOf: (value: A) => bigint): Map<bigint, Array<A>> => {
  const groups = new Map<bigint, Array<A>>()
  for (const value of values) {
    const group = groups.get(keyOf(value))
    if (group === undefined) groups.set(keyOf(value), [value])
    else group.push(value)
  }
  return groups
}

const letterOf = (row: Rows["mail"], world: World): Mail.Mail => {
  const { document, owner: _owner, ...letter } = row
  return { ...letter, document: document === undefined ? undefined : world.documents.get(document) }
}

/** An event that is remembered. Of a message that is gone there is nothing more to say than that. */
const restoreEvent = (box: Mail.Mailbox, event: StoredEvent): Mail.MailEvent => {
  if (event._tag !== "New") return event
  const mail = box.messages.get(event.id)
  return mail === undefined
    ? { _tag: "Deleted", pts: event.pts, count: 1, ids: [event.id] }
    : { _tag: "New", pts: event.pts, count: 1, mail }
}

/**
 * Fills an empty world with what was captured.
 *
 * @throws if the rows are not those of a server
 */
export const restore = (world: World, stored: ReadonlyArray<readonly [name: string, value: Uint8Array]>): void => {
  const all = <K extends keyof Rows>(kind: K): Array<Rows[K]> =>
    stored.filter(([name]) => name.startsWith(`${kind}/`)).map(([, value]) => deserialize(value) as Rows[K])
  const [server] = all("server")
  if (server === undefined) return
  if (server.version !== 1) throw new Error("it was written by another version")
  world.secret = server.secret
  for (const { code, phone } of all("code")) world.codes.set(phone, code)

  const bytes = new Map(all("file").map((file) => [file.id, file.bytes]))
  for (const info of all("fileInfo")) {
    const content = bytes.get(info.id)
    if (content === undefined) continue
    world.files.files.set(info.id, { ...info, bytes: content })
    world.files.bytes += content.length
  }
  for (const { id, ...document } of all("document")) {
    const file = world.files.files.get(id)
    if (file !== undefined) world.documents.set(id, { ...document, file })
  }

  const mails = groupBy(all("mail"), (mail) => mail.owner)
  for (const { events, nextId, pts, readInbox, readOutbox, sent, ...own } of all("account")) {
    const letters = (mails.get(own.id) ?? []).toSorted((a, b) => a.id - b.id)
    const mail: Mail.Mailbox = {
      owner: own.id,
      pts,
      nextId,
      messages: new Map(letters.map((letter) => [letter.id, letterOf(letter, world)])),
      events: [],
      readInbox,
      readOutbox,
      sent
    }
    mail.events = events.map((event) => restoreEvent(mail, event))
    const account: Account = { ...own, mail, authorizations: new Set() }
    world.accounts.set(account.id, account)
    world.byPhone.set(account.phone, account)
    if (account.username !== undefined) world.byUsername.set(account.username, account)
    if (account.botToken !== undefined) world.byToken.set(account.botToken, account)
  }

  const keys = all("key")
  for (const row of keys) {
    const key = SharedKey.make(world.crypto, row.bytes)
    world.keys.set(key.id, {
      key,
      dc: row.dc,
      createdAt: row.createdAt,
      expiresAt: row.expiresAt,
      boundTo: undefined,
      temporary: new Set(),
      salts: Salts.make(row.salts.first, row.salts.since, key.bytes),
      sessions: new Map(),
      layer: row.layer,
      client: row.client,
      authorization: undefined,
      passwordPending: row.passwordPending === undefined ? undefined : world.accounts.get(row.passwordPending)
    })
  }
  for (const row of keys) {
    const key = world.keys.get(SharedKey.make(world.crypto, row.bytes).id)!
    const owner = row.boundTo === undefined ? undefined : world.keys.get(row.boundTo)
    if (owner === undefined) continue
    key.boundTo = owner
    owner.temporary.add(key)
  }
  const now = world.clock()
  for (const { key: id, session } of all("session")) {
    for (const outgoing of session.unacked.values()) outgoing.queued = false
    session.lastSeen = now
    world.keys.get(id)?.sessions.set(session.id, session)
  }

  const logins = new Map<bigint, Authorization>()
  const queued = groupBy(all("queued"), (message) => message.login)
  for (const row of all("login").toSorted((a, b) => a.createdAt - b.createdAt)) {
    const key = world.keys.get(row.key)
    const account = world.accounts.get(row.account)
    if (key === undefined || account === undefined) continue
    const messages = (queued.get(row.hash) ?? []).toSorted((a, b) => a.qts - b.qts)
    const login: Authorization = {
      hash: row.hash,
      account,
      key,
      createdAt: row.createdAt,
      box: {
        ...UpdateBox.make(),
        qts: row.qts,
        seq: row.seq,
        issued: row.issued,
        others: row.others,
        messages: messages.map(({ message, qts }) => ({ message, qts })),
        bytes: messages.reduce((sum, { message }) => sum + message.bytes.length, 0)
      },
      imported: new Set(),
      acceptsSecretChats: row.acceptsSecretChats,
      chats: new Set(),
      active: true
    }
    key.authorization = login
    account.authorizations.add(login)
    logins.set(login.hash, login)
    for (const id of row.imported) {
      const other = world.keys.get(id)
      if (other === undefined) continue
      other.authorization = login
      login.imported.add(other)
    }
  }

  for (const row of all("chat")) {
    const side = (stored: StoredSide): ChatSide | undefined => {
      const account = world.accounts.get(stored.account)
      return account === undefined ? undefined : {
        account,
        accessHash: stored.accessHash,
        authorization: stored.login === undefined ? undefined : logins.get(stored.login),
        files: new Map(stored.files.flatMap(([randomId, id]) => {
          const file = world.files.files.get(id)
          return file === undefined ? [] : [[randomId, file] as const]
        }))
      }
    }
    const initiator = side(row.initiator)
    const participant = side(row.participant)
    if (initiator === undefined || participant === undefined) continue
    const offeredTo = new Set(row.offeredTo.flatMap((hash) => logins.get(hash) ?? []))
    const chat: Chat = { ...row, initiator, participant, offeredTo }
    world.chats.set(chat.id, chat)
    for (const login of [initiator.authorization, participant.authorization, ...offeredTo]) login?.chats.add(chat)
  }
}

/** What a value is known by, to see whether it has changed. */
export const digest = (world: World, value: Uint8Array): string => toHex(world.crypto.sha1(value))
