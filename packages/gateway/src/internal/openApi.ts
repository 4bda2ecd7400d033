/** The OpenAPI document, and a page for people made of it. */
import { OpenApi } from "effect/http-api"
import { GatewayApi } from "../GatewayApi.ts"

interface Json {
  readonly [key: string]: any
}

const clone = (value: unknown): any => JSON.parse(JSON.stringify(value))

const resolve = (spec: Json, schema: Json): Json =>
  typeof schema["$ref"] === "string"
    ? spec["components"].schemas[schema["$ref"].split("/").at(-1)!] as Json
    : schema

/** What is documented once, as POST with JSON, is answered in every form: so says the document. */
const everyForm = (spec: Json): Json => {
  const paths: Record<string, any> = {}
  for (const [path, item] of Object.entries(spec["paths"] as Json)) {
    paths[path] = item
    const { post } = item
    if (post === undefined || item.get !== undefined) continue
    const body = post.requestBody?.content?.["application/json"]?.schema as Json | undefined
    // a file comes in a body, and in no other way
    if (body === undefined && post.requestBody !== undefined) continue
    if (body !== undefined) {
      post.requestBody.content["application/x-www-form-urlencoded"] = { schema: clone(body) }
      post.requestBody.content["multipart/form-data"] ??= { schema: clone(body) }
    }
    const properties = body === undefined ? {} : (resolve(spec, body)["properties"] ?? {}) as Json
    const required: ReadonlyArray<string> = body === undefined ? [] : resolve(spec, body)["required"] ?? []
    const query = Object.entries(properties).map(([name, schema]) => ({
      name,
      in: "query",
      required: required.includes(name),
      description: "Arrays and objects as JSON",
      schema: clone(schema)
    }))
    const { requestBody: _requestBody, ...rest } = clone(post)
    item.get = {
      ...rest,
      operationId: `${rest.operationId}ByQuery`,
      parameters: [...rest.parameters ?? [], ...query]
    }
  }
  return { ...spec, paths }
}

/** What the definition, which is that of a client too, cannot say. */
const completed = (spec: Json): Json => {
  const paths = spec["paths"]
  const { get: webSocket } = paths["/user{token}/websocket"]
  delete webSocket.responses[204]
  webSocket.responses[101] = { description: "The connection is a WebSocket now" }
  const { post: file } = paths["/user{token}/downloadEncrypted"]
  file.parameters.push({
    name: "range",
    in: "header",
    required: false,
    schema: { type: "string", description: "bytes=0-999: a part of the file" }
  })
  file.responses[206] = { ...file.responses[200], description: "A part of the file" }
  const { post: picture } = paths["/user{token}/getKeyPicture"]
  for (const { schema } of Object.values(picture.requestBody.content as Json)) {
    resolve(spec, schema)["properties"].format = { type: "string", enum: ["json", "svg", "png"] }
  }
  Object.assign(picture.responses[200].content, {
    "image/svg+xml": { schema: { type: "string" } },
    "image/png": { schema: { type: "string", format: "binary" } }
  })
  return spec
}

let made: Json | undefined

export const document = (): Json => made ??= everyForm(completed(clone(OpenApi.fromApi(GatewayApi))))

// ----- for people

const escape = (text: unknown): string => String(text).replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`)

const typeOf = (schema: Json): string => {
  if (typeof schema["$ref"] === "string") return schema["$ref"].split("/").at(-1)!
  if (Array.isArray(schema["anyOf"])) return [...new Set(schema["anyOf"].map((one) => typeOf(one)))].join(" | ")
  if (Array.isArray(schema["oneOf"])) return [...new Set(schema["oneOf"].map((one) => typeOf(one)))].join(" | ")
  if (Array.isArray(schema["enum"])) return schema["enum"].map((one) => JSON.stringify(one)).join(" | ")
  if (schema["format"] === "binary") return "file"
  if (schema["type"] === "array") return `${typeOf(schema["items"] ?? {})}[]`
  return schema["type"] ?? "JSON"
}

const row = (spec: Json, name: string, required: boolean, schema: Json, where: string): string => {
  const description = schema["description"] ?? resolve(spec, schema)["description"] ?? ""
  return `<tr><td><code>${escape(name)}</code>${required ? "" : " <i>optional</i>"}</td><td>${
    escape(typeOf(schema))
  }</td><td>${escape(where)}</td><td>${escape(description)}</td></tr>`
}

/** What comes after the URL, to be typed in as it stands. */
const examples: { readonly [path: string]: string } = {
  "/user{token}/messages.sendEncryptedService":
    `-d peer=$CHAT -d message='{"_": "decryptedMessageService", "action": {"_": "decryptedMessageActionSetMessageTTL", "ttl_seconds": 60}}'`,
  "/user{token}/messages.sendEncrypted": "-d peer=$CHAT -d message='Hello, Bob'",
  "/user{token}/messages.sendEncryptedFile": "-F peer=$CHAT -F caption='a list' -F file=@package.json",
  "/user{token}/uploadEncrypted": "-F file=@package.json",
  "/user{token}/downloadEncrypted": "-d peer=$CHAT -d random_id=$RANDOM_ID -o file",
  "/user{token}/getSecretMessages": "-d peer=$CHAT -d limit=10",
  "/user{token}/getSecretMessage": "-d peer=$CHAT -d random_id=$RANDOM_ID",
  "/user{token}/messages.setEncryptedTyping": "-d peer=$CHAT -d typing=true",
  "/user{token}/messages.readEncryptedHistory": "-d peer=$CHAT -d max_date=$(date +%s)",
  "/user{token}/requestSecretChat": "-d user=+15550002",
  "/user{token}/setPolicy": "-d accept=ask",
  "/user{token}/getUpdates": "-d limit=10",
  "/user{token}/setWebhook": "-d url=http://127.0.0.1:8000/",
  "/phonelogin": "-d phone=+15550003",
  "/user{token}/completephonelogin": "-d code=12345",
  "/user{token}/complete2FALogin": "-d password=…",
  "/user{token}/completesignup": "-d first_name=…",
  "/user{token}/{method}": "-d peer=+15550002 -d message='Not a secret'",
  "/bot{token}/madeline": "-d method=help.getConfig"
}

/** What the other side does. */
const ofBob = /\/(?:accept|decline)SecretChat$|\/downloadEncrypted$|\/getSecretMessages?$|\/getUpdates$|\/events$/

const curl = (spec: Json, path: string, body: Json | undefined): string => {
  if (path.endsWith("/websocket")) return `new WebSocket("$GATEWAY$BOB/websocket") // with ws: in place of http:`
  const user = /\/complete/.test(path) ? "/userTEMPORARY" : ofBob.test(path) ? "$BOB" : "$ANN"
  const url = path.replace("/user{token}", user).replace("/bot{token}", "$BOT").replace(
    "{method}",
    "messages.sendMessage"
  )
  const { required = [] } = (body === undefined ? {} : resolve(spec, body)) as {
    readonly required?: ReadonlyArray<string>
  }
  const params = examples[path] ?? required.map((name) => `-d ${name}=${name === "peer" ? "$CHAT" : "…"}`).join(" ")
  return `curl ${path.endsWith("/events") ? "-N " : ""}"$GATEWAY${url}"${params === "" ? "" : ` ${params}`}`
}

const operation = (spec: Json, methods: ReadonlyArray<string>, path: string, item: Json): string => {
  const content = item["requestBody"]?.content ?? {}
  const body = (content["application/json"] ?? content["multipart/form-data"])?.schema as Json | undefined
  const where = content["application/json"] === undefined ? "form" : "body or query"
  const { properties = {}, required = [] } = body === undefined ? {} : resolve(spec, body) as Json
  const rows = [
    ...(item["parameters"] ?? []).map((one: Json) =>
      row(spec, one["name"], one["required"] === true, {
        ...one["schema"],
        description: one["description"] ?? one["schema"]?.description
      }, one["in"])
    ),
    ...Object.entries(properties as Json).map(([name, schema]) =>
      row(spec, name, (required as ReadonlyArray<string>).includes(name), schema, where)
    )
  ]
  return `<section id="${escape(item["operationId"])}"><h3><b>${methods.join(", ")}</b> <code>${
    escape(path)
  }</code></h3>
<p>${escape(item["summary"] ?? "")}${item["description"] === undefined ? "" : `. ${escape(item["description"])}`}</p>
${
    rows.length === 0
      ? ""
      : `<table><tr><th>parameter</th><th>type</th><th>in</th><th></th></tr>${rows.join("")}</table>`
  }
<pre>${escape(curl(spec, path, body))}</pre></section>`
}

const style =
  "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222;background:#fff}" +
  "code,pre{font-family:ui-monospace,monospace;font-size:.9em}pre{background:#f4f4f4;padding:.6rem;overflow:auto}" +
  "table{border-collapse:collapse;width:100%}td,th{text-align:left;vertical-align:top;padding:.2rem .6rem .2rem 0;" +
  "border-bottom:1px solid #ddd}h3{margin-top:2rem}nav a{margin-right:1rem}" +
  "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}pre{background:#242424}a{color:#8bf}" +
  "td,th{border-color:#444}}"

/** The headers of the page: it runs nothing and loads nothing. */
export const pageHeaders = {
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
  "x-content-type-options": "nosniff"
}

let page: string | undefined

export const html = (): string => {
  if (page !== undefined) return page
  const spec = document()
  const groups = new Map<string, Array<string>>()
  const failures = new Map<string, string>()
  for (const [path, item] of Object.entries(spec["paths"] as Json)) {
    const method = item.post === undefined ? "get" : "post"
    const found = item[method] as Json
    const tag: string = found["tags"]?.[0] ?? "system"
    const list = groups.get(tag) ?? []
    groups.set(tag, list)
    list.push(operation(spec, Object.keys(item as Json).map((name) => name.toUpperCase()).toSorted(), path, found))
    for (const [status, answer] of Object.entries(found["responses"] as Json)) {
      if (status !== "200" && status !== "204") failures.set(status, answer.description)
    }
  }
  const sections = [...groups].map(([tag, list]) => `<h2 id="${escape(tag)}">${escape(tag)}</h2>${list.join("\n")}`)
  return page = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escape(spec["info"].title)}</title><style>${style}</style></head><body>
<h1>${escape(spec["info"].title)}</h1>
<p>${escape(spec["info"].description)} For programs: <a href="/openapi.json">/openapi.json</a>.</p>
<p>Parameters go into the query, a form or a JSON body, to GET and POST alike; arrays and objects in a query or form are
JSON. The answer is <code>{"ok": true, "result": …}</code>, or <code>{"ok": false, "error_code": …, "description": …,
"parameters": {"type": …}}</code> with the same HTTP status. Numbers of 64 bits are decimal strings, bytes are
<code>{"_": "bytes", "bytes": "base64"}</code>.</p>
<p><code>$GATEWAY</code>, <code>$ANN</code>, <code>$BOB</code>, <code>$BOT</code> and <code>$CHAT</code> in the examples are what
<code>--test-server</code> says at its start; <code>$RANDOM_ID</code> is that of a message, as sending answers it.</p>
<nav>${[...groups.keys()].map((tag) => `<a href="#${escape(tag)}">${escape(tag)}</a>`).join("")}</nav>
${sections.join("\n")}
<h2>Failures</h2><table>${
    [...failures].toSorted().map(([status, text]) => `<tr><td>${escape(status)}</td><td>${escape(text)}</td></tr>`)
      .join("")
  }</table>
</body></html>
`
}
