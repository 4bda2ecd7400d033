/**
 * `users.*` and `contacts.*`: finding other accounts. Every answer shows an
 * account as the caller may see it, with the caller's own access hash.
 */
import * as Api from "@effect-mtproto/core/Api"
import * as Failure from "../failure.ts"
import type { Account } from "../model.ts"
import * as World from "../world.ts"
import { peerOf } from "./messages.ts"
import { type Entry, person, user, type UserCall } from "./method.ts"

const MAX_CONTACTS = 10_000

const resolved = (call: UserCall, account: Account): Api.contacts.ResolvedPeer => ({
  _tag: "contacts.resolvedPeer",
  peer: { _tag: "peerUser", userId: account.id },
  chats: [],
  users: [World.userOf(call.world, call.authorization.account, account)]
})

const full = (call: UserCall, account: Account): Api.users.UserFull => ({
  _tag: "users.userFull",
  fullUser: {
    _tag: "userFull",
    ...(call.authorization.account.blocked.has(account.id) ? { blocked: true } : {}),
    id: account.id,
    settings: { _tag: "peerSettings" },
    notifySettings: { _tag: "peerNotifySettings" },
    commonChatsCount: 0
  },
  chats: [],
  users: [World.userOf(call.world, call.authorization.account, account)]
})

const contactsOf = (call: UserCall): Api.contacts.Contacts => {
  const own = call.authorization.account
  return {
    _tag: "contacts.contacts",
    contacts: [...own.contacts].map((userId) => ({
      _tag: "contact",
      userId,
      mutual: call.world.accounts.get(userId)?.contacts.has(own.id) === true
    })),
    savedCount: own.contacts.size,
    users: World.usersFor(call.world, own, own.contacts)
  }
}

const importContacts = (
  call: UserCall,
  contacts: ReadonlyArray<Api.InputContact>
): Api.contacts.ImportedContacts => {
  const own = call.authorization.account
  const imported: Array<Api.ImportedContact> = []
  for (const contact of contacts) {
    const phone = contact._tag === "inputPhoneContact" ? World.normalizePhone(contact.phone) : undefined
    const account = phone === undefined ? undefined : call.world.byPhone.get(phone)
    if (account === undefined || account.deleted || own.contacts.size >= MAX_CONTACTS) continue
    own.contacts.add(account.id)
    imported.push({ _tag: "importedContact", userId: account.id, clientId: contact.clientId })
  }
  return {
    _tag: "contacts.importedContacts",
    imported,
    popularInvites: [],
    retryContacts: [],
    users: World.usersFor(call.world, own, imported.map((contact) => contact.userId))
  }
}

export const methods: ReadonlyArray<Entry> = [
  user(Api.users.getUsers, (call, request) =>
    request.id.map((id) => {
      const account = World.resolveUser(call.world, call.authorization.account, id)
      return account === undefined
        ? { _tag: "userEmpty", id: id._tag === "inputUser" ? id.userId : 0n }
        : World.userOf(call.world, call.authorization.account, account)
    })),
  user(Api.users.getFullUser, (call, request) => {
    const account = World.resolveUser(call.world, call.authorization.account, request.id)
    return account === undefined ? Failure.badRequest("USER_ID_INVALID") : full(call, account)
  }),
  person(Api.contacts.resolvePhone, (call, request) => {
    const phone = World.normalizePhone(request.phone)
    const account = phone === undefined ? undefined : call.world.byPhone.get(phone)
    return account === undefined || account.deleted
      ? Failure.badRequest("PHONE_NOT_OCCUPIED")
      : resolved(call, account)
  }),
  user(Api.contacts.resolveUsername, (call, request) => {
    if (!/^[A-Za-z]\w{3,31}$/.test(request.username)) return Failure.badRequest("USERNAME_INVALID")
    const account = call.world.byUsername.get(request.username.toLowerCase())
    return account === undefined || account.deleted
      ? Failure.badRequest("USERNAME_NOT_OCCUPIED")
      : resolved(call, account)
  }),
  person(Api.contacts.getContacts, contactsOf),
  person(Api.contacts.importContacts, (call, request) => importContacts(call, request.contacts)),
  person(Api.contacts.getBlocked, (call) => ({
    _tag: "contacts.blocked",
    blocked: [...call.authorization.account.blocked].map((userId) => ({
      _tag: "peerBlocked" as const,
      peerId: { _tag: "peerUser" as const, userId },
      date: call.now
    })),
    chats: [],
    users: World.usersFor(call.world, call.authorization.account, call.authorization.account.blocked)
  })),
  person(Api.contacts.block, (call, request) => {
    const account = peerOf(call, request.id)
    if (account === undefined || account === call.authorization.account) return Failure.badRequest("PEER_ID_INVALID")
    call.authorization.account.blocked.add(account.id)
    return true
  }),
  person(Api.contacts.unblock, (call, request) => {
    const account = peerOf(call, request.id)
    if (account === undefined || account === call.authorization.account) return Failure.badRequest("PEER_ID_INVALID")
    call.authorization.account.blocked.delete(account.id)
    return true
  })
]
