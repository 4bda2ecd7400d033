/**
 * `messages.*` of ordinary chats between two accounts: enough for a client to send, receive, read and delete, with
 * text and documents. Groups and channels are not there.
 */
import * as Api from "@effect-mtproto/core/Api"
import * as Failure from "../failure.ts"
import * as Files from "../files.ts"
import * as Mail from "../mail.ts"
import type { Account, StoredFile } from "../model.ts"
import * as World from "../world.ts"
import { type Entry, user, type UserCall } from "./method.ts"
import { stateOf } from "./updates.ts"

const MAX_TEXT = 4096
const MAX_CAPTION = 1024
const MAX_PAGE = 100
const MAX_WEIGHT = 16_384

/** The bytes of texts and the number of objects in what a client wants to be kept. */
const weigh = (value: unknown): number => {
  if (typeof value === "string" || value instanceof Uint8Array) return value.length
  if (typeof value !== "object" || value === null) return 8
  return Object.values(value).reduce<number>((sum, field) => sum + weigh(field), 16)
}

const own = (call: UserCall): Account => call.authorization.account

/** The account that an `InputPeer` names. */
export const peerOf = (call: UserCall, peer: Api.InputPeer): Account | undefined => {
  switch (peer._tag) {
    case "inputPeerSelf":
      return own(call)
    case "inputPeerUser":
      return World.resolveUser(call.world, own(call), {
        _tag: "inputUser",
        userId: peer.userId,
        accessHash: peer.accessHash
      })
    default:
      return undefined
  }
}

// -----------------------------------------------------------------------------
// sending
// -----------------------------------------------------------------------------

interface Sending {
  readonly peer: Api.InputPeer
  readonly message: string
  readonly randomId: bigint
  readonly silent?: boolean | undefined
  readonly entities?: ReadonlyArray<Api.MessageEntity> | undefined
  readonly replyTo?: Api.InputReplyTo | undefined
}

const send = (
  call: UserCall,
  request: Sending,
  document: Mail.MailDocument | undefined
): Api.Updates | Failure.RpcFailure => {
  const { world } = call
  if (weigh(request.entities) > MAX_WEIGHT) return Failure.badRequest("ENTITIES_TOO_LONG")
  const from = own(call)
  const to = peerOf(call, request.peer)
  if (to === undefined) return Failure.badRequest("PEER_ID_INVALID")
  if (to.deleted) return Failure.badRequest("INPUT_USER_DEACTIVATED")
  if (to.blocked.has(from.id)) return Failure.badRequest("YOU_BLOCKED_USER")
  const before = from.mail.sent.get(request.randomId)
  if (before !== undefined) return Failure.make(500, "RANDOM_ID_DUPLICATE")
  const event = Mail.send(from.mail, to.mail, {
    date: call.now,
    text: request.message,
    entities: request.entities?.length ? request.entities : undefined,
    silent: request.silent === true,
    document
  }, {
    randomId: request.randomId,
    replyTo: request.replyTo?._tag === "inputReplyToMessage" ? request.replyTo.replyToMsgId : undefined,
    limit: world.limits.mail
  })
  document?.file.viewers.add(to.id)
  World.sendMail(world, from, event.own, call.session)
  if (event.other !== undefined) World.sendMail(world, to, event.other)
  return {
    _tag: "updates",
    updates: [
      {
        _tag: "updateMessageID",
        id: event.own._tag === "New" ? event.own.mail.id : 0,
        randomId: request.randomId
      },
      World.mailUpdate(world, from, event.own)
    ],
    users: World.usersFor(world, from, [from.id, to.id]),
    chats: [],
    date: call.now,
    seq: 0
  }
}

const sendText = (
  call: UserCall,
  request: Api.Params<typeof Api.messages.sendMessage>
): Api.Updates | Failure.RpcFailure => {
  if (request.message === "") return Failure.badRequest("MESSAGE_EMPTY")
  return request.message.length > MAX_TEXT ? Failure.badRequest("MESSAGE_TOO_LONG") : send(call, request, undefined)
}

const fileOf = (call: UserCall, media: Api.InputMedia): StoredFile | Mail.MailDocument | Failure.RpcFailure => {
  const { world } = call
  if (media._tag === "inputMediaDocument") {
    if (media.id._tag !== "inputDocument") return Failure.badRequest("MEDIA_EMPTY")
    return World.documentOf(world, own(call), media.id) ?? Failure.badRequest("MEDIA_EMPTY")
  }
  if (media._tag !== "inputMediaUploadedDocument") return Failure.badRequest("MEDIA_INVALID")
  const { file } = media
  if (file._tag !== "inputFile" && file._tag !== "inputFileBig") return Failure.badRequest("FILE_ID_INVALID")
  return Files.finish(world.crypto, world.files, own(call).id, {
    fileId: file.id,
    parts: file.parts,
    md5: file._tag === "inputFile" ? file.md5Checksum : "",
    keyFingerprint: 0,
    dc: call.key.dc,
    id: World.randomLong(world),
    accessHash: World.randomLong(world)
  })
}

const documentOf = (call: UserCall, media: Api.InputMedia): Mail.MailDocument | Failure.RpcFailure => {
  const { world } = call
  const weight = "attributes" in media ? weigh(media.attributes) : 0
  if (weight > MAX_WEIGHT) return Failure.badRequest("MEDIA_INVALID")
  // what is said of a file takes room as well
  if (world.files.bytes + weight > world.files.maxBytes) return Failure.floodWait(60)
  const found = fileOf(call, media)
  if (Failure.isFailure(found) || "file" in found) return found
  const uploaded = media._tag === "inputMediaUploadedDocument" ? media : undefined
  const document: Mail.MailDocument = {
    file: found,
    reference: world.crypto.randomBytes(16),
    date: call.now,
    mimeType: (uploaded?.mimeType ?? "application/octet-stream").slice(0, 256),
    attributes: uploaded?.attributes ?? []
  }
  world.documents.set(found.id, document)
  world.files.bytes += weight
  return document
}

const sendMedia = (
  call: UserCall,
  request: Api.Params<typeof Api.messages.sendMedia>
): Api.Updates | Failure.RpcFailure => {
  if (request.message.length > MAX_CAPTION) return Failure.badRequest("MEDIA_CAPTION_TOO_LONG")
  if (peerOf(call, request.peer) === undefined) return Failure.badRequest("PEER_ID_INVALID")
  const document = documentOf(call, request.media)
  return Failure.isFailure(document) ? document : send(call, request, document)
}

// -----------------------------------------------------------------------------
// reading
// -----------------------------------------------------------------------------

const page = (call: UserCall, mails: ReadonlyArray<Mail.Mail>): Api.messages.Messages => ({
  _tag: "messages.messages",
  messages: mails.map((mail) => World.messageOf(call.world, own(call), mail)),
  topics: [],
  chats: [],
  users: World.usersFor(call.world, own(call), mails.flatMap((mail) => [mail.peer, mail.from]))
})

const history = (
  call: UserCall,
  request: Api.Params<typeof Api.messages.getHistory>
): Api.messages.Messages | Failure.RpcFailure => {
  const peer = peerOf(call, request.peer)
  if (peer === undefined) return Failure.badRequest("PEER_ID_INVALID")
  const { addOffset, maxId, minId, offsetDate, offsetId } = request
  const mails = Mail.history(own(call).mail, peer.id)
  const all = mails.filter((mail) =>
    (maxId <= 0 || mail.id < maxId) && mail.id > minId && (offsetDate <= 0 || mail.date < offsetDate)
  )
  // numbers fall: the first message below the offset, moved by `add_offset`
  const below = offsetId <= 0 ? 0 : all.findIndex((mail) => mail.id < offsetId)
  const start = Math.max(0, (below === -1 ? all.length : below) + addOffset)
  const limit = Math.min(Math.max(request.limit, 0), MAX_PAGE)
  const found = all.slice(start, start + limit)
  if (found.length === mails.length) return page(call, found)
  const { chats, messages, topics, users } = page(call, found) as Api.messages.messages
  return { _tag: "messages.messagesSlice", count: mails.length, messages, topics, chats, users }
}

const dialogOf = (call: UserCall, mail: Mail.Mail): Api.Dialog => {
  const box = own(call).mail
  return {
    _tag: "dialog",
    peer: { _tag: "peerUser", userId: mail.peer },
    topMessage: mail.id,
    readInboxMaxId: box.readInbox.get(mail.peer) ?? 0,
    readOutboxMaxId: box.readOutbox.get(mail.peer) ?? 0,
    unreadCount: Mail.unread(box, mail.peer),
    unreadMentionsCount: 0,
    unreadReactionsCount: 0,
    unreadPollVotesCount: 0,
    notifySettings: { _tag: "peerNotifySettings" }
  }
}

const dialogs = (
  call: UserCall,
  request: Api.Params<typeof Api.messages.getDialogs>
): Api.messages.Dialogs => {
  const all = Mail.latest(own(call).mail)
  const rest = request.offsetId > 0 ? all.filter((mail) => mail.id < request.offsetId) : all
  const limit = Math.min(Math.max(request.limit, 0), MAX_PAGE)
  // a folder is empty: there are none
  const found = request.folderId === undefined || request.folderId === 0 ? rest.slice(0, limit) : []
  const { chats, messages, users } = page(call, found) as Api.messages.messages
  const content = { dialogs: found.map((mail) => dialogOf(call, mail)), messages, chats, users }
  return found.length < rest.length && found.length > 0
    ? { _tag: "messages.dialogsSlice", count: all.length, ...content }
    : { _tag: "messages.dialogs", ...content }
}

const peerDialogs = (call: UserCall, peers: ReadonlyArray<Account>): Api.messages.PeerDialogs => {
  const ids = new Set(peers.map((peer) => peer.id))
  const found = Mail.latest(own(call).mail).filter((mail) => ids.has(mail.peer))
  const { chats, messages, users } = page(call, found) as Api.messages.messages
  return {
    _tag: "messages.peerDialogs",
    dialogs: found.map((mail) => dialogOf(call, mail)),
    messages,
    chats,
    users,
    state: stateOf(call)
  }
}

const readHistory = (
  call: UserCall,
  request: Api.Params<typeof Api.messages.readHistory>
): Api.messages.AffectedMessages | Failure.RpcFailure => {
  const peer = peerOf(call, request.peer)
  if (peer === undefined) return Failure.badRequest("PEER_ID_INVALID")
  const event = Mail.read(own(call).mail, peer.mail, request.maxId, call.world.limits.mail)
  if (event.own !== undefined) World.sendMail(call.world, own(call), event.own, call.session)
  if (event.other !== undefined) World.sendMail(call.world, peer, event.other)
  return { _tag: "messages.affectedMessages", pts: own(call).mail.pts, ptsCount: event.own?.count ?? 0 }
}

const deleteMessages = (
  call: UserCall,
  request: Api.Params<typeof Api.messages.deleteMessages>
): Api.messages.AffectedMessages => {
  const { world } = call
  const box = own(call).mail
  const ids = request.id.slice(0, MAX_PAGE)
  if (request.revoke === true) {
    const twins = new Map<bigint, Array<number>>()
    for (const mail of ids.flatMap((id) => box.messages.get(id) ?? [])) {
      if (mail.twin !== undefined) twins.set(mail.peer, [...twins.get(mail.peer) ?? [], mail.twin])
    }
    for (const [peer, gone] of twins) {
      const other = world.accounts.get(peer)
      const event = other === undefined ? undefined : Mail.remove(other.mail, gone, world.limits.mail)
      if (other !== undefined && event !== undefined) World.sendMail(world, other, event)
    }
  }
  const event = Mail.remove(box, ids, world.limits.mail)
  if (event !== undefined) World.sendMail(world, own(call), event, call.session)
  return { _tag: "messages.affectedMessages", pts: box.pts, ptsCount: event?.count ?? 0 }
}

export const methods: ReadonlyArray<Entry> = [
  user(Api.messages.sendMessage, sendText),
  user(Api.messages.sendMedia, sendMedia),
  user(Api.messages.uploadMedia, (call, request) => {
    const document = documentOf(call, request.media)
    return Failure.isFailure(document) ? document : World.mediaOf(document)
  }),
  user(Api.messages.getHistory, history),
  user(Api.messages.getMessages, (call, request) =>
    page(
      call,
      request.id.slice(0, MAX_PAGE).flatMap((id) =>
        id._tag === "inputMessageID" ? own(call).mail.messages.get(id.id) ?? [] : []
      )
    )),
  user(Api.messages.getDialogs, dialogs),
  user(Api.messages.getPinnedDialogs, (call) => peerDialogs(call, [])),
  user(Api.messages.getPeerDialogs, (call, request) =>
    peerDialogs(
      call,
      request.peers.flatMap((peer) => peer._tag === "inputDialogPeer" ? peerOf(call, peer.peer) ?? [] : [])
    )),
  user(Api.messages.readHistory, readHistory),
  user(Api.messages.deleteMessages, deleteMessages),
  user(Api.messages.receivedMessages, () => []),
  user(Api.messages.getPeerSettings, (call, request): Api.messages.PeerSettings | Failure.RpcFailure => {
    const peer = peerOf(call, request.peer)
    return peer === undefined
      ? Failure.badRequest("PEER_ID_INVALID")
      : {
        _tag: "messages.peerSettings",
        settings: { _tag: "peerSettings" },
        chats: [],
        users: World.usersFor(call.world, own(call), [peer.id])
      }
  }),
  user(Api.messages.setTyping, (call, request) => {
    const peer = peerOf(call, request.peer)
    if (peer === undefined) return Failure.badRequest("PEER_ID_INVALID")
    for (const device of peer.authorizations) {
      World.sendShort(call.world, device, {
        _tag: "updateUserTyping",
        userId: own(call).id,
        action: request.action
      })
    }
    return true
  })
]
