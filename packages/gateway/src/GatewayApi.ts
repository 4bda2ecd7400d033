/**
 * What the gateway serves, as one definition: the OpenAPI document, the page at `/docs` and the typed client are made of it.
 *
 * Every path under `/user{token}` and `/bot{token}` is answered to GET and POST alike, with parameters in the query, in a
 * form or as JSON; here each stands once, as POST with JSON.
 *
 * @since 1.0.0
 */
import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "effect/http-api"
import * as Multipart from "effect/http/Multipart"
import * as Schema from "effect/Schema"

// ----- values

/** A 64-bit number, as a decimal string. */
const Long = Schema.BigIntFromString

const describe = <S extends Schema.Top>(schema: S, description: string) => schema.annotate({ description })

/**
 * What names a secret chat: its id or dialog id, also in digits, or an object that has it.
 *
 * @category schemas
 * @since 1.0.0
 */
export const Peer = Schema.Union([Schema.Int, Schema.String, Schema.Record(Schema.String, Schema.Json)]).annotate({
  identifier: "Peer",
  description: "A secret chat: its id, its dialog id, an InputEncryptedChat, an EncryptedMessage, an update"
})

/**
 * What names a person.
 *
 * @category schemas
 * @since 1.0.0
 */
export const Person = Schema.Union([Schema.Int, Schema.String, Schema.Record(Schema.String, Schema.Json)]).annotate({
  identifier: "Person",
  description: "A person: @name, +phone, an id that this session has met, an InputUser"
})

/**
 * A DecryptedMessage in JSON, or a text.
 *
 * @category schemas
 * @since 1.0.0
 */
export const Message = Schema.Union([Schema.String, Schema.Record(Schema.String, Schema.Json)]).annotate({
  identifier: "Message",
  description: "A DecryptedMessage: {\"_\": \"decryptedMessage\", \"message\": \"…\"} or " +
    "{\"_\": \"decryptedMessageService\", \"action\": {…}}; or a text"
})

/** @category schemas @since 1.0.0 */
export const Bytes = Schema.Struct({ _: Schema.Literal("bytes"), bytes: Schema.Uint8ArrayFromBase64 }).annotate({
  identifier: "Bytes"
})

/** @category schemas @since 1.0.0 */
export const EncryptedFile = Schema.Struct({
  _: Schema.Literal("encryptedFile"),
  id: Long,
  access_hash: Long,
  size: Long,
  dc_id: Schema.Int,
  key_fingerprint: Schema.Int
}).annotate({ identifier: "EncryptedFile" })

/**
 * What sending one message gives: the server's answer, and what names the message.
 *
 * @category schemas
 * @since 1.0.0
 */
export const Sent = Schema.Struct({
  _: Schema.Literals(["messages.sentEncryptedMessage", "messages.sentEncryptedFile"]),
  date: Schema.Int,
  chat_id: Schema.Int,
  random_id: Long,
  index: Schema.Int,
  file: Schema.optionalKey(EncryptedFile)
}).annotate({ identifier: "Sent" })

/** One outcome, or several in order if the message was sent in parts. */
const SentOrSeveral = Schema.Union([Sent, Schema.Array(Sent)])

/** @category schemas @since 1.0.0 */
export const SecretChat = Schema.Struct({
  _: Schema.Literal("secretChat"),
  chat_id: Schema.Int,
  dialog_id: Schema.Int,
  user_id: Long,
  outgoing: Schema.Boolean,
  state: Schema.Literals(["requesting", "waiting", "requested", "accepting", "ready", "closed"]),
  closed: Schema.optionalKey(Schema.Json),
  date: Schema.Int,
  ttl: Schema.Int,
  peer_layer: Schema.Int,
  key_hash: Schema.optionalKey(Bytes)
}).annotate({ identifier: "SecretChat" })

/** @category schemas @since 1.0.0 */
export const SecretMessage = Schema.Struct({
  _: Schema.Literal("secretMessage"),
  chat_id: Schema.Int,
  position: Schema.Int,
  random_id: Long,
  outgoing: Schema.Boolean,
  index: Schema.Int,
  state: Schema.Literals(["queued", "sent", "received", "delivered", "read", "failed"]),
  date: Schema.Int,
  failure: Schema.optionalKey(Schema.String),
  file: Schema.optionalKey(EncryptedFile),
  message: Schema.Json
}).annotate({ identifier: "SecretMessage" })

/** @category schemas @since 1.0.0 */
export const Update = Schema.Struct({
  update_id: Schema.Int,
  update: Schema.Json,
  users: Schema.optionalKey(Schema.Array(Schema.Json)),
  chats: Schema.optionalKey(Schema.Array(Schema.Json))
}).annotate({
  identifier: "Update",
  description:
    "An update of a secret chat, or any other with the users and chats that it names, as far as Telegram told of them"
})

const allowedUpdates = {
  allowed_updates: Schema.optionalKey(describe(
    Schema.Union([Schema.Array(Schema.String), Schema.String]),
    "Which updates are put into the inbox from now on: names, secret_chats, *; an empty list: all but who is online or typing"
  ))
}

/** @category schemas @since 1.0.0 */
export const KeyPicture = Schema.Struct({
  hash: Bytes,
  hex: Schema.String,
  letters: Schema.String,
  svg: Schema.String
}).annotate({ identifier: "KeyPicture" })

/** @category schemas @since 1.0.0 */
export const Policy = Schema.Union([
  Schema.Literals(["ask", "allow", "none"]),
  Schema.Boolean,
  Schema.Array(Schema.Union([Schema.Int, Schema.String]))
]).annotate({
  identifier: "Policy",
  description: "Whose requests for a secret chat are accepted: ask, allow, none, or those of these people"
})

/** A message, in one of three ways. */
const what = {
  message: Schema.optionalKey(Message),
  parse_mode: Schema.optionalKey(describe(
    Schema.Literals(["HTML", "Markdown", "MarkdownV2"]),
    "The text has markup, which becomes entities; it may stand in the message as well"
  )),
  data: Schema.optionalKey(describe(
    Schema.Union([Bytes, Schema.String]),
    "In place of message: a DecryptedMessage that is TL already, as bytes or in base64; not what is encrypted"
  ))
}

/** A message with a file, which is the last part of a form. */
const fileMessage = {
  peer: Peer,
  message: Schema.optionalKey(Message),
  parse_mode: what.parse_mode,
  caption: Schema.optionalKey(Schema.String),
  size: Schema.optionalKey(describe(Schema.Int, "Bytes of the file: it need not be known"))
}

// ----- envelopes

const ok = <S extends Schema.Top>(result: S) => Schema.Struct({ ok: Schema.Literal(true), result })

/** @category schemas @since 1.0.0 */
export const Parameters = Schema.Struct({
  type: Schema.String,
  retry_after: Schema.optionalKey(Schema.Int),
  sent: Schema.optionalKey(Schema.Json)
})

const failureOf = <const Status extends number>(status: Status, description: string) =>
  Schema.Struct({
    ok: Schema.Literal(false),
    error_code: Schema.Literal(status),
    description: Schema.String,
    parameters: Parameters
  }).annotate({ identifier: `Failure${status}`, description }).pipe(HttpApiSchema.status(status))

const unavailable = failureOf(503, "Another process uses the session; the gateway is about to stop")

/**
 * What is answered in place of a result; the HTTP status is `error_code`.
 *
 * @category schemas
 * @since 1.0.0
 */
export const failures = [
  failureOf(400, "The request cannot be understood, or what Telegram says with 400"),
  failureOf(401, "No such token; the login is not complete, or has ended"),
  failureOf(403, "What Telegram says with 403; a page of another origin"),
  failureOf(404, "No such method, secret chat, message or file"),
  failureOf(405, "Neither GET nor POST"),
  failureOf(406, "What Telegram says with 406"),
  failureOf(408, "The body did not come in time"),
  failureOf(409, "The secret chat is not ready, or is closed; updates go to a webhook"),
  failureOf(413, "The body, or the message, is too large"),
  failureOf(415, "A body of another kind"),
  failureOf(416, "The file has no such range"),
  failureOf(422, "The Idempotency-Key was used for another request"),
  failureOf(426, "This path is a WebSocket"),
  failureOf(429, "Flood wait, or the gateway's own limit: see retry_after"),
  failureOf(500, "A failure of the gateway, or what Telegram says with 500"),
  failureOf(502, "Telegram cannot be reached"),
  unavailable,
  failureOf(504, "Telegram does not answer in time")
] as const

const token = {
  token: describe(Schema.String, "As login gave it; for a bot, as BotFather gave it")
}
const once = {
  "idempotency-key": Schema.optionalKey(
    describe(Schema.String, "A repeated request with the same key gets the answer of the first, for a day")
  )
}

const about = (summary: string, description?: string) =>
  OpenApi.annotations(description === undefined ? { summary } : { summary, description })

/** Of whatever kind the sender has said. */
const wholeFile = HttpApiSchema.StreamUint8Array({ contentType: "*/*" })

// ----- groups

/**
 * What needs no token.
 *
 * @category groups
 * @since 1.0.0
 */
export class System extends HttpApiGroup.make("system", { topLevel: true })
  .add(
    HttpApiEndpoint.get("health", "/health", { success: ok(Schema.Literal("alive")) })
      .annotateMerge(about("Whether the process lives")),
    HttpApiEndpoint.get("ready", "/ready", { success: ok(Schema.Literal("ready")), error: unavailable })
      .annotateMerge(about("Whether requests can be answered")),
    HttpApiEndpoint.get("metrics", "/metrics", {
      success: Schema.String.pipe(HttpApiSchema.asText({ contentType: "text/plain; version=0.0.4; charset=utf-8" }))
    }).annotateMerge(about("Metrics for Prometheus"))
  )
{}

/**
 * @category groups
 * @since 1.0.0
 */
export class Login extends HttpApiGroup.make("login")
  .add(
    HttpApiEndpoint.post("phone", "/phonelogin", {
      headers: { "x-admin-token": Schema.optionalKey(Schema.String) },
      payload: Schema.Struct({ phone: describe(Schema.String, "In international form") }),
      success: ok(describe(Schema.String, "The token for the next step")),
      error: failures
    }).annotateMerge(about("Begins a login", "Telegram sends a code. The answer is the token for the next step.")),
    HttpApiEndpoint.post("code", "/user:token/completephonelogin", {
      params: token,
      payload: Schema.Struct({ code: Schema.String }),
      success: ok(describe(Schema.String, "The token of the account, to be kept: <user id>:<secret>")),
      error: failures
    }).annotateMerge(about("Completes a login with the code", "401 asks for the password, or for a name.")),
    HttpApiEndpoint.post("password", "/user:token/complete2FALogin", {
      params: token,
      payload: Schema.Struct({ password: Schema.String }),
      success: ok(Schema.String),
      error: failures
    }).annotateMerge(about("Completes a login with the password of two-step verification")),
    HttpApiEndpoint.post("signUp", "/user:token/completesignup", {
      params: token,
      payload: Schema.Struct({ first_name: Schema.String, last_name: Schema.optionalKey(Schema.String) }),
      success: ok(Schema.String),
      error: failures
    }).annotateMerge(about("Completes a login with a name", "Telegram lets only its own apps make accounts.")),
    HttpApiEndpoint.post("logOut", "/user:token/logOut", {
      params: token,
      success: ok(Schema.Boolean),
      error: failures
    }).annotateMerge(about("Ends the login", "The secret chats of this session end with it; nothing of it is kept."))
  )
{}

/**
 * @category groups
 * @since 1.0.0
 */
export class Messages extends HttpApiGroup.make("messages")
  .add(
    HttpApiEndpoint.post("sendEncryptedService", "/user:token/messages.sendEncryptedService", {
      params: token,
      headers: once,
      payload: Schema.Struct({ peer: Peer, ...what }),
      success: ok(SentOrSeveral),
      error: failures
    }).annotateMerge(about(
      "Sends a service message to a secret chat",
      "The other side is not notified. A text of more than 4096 characters is sent in parts: the answer is an array then."
    )),
    HttpApiEndpoint.post("sendEncrypted", "/user:token/messages.sendEncrypted", {
      params: token,
      headers: once,
      payload: Schema.Struct({ peer: Peer, ...what, silent: Schema.optionalKey(Schema.Boolean) }),
      success: ok(SentOrSeveral),
      error: failures
    }).annotateMerge(about("Sends a message to a secret chat")),
    HttpApiEndpoint.post("sendEncryptedFile", "/user:token/messages.sendEncryptedFile", {
      params: token,
      headers: once,
      payload: [
        Schema.Struct({ ...fileMessage, file: Schema.Json }),
        Schema.Struct({ ...fileMessage, file: Multipart.SingleFileSchema }).pipe(HttpApiSchema.asMultipart())
      ],
      success: ok(SentOrSeveral),
      error: failures
    }).annotateMerge(about(
      "Sends a file to a secret chat",
      "As multipart/form-data: file is the last part, and is sent on as it comes. As JSON: file is what uploadEncrypted answered."
    )),
    HttpApiEndpoint.post("uploadEncrypted", "/user:token/uploadEncrypted", {
      params: token,
      payload: Schema.Struct({ size: fileMessage.size, file: Multipart.SingleFileSchema }).pipe(
        HttpApiSchema.asMultipart()
      ),
      success: ok(Schema.Json),
      error: failures
    }).annotateMerge(
      about("Uploads a file, encrypted", "As multipart/form-data. The answer holds the key: keep it to yourself.")
    ),
    HttpApiEndpoint.post("downloadEncrypted", "/user:token/downloadEncrypted", {
      params: token,
      payload: Schema.Struct({
        peer: Schema.optionalKey(Peer),
        random_id: Schema.optionalKey(Schema.String),
        message: Schema.optionalKey(Schema.Json)
      }),
      success: wholeFile,
      error: failures
    }).annotateMerge(about("The file of a message", "By peer and random_id, or by message as it came in an update.")),
    HttpApiEndpoint.post("history", "/user:token/getSecretMessages", {
      params: token,
      payload: Schema.Struct({
        peer: Peer,
        before: Schema.optionalKey(Schema.Int),
        after: Schema.optionalKey(Schema.Int),
        order: Schema.optionalKey(Schema.Literals(["newest-first", "oldest-first"])),
        limit: Schema.optionalKey(describe(Schema.Int, "1 to 1000, 100 unless given"))
      }),
      success: ok(Schema.Array(SecretMessage)),
      error: failures
    }).annotateMerge(about("Messages of a secret chat")),
    HttpApiEndpoint.post("message", "/user:token/getSecretMessage", {
      params: token,
      payload: Schema.Struct({ peer: Peer, random_id: Schema.String }),
      success: ok(SecretMessage),
      error: failures
    }).annotateMerge(about("One message of a secret chat")),
    HttpApiEndpoint.post("typing", "/user:token/messages.setEncryptedTyping", {
      params: token,
      payload: Schema.Struct({ peer: Peer, typing: Schema.optionalKey(Schema.Boolean) }),
      success: ok(Schema.Boolean),
      error: failures
    }).annotateMerge(about("Tells that we are typing")),
    HttpApiEndpoint.post("markRead", "/user:token/messages.readEncryptedHistory", {
      params: token,
      payload: Schema.Struct({ peer: Peer, max_date: Schema.Int }),
      success: ok(Schema.Boolean),
      error: failures
    }).annotateMerge(about("Messages up to a date were read"))
  )
{}

/**
 * @category groups
 * @since 1.0.0
 */
export class Chats extends HttpApiGroup.make("chats")
  .add(
    HttpApiEndpoint.post("request", "/user:token/requestSecretChat", {
      params: token,
      headers: once,
      payload: Schema.Struct({
        user: Person,
        wait: Schema.optionalKey(describe(Schema.Boolean, "Answer when the chat is ready or refused"))
      }),
      success: ok(SecretChat),
      error: failures
    }).annotateMerge(about("Asks somebody for a secret chat")),
    HttpApiEndpoint.post("accept", "/user:token/acceptSecretChat", {
      params: token,
      payload: Schema.Struct({ peer: Peer }),
      success: ok(SecretChat),
      error: failures
    }).annotateMerge(about("Accepts a request")),
    HttpApiEndpoint.post("decline", "/user:token/declineSecretChat", {
      params: token,
      payload: Schema.Struct({ peer: Peer }),
      success: ok(SecretChat),
      error: failures
    }).annotateMerge(about("Declines a request")),
    HttpApiEndpoint.post("discard", "/user:token/discardSecretChat", {
      params: token,
      payload: Schema.Struct({ peer: Peer, delete_history: Schema.optionalKey(Schema.Boolean) }),
      success: ok(SecretChat),
      error: failures
    }).annotateMerge(about("Closes a secret chat, for good")),
    HttpApiEndpoint.post("forget", "/user:token/forgetSecretChat", {
      params: token,
      payload: Schema.Struct({ peer: Peer }),
      success: ok(Schema.Boolean),
      error: failures
    }).annotateMerge(about("Removes a closed secret chat and its history")),
    HttpApiEndpoint.post("get", "/user:token/getSecretChat", {
      params: token,
      payload: Schema.Struct({ peer: Peer }),
      success: ok(SecretChat),
      error: failures
    }).annotateMerge(about("A secret chat, as it is now")),
    HttpApiEndpoint.post("list", "/user:token/getSecretChats", {
      params: token,
      success: ok(Schema.Array(SecretChat)),
      error: failures
    }).annotateMerge(about("All secret chats")),
    HttpApiEndpoint.post("status", "/user:token/secretChatStatus", {
      params: token,
      payload: Schema.Struct({ peer: Peer }),
      success: ok(Schema.Literals([0, 1, 2])),
      error: failures
    }).annotateMerge(about("0 = unknown or closed, 1 = asked for, 2 = ready")),
    HttpApiEndpoint.post("keyPicture", "/user:token/getKeyPicture", {
      params: token,
      payload: Schema.Struct({ peer: Peer, format: Schema.optionalKey(Schema.Literals(["json"])) }),
      success: ok(KeyPicture),
      error: failures
    }).annotateMerge(about(
      "The key picture of a chat",
      "What two people compare to know that nobody is between them. With format=svg or format=png it is that image."
    )),
    HttpApiEndpoint.post("setPolicy", "/user:token/setPolicy", {
      params: token,
      payload: Schema.Struct({ accept: Policy }),
      success: ok(Schema.Struct({ accept: Policy })),
      error: failures
    }).annotateMerge(about("Whose requests for a secret chat are accepted", "ask, unless set.")),
    HttpApiEndpoint.post("getPolicy", "/user:token/getPolicy", {
      params: token,
      success: ok(Schema.Struct({ accept: Policy })),
      error: failures
    }).annotateMerge(about("The policy")),
    HttpApiEndpoint.post("notifyLayer", "/user:token/notifyLayer", {
      params: token,
      payload: Schema.Struct({ peer: Peer }),
      success: ok(Schema.Boolean),
      error: failures
    }).annotateMerge(about("Announces the layer that this software speaks"))
  )
{}

/**
 * @category groups
 * @since 1.0.0
 */
export class Updates extends HttpApiGroup.make("updates")
  .add(
    HttpApiEndpoint.post("get", "/user:token/getUpdates", {
      params: token,
      payload: Schema.Struct({
        offset: Schema.optionalKey(
          describe(Schema.Int, "Acknowledges all updates below; negative: counted from the end")
        ),
        limit: Schema.optionalKey(describe(Schema.Int, "1 to 100")),
        timeout: Schema.optionalKey(describe(Schema.Int, "0 to 60 seconds to wait for the first one")),
        ...allowedUpdates
      }),
      success: ok(Schema.Array(Update)),
      error: failures
    }).annotateMerge(about("Updates that were not acknowledged")),
    HttpApiEndpoint.get("events", "/user:token/events", {
      params: token,
      query: { offset: Schema.optionalKey(Schema.Int), allowed_updates: Schema.optionalKey(Schema.String) },
      headers: { "last-event-id": Schema.optionalKey(Schema.String) },
      success: HttpApiSchema.StreamUint8Array({ contentType: "text/event-stream" }),
      error: failures
    }).annotateMerge(about("Updates as Server-Sent Events", "Resumed by Last-Event-ID, which acknowledges.")),
    HttpApiEndpoint.get("webSocket", "/user:token/websocket", {
      params: token,
      query: { offset: Schema.optionalKey(Schema.Int), allowed_updates: Schema.optionalKey(Schema.String) },
      error: failures
    }).annotateMerge(about("Updates over a WebSocket", "Each is a text frame; {\"ack\": number} acknowledges.")),
    HttpApiEndpoint.post("setWebhook", "/user:token/setWebhook", {
      params: token,
      payload: Schema.Struct({ url: Schema.String, secret: Schema.optionalKey(Schema.String), ...allowedUpdates }),
      success: ok(
        Schema.Union([Schema.Boolean, Schema.Struct({ url: Schema.String, secret: Schema.optionalKey(Schema.String) })])
      ),
      error: failures
    }).annotateMerge(about(
      "Posts updates to a URL",
      "X-Webhook-Signature is sha256=HMAC-SHA-256(secret, X-Webhook-Timestamp + \".\" + body) in hexadecimal."
    )),
    HttpApiEndpoint.post("deleteWebhook", "/user:token/deleteWebhook", {
      params: token,
      success: ok(Schema.Boolean),
      error: failures
    }).annotateMerge(about("Posts no more")),
    HttpApiEndpoint.post("getWebhookInfo", "/user:token/getWebhookInfo", {
      params: token,
      success: ok(Schema.Struct({
        url: Schema.String,
        pending_update_count: Schema.Int,
        allowed_updates: Schema.Array(Schema.String),
        last_error_date: Schema.optionalKey(Schema.Int),
        last_error_message: Schema.optionalKey(Schema.String)
      })),
      error: failures
    }).annotateMerge(about("How it stands with the webhook"))
  )
{}

/**
 * @category groups
 * @since 1.0.0
 */
export class Methods extends HttpApiGroup.make("methods")
  .add(
    HttpApiEndpoint.post("getMe", "/user:token/getMe", {
      params: token,
      success: ok(Schema.Json),
      error: failures
    }).annotateMerge(about("The account")),
    HttpApiEndpoint.post("call", "/user:token/:method", {
      params: {
        ...token,
        method: describe(Schema.String, "help.getConfig, messages.sendMessage, …; -> may be written for .")
      },
      headers: once,
      payload: Schema.Record(Schema.String, Schema.Json),
      success: ok(Schema.Json),
      error: failures
    }).annotateMerge(
      about("Any method of Telegram's API", "Parameters by their names in TL; longs as decimal strings.")
    ),
    HttpApiEndpoint.post("callAsBot", "/bot:token/madeline", {
      params: token,
      headers: once,
      payload: Schema.Struct({
        method: Schema.String,
        params: Schema.optionalKey(Schema.Union([Schema.String, Schema.Record(Schema.String, Schema.Json)]))
      }),
      success: ok(Schema.Json),
      error: failures
    }).annotateMerge(about("Any method, as a bot", "Bots have no secret chats: Telegram refuses."))
  )
{}

/**
 * The whole of it.
 *
 * @category api
 * @since 1.0.0
 */
export class GatewayApi extends HttpApi.make("gateway")
  .add(Messages, Chats, Updates, Login, Methods, System)
  .annotateMerge(OpenApi.annotations({
    title: "effect-mtproto gateway",
    version: "0.1.0",
    description: "Telegram secret chats, and every method of Telegram's API, over HTTP."
  }))
{}
