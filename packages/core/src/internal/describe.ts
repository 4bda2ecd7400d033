/** What a value is, without saying what it holds: for errors that may be logged. */
export const describe = (value: unknown): string => {
  if (value === null) return "null"
  if (value === undefined) return "nothing"
  if (value instanceof Uint8Array) return `${value.length} bytes`
  if (Array.isArray(value)) return "an array"
  switch (typeof value) {
    case "number":
      return Number.isInteger(value) ? "an integer out of range" : "a number that is not an integer"
    case "bigint":
      return "a bigint out of range"
    case "object":
      return "an object"
    default:
      return `a ${typeof value}`
  }
}
