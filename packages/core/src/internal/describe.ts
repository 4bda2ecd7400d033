/**
 * What a value is, without saying what it holds: for errors that may be logged. A number of the kind that was `expected`
 * can only be out of its range.
 */
export const describe = (value: unknown, expected: string): string => {
  if (value === null) return "null"
  if (value === undefined) return "nothing"
  if (value instanceof Uint8Array) return `${value.length} bytes`
  if (Array.isArray(value)) return "an array"
  switch (typeof value) {
    case "number":
      if (!INTEGER.test(expected)) return "a number"
      return Number.isInteger(value) ? "an integer out of range" : "a number that is not an integer"
    case "bigint":
      return BIGINT.test(expected) ? "a bigint out of range" : "a bigint"
    case "object":
      return "an object"
    default:
      return `a ${typeof value}`
  }
}

const INTEGER = /\bint32\b|\binteger\b/
const BIGINT = /\bbigint\b/
