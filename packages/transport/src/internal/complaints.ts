/**
 * What the codes of `bad_msg_notification` mean, and what is done about them
 * (core.telegram.org/mtproto/service_messages_about_messages). The message that was refused is sent again in any case,
 * unless it says otherwise here.
 */

export interface Treatment {
  /** Our clock is wrong: the server's is told by the complaint itself. */
  readonly setClock?: true
  /** The counters of the session cannot be put right: another session begins. */
  readonly newSession?: true
  /** Salts are asked for. */
  readonly newSalts?: true
  /** What was in the container travels in packets of its own. */
  readonly alone?: true
  /** The server does not know any more whether it has executed the message: only what is harmless is sent again. */
  readonly ifRepeatable?: true
}

const treatments: Readonly<Record<number, Treatment>> = {
  // the identifier is too low: our clock is behind
  16: { setClock: true },
  // the identifier is too high: our clock is ahead, and identifiers must not go down within a session
  17: { setClock: true, newSession: true },
  // the lowest two bits of the identifier are wrong
  18: { newSession: true },
  // the message is too old
  20: { ifRepeatable: true },
  // the sequence number is too low, too high, even where it should be odd, odd where it should be even
  32: { newSession: true },
  33: { newSession: true },
  34: { newSession: true },
  35: { newSession: true },
  // the salt is wrong, and the server does not say which is right
  48: { newSalts: true },
  // the container is invalid
  64: { alone: true }
}

/** Codes that are not known, and 19 (a container had the identifier of another message), need nothing but another try. */
export const treatmentOf = (code: number): Treatment => treatments[code] ?? {}
