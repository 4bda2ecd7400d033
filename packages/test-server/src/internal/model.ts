/**
 * What the server knows: accounts, authorization keys, logins and secret chats.
 * Plain records; the rules stand in the modules that change them.
 */
import type { SharedKey } from "@effect-mtproto/crypto/SharedKey"
import type { Mailbox } from "./mail.ts"
import type { SaltSchedule } from "./salts.ts"
import type { Session } from "./session.ts"
import type { UpdateBox } from "./updateBox.ts"

export interface Account {
  readonly id: bigint
  readonly phone: string
  readonly firstName: string
  readonly lastName: string | undefined
  readonly username: string | undefined
  /** The token by which a bot logs in; `undefined` for a person. */
  readonly botToken: string | undefined
  /** The data centre where it logs in. */
  readonly dc: number
  /** What two-step verification needs to know of the password. */
  password: Password | undefined
  deleted: boolean
  /** Ordinary messages. */
  readonly mail: Mailbox
  /** Whom this account has blocked. */
  readonly blocked: Set<bigint>
  /** Whom this account has in its contact list. */
  readonly contacts: Set<bigint>
  readonly authorizations: Set<Authorization>
}

/** A password, as a server keeps it (core.telegram.org/api/srp). */
export interface Password {
  readonly salt1: Uint8Array
  readonly salt2: Uint8Array
  readonly verifier: Uint8Array
  readonly hint: string | undefined
}

/** A login: one account on one permanent key. */
export interface Authorization {
  /** The number by which `account.*` methods name it; 0 never occurs. */
  readonly hash: bigint
  readonly account: Account
  readonly key: AuthKey
  readonly createdAt: number
  readonly box: UpdateBox
  /** Keys of other data centres that speak for this login. */
  readonly imported: Set<AuthKey>
  /** Whether secret chats may be requested with this device. */
  acceptsSecretChats: boolean
  /** The secret chats that are bound to this device or were offered to it. */
  readonly chats: Set<Chat>
  /** False once logged out: nothing may be sent to it any more. */
  active: boolean
}

/** What `initConnection` said. */
export interface ClientInfo {
  readonly apiId: number
  readonly deviceModel: string
  readonly systemVersion: string
  readonly appVersion: string
}

export interface AuthKey {
  readonly key: SharedKey
  /** The data centre that made it, and knows it. */
  readonly dc: number
  readonly createdAt: number
  /** The end of a temporary key's life in seconds of unix time; `undefined` for a permanent key. */
  readonly expiresAt: number | undefined
  /** The permanent key that a temporary key speaks for, once bound. */
  boundTo: AuthKey | undefined
  /** The temporary keys bound to this permanent key. */
  readonly temporary: Set<AuthKey>
  readonly salts: SaltSchedule
  readonly sessions: Map<bigint, Session>
  /** The API layer of the last `invokeWithLayer`. */
  layer: number
  client: ClientInfo | undefined
  authorization: Authorization | undefined
  /** Whose code was right, but whose password is still to come. */
  passwordPending: Account | undefined
}

/** One of the two ends of a secret chat. */
export interface ChatSide {
  readonly account: Account
  readonly accessHash: bigint
  /** The device that the chat is bound to. */
  authorization: Authorization | undefined
  /** The files of recent messages by `random_id`: a message that is sent again has no parts any more. */
  readonly files: Map<bigint, StoredFile>
}

export interface Chat {
  readonly id: number
  readonly date: number
  readonly initiator: ChatSide
  readonly participant: ChatSide
  readonly gA: Uint8Array
  gB: Uint8Array | undefined
  keyFingerprint: bigint
  state: "requested" | "accepted" | "discarded"
  historyDeleted: boolean
  /** The devices that were told of the request. */
  readonly offeredTo: Set<Authorization>
}

/** A file, complete. */
export interface StoredFile {
  readonly id: bigint
  /** The data centre that has it. */
  readonly dc: number
  readonly accessHash: bigint
  readonly keyFingerprint: number
  readonly bytes: Uint8Array
  /** The accounts that the file was sent by or to. */
  readonly viewers: Set<bigint>
}

/** The permanent key that a key speaks for: itself, unless it is temporary. */
export const permanent = (key: AuthKey): AuthKey | undefined => key.expiresAt === undefined ? key : key.boundTo
