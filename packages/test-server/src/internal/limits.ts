/**
 * The bounds within which the server stays, whatever clients do.
 */

export interface Limits {
  /** Connections at once; more are closed as soon as they open. */
  readonly connections: number
  /** The longest frame that is read, in bytes. */
  readonly frameBytes: number
  /** Bytes that may wait to be read by a client before its requests wait too. */
  readonly unreadBytes: number
  /** Sessions that may speak over one connection. */
  readonly sessionsPerConnection: number
  /** Sessions of one key that are kept; the ones unheard of for longest go first. */
  readonly sessionsPerKey: number
  /** How long a session without a connection is kept, in milliseconds. */
  readonly sessionLifetime: number
  /** Keys that nobody logged in with; the oldest go first. */
  readonly anonymousKeys: number
  /** Key exchanges under way; the oldest go first. */
  readonly exchanges: number
  /** Login codes under way; the oldest go first. */
  readonly loginCodes: number
  /** Logins of one account; the oldest go first. */
  readonly authorizationsPerAccount: number
  /** Secret chats, ended ones included; the oldest of those go first. */
  readonly chats: number
  /** Unconfirmed encrypted messages of one login, and their bytes. When full, senders are told to wait. */
  readonly queuedMessages: number
  readonly queuedBytes: number
  /** Unconfirmed other updates of one login. When full, nobody can request a chat with it. */
  readonly queuedUpdates: number
  /** Ordinary messages of one account, and events of its box that are remembered; the oldest go first. */
  readonly mail: number
  /** The longest encrypted message, in bytes. */
  readonly encryptedBytes: number
  /** Uploaded parts and files together, in bytes. */
  readonly fileBytes: number
  /** Encrypted messages, and other updates, in one difference, and the bytes of the messages. */
  readonly differenceMessages: number
  readonly differenceBytes: number
  /** Queries of one session that wait for others or were told to be slow. */
  readonly waitingQueries: number
  /** Queries of one session for which something is being computed. */
  readonly computingQueries: number
  /** Calls that are remembered for assertions, and their bytes. */
  readonly calls: number
  readonly callBytes: number
}

export const defaults: Limits = {
  connections: 4096,
  frameBytes: 2 * 1024 * 1024,
  unreadBytes: 4 * 1024 * 1024,
  sessionsPerConnection: 8,
  sessionsPerKey: 64,
  sessionLifetime: 10 * 60 * 1000,
  anonymousKeys: 10_000,
  exchanges: 4096,
  loginCodes: 4096,
  authorizationsPerAccount: 100,
  chats: 100_000,
  queuedMessages: 250_000,
  queuedBytes: 128 * 1024 * 1024,
  queuedUpdates: 20_000,
  mail: 10_000,
  encryptedBytes: 128 * 1024,
  fileBytes: 512 * 1024 * 1024,
  differenceMessages: 1000,
  differenceBytes: 512 * 1024,
  waitingQueries: 1024,
  computingQueries: 16,
  calls: 10_000,
  callBytes: 32 * 1024 * 1024
}
