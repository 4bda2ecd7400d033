/** As much of JSON Schema as the OpenAPI document uses; what is not known here is an error, so that nothing goes unchecked. */
interface Json {
  readonly [key: string]: any
}

/** Say nothing about values. */
const silent = new Set(["description", "title", "examples", "contentEncoding", "contentMediaType", "format"])

const typeOf = (value: unknown): string =>
  value === null ? "null" : Array.isArray(value) ? "array" : typeof value === "object" ? "object" : typeof value

const isOfType = (value: unknown, type: string): boolean =>
  type === "integer" ? Number.isInteger(value) : typeOf(value) === type

/** What is wrong with a value, each with its place; nothing if it fits. */
export const problems = (document: Json, schema: Json | boolean, value: unknown, path = "$"): ReadonlyArray<string> => {
  if (typeof schema === "boolean") return schema ? [] : [`${path}: nothing is allowed here`]
  const wrong: Array<string> = []
  const any = (choices: ReadonlyArray<Json>) =>
    choices.filter((one) => problems(document, one, value, path).length === 0)
  for (const [keyword, wanted] of Object.entries(schema)) {
    switch (keyword) {
      case "$ref": {
        const name = String(wanted).split("/").at(-1)!
        wrong.push(...problems(document, document["components"].schemas[name], value, path))
        break
      }
      case "type":
        if (![wanted].flat().some((type) => isOfType(value, type))) {
          wrong.push(`${path}: ${typeOf(value)} in place of ${wanted}`)
        }
        break
      case "enum":
        if (!wanted.includes(value)) {
          wrong.push(`${path}: ${JSON.stringify(value)} is none of ${JSON.stringify(wanted)}`)
        }
        break
      case "const":
        if (wanted !== value) wrong.push(`${path}: ${JSON.stringify(value)} is not ${JSON.stringify(wanted)}`)
        break
      case "pattern":
        if (typeof value === "string" && !new RegExp(wanted, "u").test(value)) wrong.push(`${path}: not ${wanted}`)
        break
      case "minimum":
        if (typeof value === "number" && value < wanted) wrong.push(`${path}: ${value} is below ${wanted}`)
        break
      case "maximum":
        if (typeof value === "number" && value > wanted) wrong.push(`${path}: ${value} is above ${wanted}`)
        break
      case "anyOf":
        if (any(wanted).length === 0) {
          wrong.push(`${path}: fits none of ${wanted.length}: ${problems(document, wanted[0], value, path).join("; ")}`)
        }
        break
      case "oneOf":
        if (any(wanted).length !== 1) wrong.push(`${path}: fits ${any(wanted).length} of ${wanted.length}`)
        break
      case "allOf":
        for (const one of wanted) wrong.push(...problems(document, one, value, path))
        break
      case "required":
        if (typeOf(value) === "object") {
          for (const name of wanted) if (!Object.hasOwn(value as object, name)) wrong.push(`${path}.${name} is missing`)
        }
        break
      case "properties":
        if (typeOf(value) === "object") {
          for (const [name, inner] of Object.entries(wanted as Json)) {
            if (Object.hasOwn(value as object, name)) {
              wrong.push(...problems(document, inner, (value as Json)[name], `${path}.${name}`))
            }
          }
        }
        break
      case "additionalProperties":
        if (typeOf(value) === "object") {
          for (const [name, inner] of Object.entries(value as Json)) {
            if (Object.hasOwn(schema["properties"] ?? {}, name)) continue
            wrong.push(...problems(document, wanted, inner, `${path}.${name}`))
          }
        }
        break
      case "items":
        if (Array.isArray(value)) {
          for (const [i, inner] of value.entries()) wrong.push(...problems(document, wanted, inner, `${path}[${i}]`))
        }
        break
      default:
        if (!silent.has(keyword)) wrong.push(`${path}: the keyword ${keyword} is not known`)
    }
  }
  return wrong
}

/** What is wrong with the answer of an operation: its status and media type have to be documented, and its body has to fit. */
export const answerProblems = (
  document: Json,
  operation: Json,
  answer: { readonly status: number; readonly headers: Headers; readonly body: unknown }
): ReadonlyArray<string> => {
  const documented = operation["responses"][String(answer.status)]
  if (documented === undefined) return [`the status ${answer.status} is not documented`]
  const type = (answer.headers.get("content-type") ?? "").split(";")[0]!
  const content: Json = documented.content ?? {}
  const name = Object.keys(content).find((one) => one.split(";")[0] === type || one === "*/*")
  if (name === undefined) {
    return type === "" && Object.keys(content).length === 0 ? [] : [`${type} is none of ${Object.keys(content)}`]
  }
  const { schema } = content[name]
  return schema === undefined || schema.format === "binary" ? [] : problems(document, schema, answer.body)
}
