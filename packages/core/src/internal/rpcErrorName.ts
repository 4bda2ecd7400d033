/**
 * Names of server errors: the string that the server sends (`DATA_INVALID`, `FLOOD_WAIT_17`), the name that the
 * documentation gives it (`FLOOD_WAIT_%d`), the tag that the error has here (`FloodWait`) and the field that holds its
 * number (`seconds`). Used at run time and by the generator of the API, so it imports nothing.
 *
 * @since 1.0.0
 * @internal
 */

/**
 * The documented names that contain a number, and what the number is. Waits are in seconds, `until` is in Unix seconds.
 *
 * @internal
 */
export const parameters: Readonly<Record<string, string>> = {
  "2FA_CONFIRM_WAIT_%d": "seconds",
  "ALLOW_PAYMENT_REQUIRED_%d": "stars",
  "AUTH_RESTART_%d": "debug",
  "EMAIL_UNCONFIRMED_%d": "length",
  "FILE_MIGRATE_%d": "dc",
  "FILE_PART_%d_MISSING": "part",
  "FILE_REFERENCE_%d_EMPTY": "index",
  "FILE_REFERENCE_%d_EXPIRED": "index",
  "FILE_REFERENCE_%d_INVALID": "index",
  "FLOOD_PREMIUM_WAIT_%d": "seconds",
  "FLOOD_TEST_PHONE_WAIT_%d": "seconds",
  "FLOOD_WAIT_%d": "seconds",
  "INTERDC_%d_CALL_ERROR": "dc",
  "INTERDC_%d_CALL_RICH_ERROR": "dc",
  "NETWORK_MIGRATE_%d": "dc",
  "PASSWORD_TOO_FRESH_%d": "seconds",
  "PHONE_MIGRATE_%d": "dc",
  "PREMIUM_SUB_ACTIVE_UNTIL_%d": "until",
  "PREVIOUS_CHAT_IMPORT_ACTIVE_WAIT_%dMIN": "minutes",
  "SESSION_TOO_FRESH_%d": "seconds",
  "SLOWMODE_WAIT_%d": "seconds",
  "STARGIFT_RESELL_TOO_EARLY_%d": "seconds",
  "STARGIFT_TRANSFER_TOO_EARLY_%d": "seconds",
  "STATS_MIGRATE_%d": "dc",
  "STORY_SEND_FLOOD_MONTHLY_%d": "seconds",
  "STORY_SEND_FLOOD_WEEKLY_%d": "seconds",
  "TAKEOUT_INIT_DELAY_%d": "seconds",
  "USER_MIGRATE_%d": "dc"
}

/**
 * Tags that do not follow from the name.
 *
 * @internal
 */
const tags: Readonly<Record<string, string>> = {
  // The server really spells it this way.
  FILE_EMTPY: "FileEmpty",
  "2FA_CONFIRM_WAIT_%d": "TwoFactorConfirmWait"
}

/**
 * `DATA_INVALID` -> `DataInvalid`, `FLOOD_WAIT_%d` -> `FloodWait`, `PREVIOUS_CHAT_IMPORT_ACTIVE_WAIT_%dMIN` ->
 * `PreviousChatImportActiveWait`.
 *
 * @internal
 */
export const tagOf = (name: string): string =>
  tags[name] ??
    name.replace(/_%d(MIN)?/, "").split(/[^A-Za-z0-9]+/).filter((word) => word !== "")
      .map((word) => word[0]!.toUpperCase() + word.slice(1).toLowerCase()).join("")

/**
 * Splits what the server sent into the documented name and the number in it: `FLOOD_WAIT_17` -> `FLOOD_WAIT_%d`, 17.
 * A string without a number, or with one in a name that is not documented to have any, is its own name.
 *
 * @internal
 */
export const parse = (type: string): { readonly name: string; readonly parameter: number | undefined } => {
  const match = /^([A-Z0-9_]*_)(\d{1,15})((?:MIN|_[A-Z_]+)?)$/.exec(type)
  if (match !== null) {
    const name = `${match[1]}%d${match[3]}`
    if (Object.hasOwn(parameters, name)) return { name, parameter: Number(match[2]) }
  }
  return { name: type, parameter: undefined }
}

/**
 * The name in words: `ENCRYPTION_ID_INVALID` -> `encryption id invalid`.
 *
 * @internal
 */
export const words = (name: string): string => name.replace(/_?%d(MIN)?/, "").replaceAll("_", " ").trim().toLowerCase()
