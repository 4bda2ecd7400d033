/**
 * Documented errors that the schema file lacks. Everything else comes from the file.
 */

export interface DocumentedError {
  readonly code: number
  /** The documented name, with `%d` where the server puts a number. */
  readonly type: string
}

interface Addition {
  readonly methods: ReadonlyArray<string>
  readonly errors: ReadonlyArray<string>
  readonly reason: string
}

const sends = ["messages.sendEncrypted", "messages.sendEncryptedFile", "messages.sendEncryptedService"]

const table: ReadonlyArray<Addition> = [
  {
    methods: [...sends, "messages.receivedQueue", "messages.readEncryptedHistory"],
    errors: ["400 MSG_WAIT_FAILED", "500 MSG_WAIT_FAILED"],
    reason: "the pages of these methods name both codes; each list has one of them"
  },
  {
    methods: sends,
    errors: ["-503 MSG_WAIT_TIMEOUT"],
    reason:
      "sent when the call that invokeAfterMsg waits for is still running; clients keep these sends in order with it"
  },
  {
    methods: sends,
    errors: ["400 DATA_INVALID", "400 DATA_TOO_LONG", "400 ENCRYPTION_ID_INVALID", "403 USER_DELETED"],
    reason: "the three methods check the same chat and the same bytes; the lists differ only by what was observed"
  },
  {
    methods: sends,
    errors: ["400 USER_IS_BLOCKED", "403 USER_IS_BLOCKED"],
    reason: "seen with both codes"
  },
  {
    methods: ["messages.requestEncryption"],
    errors: ["400 RANDOM_ID_DUPLICATE"],
    reason: "a second request with the same random_id"
  },
  {
    methods: [
      "messages.sendEncryptedFile",
      "messages.uploadEncryptedFile",
      "messages.sendMedia",
      "messages.sendMultiMedia",
      "messages.uploadMedia"
    ],
    errors: ["400 FILE_PART_%d_MISSING"],
    reason: "sent by every method that takes an uploaded file, when a part has not arrived"
  }
]

/** What the table adds to the errors of `method`. */
export const additions = (method: string): ReadonlyArray<DocumentedError> =>
  table.filter((a) => a.methods.includes(method)).flatMap((a) =>
    a.errors.map((text) => {
      const [code, type] = text.split(" ") as [string, string]
      return { code: Number(code), type }
    })
  )
