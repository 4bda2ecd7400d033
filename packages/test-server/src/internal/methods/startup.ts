/**
 * What clients ask when they start, and for which a server without stickers, themes, folders and stories has an empty
 * answer. Everything that is not here is answered 400 `METHOD_INVALID`, which clients take well too.
 */
import * as Api from "@effect-mtproto/core/Api"
import * as Failure from "../failure.ts"
import { anyone, type Entry, person, user } from "./method.ts"

const HOUR = 3600

const langPack = (langCode: string, fromVersion: number): Api.LangPackDifference => ({
  _tag: "langPackDifference",
  langCode,
  fromVersion,
  version: 1,
  strings: []
})

const autoDownload = {
  _tag: "autoDownloadSettings",
  photoSizeMax: 1_048_576,
  videoSizeMax: 0n,
  fileSizeMax: 0n,
  videoUploadMaxbitrate: 100,
  smallQueueActiveOperationsMax: 5,
  largeQueueActiveOperationsMax: 2
} as const

export const methods: ReadonlyArray<Entry> = [
  anyone(Api.help.getCdnConfig, () => ({ _tag: "cdnConfig", publicKeys: [] })),
  anyone(Api.help.getPromoData, (call) => ({ _tag: "help.promoDataEmpty", expires: call.now + HOUR })),
  anyone(Api.help.getTermsOfServiceUpdate, (call) => ({
    _tag: "help.termsOfServiceUpdateEmpty",
    expires: call.now + HOUR
  })),
  anyone(Api.help.getPeerColors, () => ({ _tag: "help.peerColors", hash: 1, colors: [] })),
  anyone(Api.help.getPeerProfileColors, () => ({ _tag: "help.peerColors", hash: 1, colors: [] })),
  anyone(Api.help.getTimezonesList, () => ({ _tag: "help.timezonesList", timezones: [], hash: 1 })),
  anyone(Api.help.getCountriesList, () => ({ _tag: "help.countriesList", countries: [], hash: 1 })),
  anyone(Api.help.getAppUpdate, () => ({ _tag: "help.noAppUpdate" })),
  anyone(Api.help.getInviteText, () => ({ _tag: "help.inviteText", message: "" })),
  anyone(Api.help.saveAppLog, () => true),
  anyone(Api.langpack.getLangPack, (_, request) => langPack(request.langCode, 0)),
  anyone(Api.langpack.getDifference, (_, request) => langPack(request.langCode, request.fromVersion)),
  anyone(Api.langpack.getStrings, () => []),
  anyone(Api.langpack.getLanguages, () => []),
  user(Api.account.getNotifySettings, () => ({ _tag: "peerNotifySettings" })),
  user(Api.account.getReactionsNotifySettings, () => ({
    _tag: "reactionsNotifySettings",
    sound: { _tag: "notificationSoundDefault" as const },
    showPreviews: true
  })),
  person(Api.account.getContentSettings, () => ({ _tag: "account.contentSettings" })),
  person(Api.account.getGlobalPrivacySettings, () => ({ _tag: "globalPrivacySettings" })),
  person(Api.account.getAutoDownloadSettings, () => ({
    _tag: "account.autoDownloadSettings",
    low: autoDownload,
    medium: autoDownload,
    high: autoDownload
  })),
  person(Api.account.getAutoSaveSettings, () => ({
    _tag: "account.autoSaveSettings",
    usersSettings: { _tag: "autoSaveSettings" as const },
    chatsSettings: { _tag: "autoSaveSettings" as const },
    broadcastsSettings: { _tag: "autoSaveSettings" as const },
    exceptions: [],
    chats: [],
    users: []
  })),
  person(Api.account.getChatThemes, () => ({ _tag: "account.themes", hash: 1n, themes: [] })),
  person(Api.account.getThemes, () => ({ _tag: "account.themes", hash: 1n, themes: [] })),
  person(Api.account.getDefaultEmojiStatuses, () => ({ _tag: "account.emojiStatuses", hash: 1n, statuses: [] })),
  person(Api.account.getWebAuthorizations, () => ({
    _tag: "account.webAuthorizations",
    authorizations: [],
    users: []
  })),
  person(Api.account.getAccountTTL, () => ({ _tag: "accountDaysTTL", days: 365 })),
  user(Api.account.registerDevice, () => true),
  user(Api.account.updateDeviceLocked, () => true),
  person(Api.contacts.getStatuses, () => []),
  person(Api.contacts.getTopPeers, () => ({ _tag: "contacts.topPeersDisabled" })),
  person(Api.messages.getAvailableReactions, () => ({
    _tag: "messages.availableReactions",
    hash: 1,
    reactions: []
  })),
  person(Api.messages.getAvailableEffects, () => ({
    _tag: "messages.availableEffects",
    hash: 1,
    effects: [],
    documents: []
  })),
  person(Api.messages.getAttachMenuBots, () => ({ _tag: "attachMenuBots", hash: 1n, bots: [], users: [] })),
  person(Api.messages.getStickerSet, () => Failure.make(406, "STICKERSET_INVALID")),
  person(Api.messages.getAllStickers, () => ({ _tag: "messages.allStickers", hash: 1n, sets: [] })),
  person(Api.messages.getFavedStickers, () => ({ _tag: "messages.favedStickers", hash: 1n, packs: [], stickers: [] })),
  person(Api.messages.getRecentStickers, () => ({
    _tag: "messages.recentStickers",
    hash: 1n,
    packs: [],
    stickers: [],
    dates: []
  })),
  person(Api.messages.getFeaturedStickers, () => ({
    _tag: "messages.featuredStickers",
    hash: 1n,
    count: 0,
    sets: [],
    unread: []
  })),
  person(Api.messages.getSavedGifs, () => ({ _tag: "messages.savedGifs", hash: 1n, gifs: [] })),
  person(Api.messages.getDialogFilters, () => ({ _tag: "messages.dialogFilters", filters: [] })),
  person(Api.messages.getDialogUnreadMarks, () => []),
  person(Api.messages.getAllDrafts, (call) => ({
    _tag: "updates",
    updates: [],
    users: [],
    chats: [],
    date: call.now,
    seq: 0
  })),
  person(Api.messages.getDefaultHistoryTTL, () => ({ _tag: "defaultHistoryTTL", period: 0 })),
  person(Api.messages.getQuickReplies, () => ({
    _tag: "messages.quickReplies",
    quickReplies: [],
    messages: [],
    chats: [],
    users: []
  })),
  person(Api.messages.getTopReactions, () => ({ _tag: "messages.reactions", hash: 1n, reactions: [] })),
  person(Api.messages.getRecentReactions, () => ({ _tag: "messages.reactions", hash: 1n, reactions: [] })),
  person(Api.messages.getPinnedSavedDialogs, () => ({
    _tag: "messages.savedDialogs",
    dialogs: [],
    messages: [],
    chats: [],
    users: []
  })),
  person(Api.channels.getAdminedPublicChannels, () => ({ _tag: "messages.chats", chats: [] }))
]
