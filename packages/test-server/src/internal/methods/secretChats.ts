/**
 * The methods of secret chats (core.telegram.org/api/end-to-end). The rules are
 * those of `relay.ts`; here they meet accounts, files and the network.
 */
import * as Api from "@effect-mtproto/core/Api"
import { equals } from "../bytes.ts"
import * as Failure from "../failure.ts"
import * as Files from "../files.ts"
import { GENERATOR, isPublicValue, PRIME } from "../group.ts"
import type { StoredFile } from "../model.ts"
import * as Relay from "../relay.ts"
import * as UpdateBox from "../updateBox.ts"
import * as World from "../world.ts"
import { type Entry, person, type UserCall } from "./method.ts"

const DH_VERSION = 1
const MAX_RANDOM = 1024

const requestEncryption = (
  call: UserCall,
  request: Api.Params<typeof Api.messages.requestEncryption>
): Api.EncryptedChat | Failure.RpcFailure => {
  const { authorization, world } = call
  const account = World.resolveUser(world, authorization.account, request.userId)
  if (account === undefined || account === authorization.account || account.botToken !== undefined) {
    return Failure.badRequest("USER_ID_INVALID")
  }
  if (account.deleted) return Failure.badRequest("INPUT_USER_DEACTIVATED")
  if (account.blocked.has(authorization.account.id)) return Failure.forbidden("USER_IS_BLOCKED")
  if (!isPublicValue(request.gA)) return Failure.badRequest("DH_G_A_INVALID")
  const existing = world.chats.get(request.randomId)
  if (existing !== undefined) {
    const isSame = existing.initiator.authorization === authorization && existing.participant.account === account &&
      equals(existing.gA, request.gA)
    return isSame ? Relay.view(existing, authorization) : Failure.badRequest("RANDOM_ID_DUPLICATE")
  }
  const isFull = [...account.authorizations].some((other) => other.box.others.length >= world.limits.queuedUpdates)
  if (isFull || !World.makeRoomForChat(world)) return Failure.floodWait(60)
  const { notices, result: chat } = Relay.request({
    // the chat has the number that the client drew
    id: request.randomId,
    device: authorization,
    account,
    gA: request.gA.slice(),
    accessHashes: [World.randomLong(world), World.randomLong(world)],
    now: call.now
  })
  world.chats.set(chat.id, chat)
  World.deliver(world, notices)
  return Relay.view(chat, authorization)
}

const acceptEncryption = (
  call: UserCall,
  request: Api.Params<typeof Api.messages.acceptEncryption>
): Api.EncryptedChat | Failure.RpcFailure => {
  if (!isPublicValue(request.gB)) return Failure.badRequest("DH_G_A_INVALID")
  const outcome = Relay.accept(call.world.chats.get(request.peer.chatId), call.authorization, {
    accessHash: request.peer.accessHash,
    gB: request.gB.slice(),
    keyFingerprint: request.keyFingerprint,
    now: call.now
  })
  if (Failure.isFailure(outcome)) return outcome
  World.deliver(call.world, outcome.notices)
  return outcome.result
}

const discardEncryption = (
  call: UserCall,
  request: Api.Params<typeof Api.messages.discardEncryption>
): boolean | Failure.RpcFailure => {
  if (request.chatId === 0) return Failure.badRequest("CHAT_ID_EMPTY")
  const outcome = Relay.discard(call.world.chats.get(request.chatId), call.authorization, {
    historyDeleted: request.deleteHistory === true,
    now: call.now
  })
  if (Failure.isFailure(outcome)) return outcome
  World.deliver(call.world, outcome.notices)
  return outcome.result
}

// -----------------------------------------------------------------------------
// messages
// -----------------------------------------------------------------------------

const lineOf = (call: UserCall, peer: Api.InputEncryptedChat): Relay.Line | Failure.RpcFailure =>
  Relay.line(call.world.chats.get(peer.chatId), call.authorization, peer.accessHash)

const sent = (date: number, file: StoredFile | undefined): Api.messages.SentEncryptedMessage =>
  file === undefined
    ? { _tag: "messages.sentEncryptedMessage", date }
    : { _tag: "messages.sentEncryptedFile", date, file: describe(file) }

const describe = (file: StoredFile): Api.EncryptedFile => ({
  _tag: "encryptedFile",
  id: file.id,
  accessHash: file.accessHash,
  size: BigInt(file.bytes.length),
  dcId: file.dc,
  keyFingerprint: file.keyFingerprint
})

const send = (
  call: UserCall,
  request: { readonly peer: Api.InputEncryptedChat; readonly randomId: bigint; readonly data: Uint8Array },
  kind: "message" | "service",
  upload?: Api.InputEncryptedFile
): Api.messages.SentEncryptedMessage | Failure.RpcFailure => {
  const { now, world } = call
  const line = lineOf(call, request.peer)
  if (Failure.isFailure(line)) return line
  // A repetition is relayed like any other message: that is how a peer's `decryptedMessageActionResend` is answered. Of
  // true duplicates the sequence numbers inside take care. Only the parts of a file are there no more than once.
  if (request.data.length === 0) return Failure.badRequest("DATA_INVALID")
  if (request.data.length > world.limits.encryptedBytes) return Failure.badRequest("DATA_TOO_LONG")
  if (!World.hasRoom(world, line.recipient)) return Failure.floodWait(30)
  let file = upload === undefined ? undefined : line.from.files.get(request.randomId)
  if (file === undefined && upload !== undefined) {
    const found = fileOf(call, upload)
    if (Failure.isFailure(found)) return found
    file = found
    file.viewers.add(line.to.account.id)
  }
  // a copy: the bytes are a view of the whole packet, and may wait for long
  const common = { randomId: request.randomId, chatId: line.chat.id, date: now, bytes: request.data.slice() }
  World.sendMessage(
    world,
    line.recipient,
    kind === "service"
      ? { _tag: "encryptedMessageService", ...common }
      : {
        _tag: "encryptedMessage",
        ...common,
        file: file === undefined ? { _tag: "encryptedFileEmpty" } : describe(file)
      }
  )
  if (file !== undefined) Relay.remember(line.from, request.randomId, file)
  return sent(now, file)
}

const fileOf = (call: UserCall, input: Api.InputEncryptedFile): StoredFile | Failure.RpcFailure => {
  const { world } = call
  const account = call.authorization.account.id
  switch (input._tag) {
    case "inputEncryptedFileEmpty":
      // the name is misspelt in the protocol
      return Failure.badRequest("FILE_EMTPY")
    case "inputEncryptedFile":
      return Files.find(world.files, account, input.id, input.accessHash) ?? Failure.badRequest("FILE_ID_INVALID")
    case "inputEncryptedFileUploaded":
    case "inputEncryptedFileBigUploaded":
      return Files.finish(world.crypto, world.files, account, {
        fileId: input.id,
        parts: input.parts,
        md5: input._tag === "inputEncryptedFileUploaded" ? input.md5Checksum : "",
        keyFingerprint: input.keyFingerprint,
        dc: call.key.dc,
        id: World.randomLong(world),
        accessHash: World.randomLong(world)
      })
  }
}

const readHistory = (
  call: UserCall,
  request: Api.Params<typeof Api.messages.readEncryptedHistory>
): boolean | Failure.RpcFailure => {
  const line = lineOf(call, request.peer)
  if (Failure.isFailure(line)) return line
  if (request.maxDate <= 0) return Failure.badRequest("MAX_DATE_INVALID")
  World.sendReadMark(call.world, line.recipient, {
    _tag: "updateEncryptedMessagesRead",
    chatId: line.chat.id,
    maxDate: request.maxDate,
    date: call.now
  })
  return true
}

export const methods: ReadonlyArray<Entry> = [
  person(Api.messages.getDhConfig, (call, request) => {
    if (request.randomLength < 0 || request.randomLength > MAX_RANDOM) {
      return Failure.badRequest("RANDOM_LENGTH_INVALID")
    }
    const random = request.randomLength === 0
      ? new Uint8Array(0)
      : call.world.crypto.randomBytes(request.randomLength)
    return request.version === DH_VERSION
      ? { _tag: "messages.dhConfigNotModified", random }
      : { _tag: "messages.dhConfig", g: GENERATOR, p: PRIME, version: DH_VERSION, random }
  }),
  person(Api.messages.requestEncryption, requestEncryption),
  person(Api.messages.acceptEncryption, acceptEncryption),
  person(Api.messages.discardEncryption, discardEncryption),
  person(Api.messages.sendEncrypted, (call, request) => send(call, request, "message")),
  person(Api.messages.sendEncryptedService, (call, request) => send(call, request, "service")),
  person(Api.messages.sendEncryptedFile, (call, request) => send(call, request, "message", request.file)),
  person(Api.messages.uploadEncryptedFile, (call, request) => {
    const line = lineOf(call, request.peer)
    if (Failure.isFailure(line)) return line
    const file = fileOf(call, request.file)
    return Failure.isFailure(file) ? file : describe(file)
  }),
  person(Api.messages.readEncryptedHistory, readHistory),
  person(Api.messages.setEncryptedTyping, (call, request) => {
    const line = lineOf(call, request.peer)
    if (Failure.isFailure(line)) return line
    // the update says that somebody types, and ends by itself; there is none for having stopped
    if (request.typing) {
      World.sendShort(call.world, line.recipient, { _tag: "updateEncryptedChatTyping", chatId: line.chat.id })
    }
    return true
  }),
  person(Api.messages.receivedQueue, (call, request) => {
    const { box } = call.authorization
    if (request.maxQts < 0 || request.maxQts > box.qts) return Failure.badRequest("MAX_QTS_INVALID")
    return UpdateBox.confirmMessages(box, request.maxQts)
  }),
  person(Api.messages.reportEncryptedSpam, (call, request) => {
    const line = lineOf(call, request.peer)
    return Failure.isFailure(line) ? line : true
  })
]
