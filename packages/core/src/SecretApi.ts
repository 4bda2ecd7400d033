/**
 * The TL schema of end-to-end encrypted messages: all 85 constructors of all layers from 8 to 144.
 *
 * A TL type is a schema of the same name ({@link DecryptedMessageMedia}), a constructor is a schema whose name starts
 * with a small letter ({@link decryptedMessageMediaPhoto}). Of several constructors with one name the newest owns the
 * plain name; the others carry the layer that introduced them: `decryptedMessage_8`, `decryptedMessage_45`. Programs
 * rarely need those: the module `DecryptedMessage` translates them.
 *
 * ```ts
 * import * as SecretApi from "@effect-mtproto/core/SecretApi"
 * import * as TlCodec from "@effect-mtproto/core/TlCodec"
 *
 * const decode = TlCodec.decode(SecretApi.DecryptedMessageLayer)
 * ```
 *
 * Source: core.telegram.org/schema/end-to-end; four entities that only TDLib knows are included, so that a message
 * with one of them can be read.
 *
 * @since 1.0.0
 */
import * as Tl from "./Tl.ts"

/**
 * The newest layer that is known here.
 *
 * @category constants
 * @since 1.0.0
 */
export const layer = 144

// Layer first: it is what one looks for.
const member = (type: string) =>
<const Tag extends string, const F extends Tl.Fields>(
  layer: number,
  tag: Tag,
  id: number,
  fields: F,
  name?: string
) => Tl.constructor(tag, id, fields, { type, layer, name })

// ----- SendMessageAction

const doing = member("SendMessageAction")

export const sendMessageTypingAction = doing(17, "sendMessageTypingAction", 0x16bf744e, {})
export type sendMessageTypingAction = typeof sendMessageTypingAction.Type

export const sendMessageCancelAction = doing(17, "sendMessageCancelAction", 0xfd5ec8f5, {})
export type sendMessageCancelAction = typeof sendMessageCancelAction.Type

export const sendMessageRecordVideoAction = doing(17, "sendMessageRecordVideoAction", 0xa187d66f, {})
export type sendMessageRecordVideoAction = typeof sendMessageRecordVideoAction.Type

export const sendMessageUploadVideoAction = doing(17, "sendMessageUploadVideoAction", 0x92042ff7, {})
export type sendMessageUploadVideoAction = typeof sendMessageUploadVideoAction.Type

export const sendMessageRecordAudioAction = doing(17, "sendMessageRecordAudioAction", 0xd52f73f7, {})
export type sendMessageRecordAudioAction = typeof sendMessageRecordAudioAction.Type

export const sendMessageUploadAudioAction = doing(17, "sendMessageUploadAudioAction", 0xe6ac8a6f, {})
export type sendMessageUploadAudioAction = typeof sendMessageUploadAudioAction.Type

export const sendMessageUploadPhotoAction = doing(17, "sendMessageUploadPhotoAction", 0x990a3c1a, {})
export type sendMessageUploadPhotoAction = typeof sendMessageUploadPhotoAction.Type

export const sendMessageUploadDocumentAction = doing(17, "sendMessageUploadDocumentAction", 0x8faee98e, {})
export type sendMessageUploadDocumentAction = typeof sendMessageUploadDocumentAction.Type

export const sendMessageGeoLocationAction = doing(17, "sendMessageGeoLocationAction", 0x176f8ba1, {})
export type sendMessageGeoLocationAction = typeof sendMessageGeoLocationAction.Type

export const sendMessageChooseContactAction = doing(17, "sendMessageChooseContactAction", 0x628cbc6f, {})
export type sendMessageChooseContactAction = typeof sendMessageChooseContactAction.Type

export const sendMessageRecordRoundAction = doing(66, "sendMessageRecordRoundAction", 0x88f27fbc, {})
export type sendMessageRecordRoundAction = typeof sendMessageRecordRoundAction.Type

export const sendMessageUploadRoundAction = doing(66, "sendMessageUploadRoundAction", 0xbb718624, {})
export type sendMessageUploadRoundAction = typeof sendMessageUploadRoundAction.Type

/**
 * What the other side is doing, for `decryptedMessageActionTyping`.
 *
 * @category SendMessageAction
 * @since 1.0.0
 */
export const SendMessageAction = Tl.union("SendMessageAction", [
  sendMessageTypingAction,
  sendMessageCancelAction,
  sendMessageRecordVideoAction,
  sendMessageUploadVideoAction,
  sendMessageRecordAudioAction,
  sendMessageUploadAudioAction,
  sendMessageUploadPhotoAction,
  sendMessageUploadDocumentAction,
  sendMessageGeoLocationAction,
  sendMessageChooseContactAction,
  sendMessageRecordRoundAction,
  sendMessageUploadRoundAction
])
export type SendMessageAction = typeof SendMessageAction.Type

// ----- InputStickerSet

const stickerSet = member("InputStickerSet")

export const inputStickerSetShortName = stickerSet(45, "inputStickerSetShortName", 0x861cc8a0, { shortName: Tl.string })
export type inputStickerSetShortName = typeof inputStickerSetShortName.Type

export const inputStickerSetEmpty = stickerSet(45, "inputStickerSetEmpty", 0xffb62b95, {})
export type inputStickerSetEmpty = typeof inputStickerSetEmpty.Type

/**
 * The set that a sticker belongs to.
 *
 * @category InputStickerSet
 * @since 1.0.0
 */
export const InputStickerSet = Tl.union("InputStickerSet", [inputStickerSetShortName, inputStickerSetEmpty])
export type InputStickerSet = typeof InputStickerSet.Type

// ----- FileLocation

const location = member("FileLocation")

export const fileLocationUnavailable = location(23, "fileLocationUnavailable", 0x7c596b46, {
  volumeId: Tl.long,
  localId: Tl.int,
  secret: Tl.long
})
export type fileLocationUnavailable = typeof fileLocationUnavailable.Type

export const fileLocation = location(23, "fileLocation", 0x53d69076, {
  dcId: Tl.int,
  volumeId: Tl.long,
  localId: Tl.int,
  secret: Tl.long
})
export type fileLocation = typeof fileLocation.Type

/**
 * Where the server keeps a file.
 *
 * @category FileLocation
 * @since 1.0.0
 */
export const FileLocation = Tl.union("FileLocation", [fileLocationUnavailable, fileLocation])
export type FileLocation = typeof FileLocation.Type

// ----- PhotoSize

const size = member("PhotoSize")

export const photoSizeEmpty = size(23, "photoSizeEmpty", 0x0e17e23c, { type: Tl.string })
export type photoSizeEmpty = typeof photoSizeEmpty.Type

export const photoSize = size(23, "photoSize", 0x77bfb61b, {
  type: Tl.string,
  location: FileLocation,
  w: Tl.int,
  h: Tl.int,
  size: Tl.int
})
export type photoSize = typeof photoSize.Type

export const photoCachedSize = size(23, "photoCachedSize", 0xe9a734fa, {
  type: Tl.string,
  location: FileLocation,
  w: Tl.int,
  h: Tl.int,
  bytes: Tl.bytes
})
export type photoCachedSize = typeof photoCachedSize.Type

/**
 * The thumbnail of a document that the server keeps.
 *
 * @category PhotoSize
 * @since 1.0.0
 */
export const PhotoSize = Tl.union("PhotoSize", [photoSizeEmpty, photoSize, photoCachedSize])
export type PhotoSize = typeof PhotoSize.Type

// ----- DocumentAttribute

const attribute = member("DocumentAttribute")

export const documentAttributeImageSize = attribute(23, "documentAttributeImageSize", 0x6c37c15c, {
  w: Tl.int,
  h: Tl.int
})
export type documentAttributeImageSize = typeof documentAttributeImageSize.Type

export const documentAttributeAnimated = attribute(23, "documentAttributeAnimated", 0x11b58939, {})
export type documentAttributeAnimated = typeof documentAttributeAnimated.Type

export const documentAttributeSticker_23 = attribute(
  23,
  "documentAttributeSticker_23",
  0xfb0a5727,
  {},
  "documentAttributeSticker"
)
export type documentAttributeSticker_23 = typeof documentAttributeSticker_23.Type

export const documentAttributeVideo_23 = attribute(23, "documentAttributeVideo_23", 0x5910cccb, {
  duration: Tl.int,
  w: Tl.int,
  h: Tl.int
}, "documentAttributeVideo")
export type documentAttributeVideo_23 = typeof documentAttributeVideo_23.Type

export const documentAttributeAudio_23 = attribute(
  23,
  "documentAttributeAudio_23",
  0x051448e5,
  { duration: Tl.int },
  "documentAttributeAudio"
)
export type documentAttributeAudio_23 = typeof documentAttributeAudio_23.Type

export const documentAttributeFilename = attribute(23, "documentAttributeFilename", 0x15590068, {
  fileName: Tl.string
})
export type documentAttributeFilename = typeof documentAttributeFilename.Type

export const documentAttributeSticker = attribute(45, "documentAttributeSticker", 0x3a556302, {
  alt: Tl.string,
  stickerset: InputStickerSet
})
export type documentAttributeSticker = typeof documentAttributeSticker.Type

export const documentAttributeAudio_45 = attribute(45, "documentAttributeAudio_45", 0xded218e0, {
  duration: Tl.int,
  title: Tl.string,
  performer: Tl.string
}, "documentAttributeAudio")
export type documentAttributeAudio_45 = typeof documentAttributeAudio_45.Type

export const documentAttributeAudio = attribute(46, "documentAttributeAudio", 0x9852f9c6, {
  flags: Tl.flags,
  voice: Tl.flagTrue(10),
  duration: Tl.int,
  title: Tl.flag(0, Tl.string),
  performer: Tl.flag(1, Tl.string),
  waveform: Tl.flag(2, Tl.bytes)
})
export type documentAttributeAudio = typeof documentAttributeAudio.Type

export const documentAttributeVideo = attribute(66, "documentAttributeVideo", 0x0ef02ce6, {
  flags: Tl.flags,
  roundMessage: Tl.flagTrue(0),
  duration: Tl.int,
  w: Tl.int,
  h: Tl.int
})
export type documentAttributeVideo = typeof documentAttributeVideo.Type

/**
 * What a document is: its name, size in pixels, duration.
 *
 * @category DocumentAttribute
 * @since 1.0.0
 */
export const DocumentAttribute = Tl.union("DocumentAttribute", [
  documentAttributeImageSize,
  documentAttributeAnimated,
  documentAttributeSticker_23,
  documentAttributeVideo_23,
  documentAttributeAudio_23,
  documentAttributeFilename,
  documentAttributeSticker,
  documentAttributeAudio_45,
  documentAttributeAudio,
  documentAttributeVideo
])
export type DocumentAttribute = typeof DocumentAttribute.Type

// ----- MessageEntity

const entity = member("MessageEntity")
const span = { offset: Tl.int, length: Tl.int }

export const messageEntityUnknown = entity(45, "messageEntityUnknown", 0xbb92ba95, span)
export type messageEntityUnknown = typeof messageEntityUnknown.Type

export const messageEntityMention = entity(45, "messageEntityMention", 0xfa04579d, span)
export type messageEntityMention = typeof messageEntityMention.Type

export const messageEntityHashtag = entity(45, "messageEntityHashtag", 0x6f635b0d, span)
export type messageEntityHashtag = typeof messageEntityHashtag.Type

export const messageEntityBotCommand = entity(45, "messageEntityBotCommand", 0x6cef8ac7, span)
export type messageEntityBotCommand = typeof messageEntityBotCommand.Type

export const messageEntityUrl = entity(45, "messageEntityUrl", 0x6ed02538, span)
export type messageEntityUrl = typeof messageEntityUrl.Type

export const messageEntityEmail = entity(45, "messageEntityEmail", 0x64e475c2, span)
export type messageEntityEmail = typeof messageEntityEmail.Type

export const messageEntityBold = entity(45, "messageEntityBold", 0xbd610bc9, span)
export type messageEntityBold = typeof messageEntityBold.Type

export const messageEntityItalic = entity(45, "messageEntityItalic", 0x826f8b60, span)
export type messageEntityItalic = typeof messageEntityItalic.Type

export const messageEntityCode = entity(45, "messageEntityCode", 0x28a20571, span)
export type messageEntityCode = typeof messageEntityCode.Type

export const messageEntityPre = entity(45, "messageEntityPre", 0x73924be0, {
  ...span,
  language: Tl.string
})
export type messageEntityPre = typeof messageEntityPre.Type

export const messageEntityTextUrl = entity(45, "messageEntityTextUrl", 0x76a6d327, {
  ...span,
  url: Tl.string
})
export type messageEntityTextUrl = typeof messageEntityTextUrl.Type

/** Not in the published schema, but understood by clients. @since 1.0.0 */
export const messageEntityMentionName = entity(45, "messageEntityMentionName", 0x352dca58, {
  ...span,
  userId: Tl.int
})
export type messageEntityMentionName = typeof messageEntityMentionName.Type

/** Not in the published schema, but understood by clients. @since 1.0.0 */
export const messageEntityPhone = entity(45, "messageEntityPhone", 0x9b69e34b, span)
export type messageEntityPhone = typeof messageEntityPhone.Type

/** Not in the published schema, but understood by clients. @since 1.0.0 */
export const messageEntityCashtag = entity(45, "messageEntityCashtag", 0x4c4e743f, span)
export type messageEntityCashtag = typeof messageEntityCashtag.Type

/** Not in the published schema, but understood by clients. @since 1.0.0 */
export const messageEntityBankCard = entity(45, "messageEntityBankCard", 0x761e6af4, span)
export type messageEntityBankCard = typeof messageEntityBankCard.Type

export const messageEntityUnderline = entity(101, "messageEntityUnderline", 0x9c4e7e8b, span)
export type messageEntityUnderline = typeof messageEntityUnderline.Type

export const messageEntityStrike = entity(101, "messageEntityStrike", 0xbf0693d4, span)
export type messageEntityStrike = typeof messageEntityStrike.Type

export const messageEntityBlockquote = entity(101, "messageEntityBlockquote", 0x020df5d0, span)
export type messageEntityBlockquote = typeof messageEntityBlockquote.Type

export const messageEntitySpoiler = entity(144, "messageEntitySpoiler", 0x32ca960f, span)
export type messageEntitySpoiler = typeof messageEntitySpoiler.Type

export const messageEntityCustomEmoji = entity(144, "messageEntityCustomEmoji", 0xc8cf05f8, {
  ...span,
  documentId: Tl.long
})
export type messageEntityCustomEmoji = typeof messageEntityCustomEmoji.Type

/**
 * The formatting of a piece of text; `offset` and `length` count UTF-16 units.
 *
 * @category MessageEntity
 * @since 1.0.0
 */
export const MessageEntity = Tl.union("MessageEntity", [
  messageEntityUnknown,
  messageEntityMention,
  messageEntityHashtag,
  messageEntityBotCommand,
  messageEntityUrl,
  messageEntityEmail,
  messageEntityBold,
  messageEntityItalic,
  messageEntityCode,
  messageEntityPre,
  messageEntityTextUrl,
  messageEntityMentionName,
  messageEntityPhone,
  messageEntityCashtag,
  messageEntityBankCard,
  messageEntityUnderline,
  messageEntityStrike,
  messageEntityBlockquote,
  messageEntitySpoiler,
  messageEntityCustomEmoji
])
export type MessageEntity = typeof MessageEntity.Type

// ----- DecryptedMessageMedia

const media = member("DecryptedMessageMedia")
const thumbnail = { thumb: Tl.bytes, thumbW: Tl.int, thumbH: Tl.int }
const cipher = { key: Tl.bytes, iv: Tl.bytes }

export const decryptedMessageMediaEmpty = media(8, "decryptedMessageMediaEmpty", 0x089f5c4a, {})
export type decryptedMessageMediaEmpty = typeof decryptedMessageMediaEmpty.Type

export const decryptedMessageMediaPhoto_8 = media(8, "decryptedMessageMediaPhoto_8", 0x32798a8c, {
  ...thumbnail,
  w: Tl.int,
  h: Tl.int,
  size: Tl.int,
  ...cipher
}, "decryptedMessageMediaPhoto")
export type decryptedMessageMediaPhoto_8 = typeof decryptedMessageMediaPhoto_8.Type

export const decryptedMessageMediaVideo_8 = media(8, "decryptedMessageMediaVideo_8", 0x4cee6ef3, {
  ...thumbnail,
  duration: Tl.int,
  w: Tl.int,
  h: Tl.int,
  size: Tl.int,
  ...cipher
}, "decryptedMessageMediaVideo")
export type decryptedMessageMediaVideo_8 = typeof decryptedMessageMediaVideo_8.Type

export const decryptedMessageMediaGeoPoint = media(8, "decryptedMessageMediaGeoPoint", 0x35480a59, {
  lat: Tl.double,
  long: Tl.double
})
export type decryptedMessageMediaGeoPoint = typeof decryptedMessageMediaGeoPoint.Type

export const decryptedMessageMediaContact = media(8, "decryptedMessageMediaContact", 0x588a0a97, {
  phoneNumber: Tl.string,
  firstName: Tl.string,
  lastName: Tl.string,
  userId: Tl.int
})
export type decryptedMessageMediaContact = typeof decryptedMessageMediaContact.Type

export const decryptedMessageMediaDocument_8 = media(8, "decryptedMessageMediaDocument_8", 0xb095434b, {
  ...thumbnail,
  fileName: Tl.string,
  mimeType: Tl.string,
  size: Tl.int,
  ...cipher
}, "decryptedMessageMediaDocument")
export type decryptedMessageMediaDocument_8 = typeof decryptedMessageMediaDocument_8.Type

export const decryptedMessageMediaAudio_8 = media(8, "decryptedMessageMediaAudio_8", 0x6080758f, {
  duration: Tl.int,
  size: Tl.int,
  ...cipher
}, "decryptedMessageMediaAudio")
export type decryptedMessageMediaAudio_8 = typeof decryptedMessageMediaAudio_8.Type

export const decryptedMessageMediaVideo_17 = media(17, "decryptedMessageMediaVideo_17", 0x524a415d, {
  ...thumbnail,
  duration: Tl.int,
  mimeType: Tl.string,
  w: Tl.int,
  h: Tl.int,
  size: Tl.int,
  ...cipher
}, "decryptedMessageMediaVideo")
export type decryptedMessageMediaVideo_17 = typeof decryptedMessageMediaVideo_17.Type

export const decryptedMessageMediaAudio = media(17, "decryptedMessageMediaAudio", 0x57e0a9cb, {
  duration: Tl.int,
  mimeType: Tl.string,
  size: Tl.int,
  ...cipher
})
export type decryptedMessageMediaAudio = typeof decryptedMessageMediaAudio.Type

export const decryptedMessageMediaExternalDocument = media(23, "decryptedMessageMediaExternalDocument", 0xfa95b0dd, {
  id: Tl.long,
  accessHash: Tl.long,
  date: Tl.int,
  mimeType: Tl.string,
  size: Tl.int,
  thumb: PhotoSize,
  dcId: Tl.int,
  attributes: Tl.vector(DocumentAttribute)
})
export type decryptedMessageMediaExternalDocument = typeof decryptedMessageMediaExternalDocument.Type

export const decryptedMessageMediaPhoto = media(45, "decryptedMessageMediaPhoto", 0xf1fa8d78, {
  ...thumbnail,
  w: Tl.int,
  h: Tl.int,
  size: Tl.int,
  ...cipher,
  caption: Tl.string
})
export type decryptedMessageMediaPhoto = typeof decryptedMessageMediaPhoto.Type

export const decryptedMessageMediaVideo = media(45, "decryptedMessageMediaVideo", 0x970c8c0e, {
  ...thumbnail,
  duration: Tl.int,
  mimeType: Tl.string,
  w: Tl.int,
  h: Tl.int,
  size: Tl.int,
  ...cipher,
  caption: Tl.string
})
export type decryptedMessageMediaVideo = typeof decryptedMessageMediaVideo.Type

export const decryptedMessageMediaDocument_45 = media(45, "decryptedMessageMediaDocument_45", 0x7afe8ae2, {
  ...thumbnail,
  mimeType: Tl.string,
  size: Tl.int,
  ...cipher,
  attributes: Tl.vector(DocumentAttribute),
  caption: Tl.string
}, "decryptedMessageMediaDocument")
export type decryptedMessageMediaDocument_45 = typeof decryptedMessageMediaDocument_45.Type

export const decryptedMessageMediaVenue = media(45, "decryptedMessageMediaVenue", 0x8a0df56f, {
  lat: Tl.double,
  long: Tl.double,
  title: Tl.string,
  address: Tl.string,
  provider: Tl.string,
  venueId: Tl.string
})
export type decryptedMessageMediaVenue = typeof decryptedMessageMediaVenue.Type

export const decryptedMessageMediaWebPage = media(45, "decryptedMessageMediaWebPage", 0xe50511d8, {
  url: Tl.string
})
export type decryptedMessageMediaWebPage = typeof decryptedMessageMediaWebPage.Type

/** Every file that is not a photo; the size is 64 bits wide since layer 143. @since 1.0.0 */
export const decryptedMessageMediaDocument = media(143, "decryptedMessageMediaDocument", 0x6abd9782, {
  ...thumbnail,
  mimeType: Tl.string,
  size: Tl.long,
  ...cipher,
  attributes: Tl.vector(DocumentAttribute),
  caption: Tl.string
})
export type decryptedMessageMediaDocument = typeof decryptedMessageMediaDocument.Type

/**
 * What is attached to a message.
 *
 * @category DecryptedMessageMedia
 * @since 1.0.0
 */
export const DecryptedMessageMedia = Tl.union("DecryptedMessageMedia", [
  decryptedMessageMediaEmpty,
  decryptedMessageMediaPhoto_8,
  decryptedMessageMediaVideo_8,
  decryptedMessageMediaGeoPoint,
  decryptedMessageMediaContact,
  decryptedMessageMediaDocument_8,
  decryptedMessageMediaAudio_8,
  decryptedMessageMediaVideo_17,
  decryptedMessageMediaAudio,
  decryptedMessageMediaExternalDocument,
  decryptedMessageMediaPhoto,
  decryptedMessageMediaVideo,
  decryptedMessageMediaDocument_45,
  decryptedMessageMediaVenue,
  decryptedMessageMediaWebPage,
  decryptedMessageMediaDocument
])
export type DecryptedMessageMedia = typeof DecryptedMessageMedia.Type

// ----- DecryptedMessageAction

const action = member("DecryptedMessageAction")

export const decryptedMessageActionSetMessageTTL = action(8, "decryptedMessageActionSetMessageTTL", 0xa1733aec, {
  ttlSeconds: Tl.int
})
export type decryptedMessageActionSetMessageTTL = typeof decryptedMessageActionSetMessageTTL.Type

export const decryptedMessageActionReadMessages = action(8, "decryptedMessageActionReadMessages", 0x0c4f40be, {
  randomIds: Tl.vector(Tl.long)
})
export type decryptedMessageActionReadMessages = typeof decryptedMessageActionReadMessages.Type

export const decryptedMessageActionDeleteMessages = action(8, "decryptedMessageActionDeleteMessages", 0x65614304, {
  randomIds: Tl.vector(Tl.long)
})
export type decryptedMessageActionDeleteMessages = typeof decryptedMessageActionDeleteMessages.Type

export const decryptedMessageActionScreenshotMessages = action(
  8,
  "decryptedMessageActionScreenshotMessages",
  0x8ac1f475,
  { randomIds: Tl.vector(Tl.long) }
)
export type decryptedMessageActionScreenshotMessages = typeof decryptedMessageActionScreenshotMessages.Type

export const decryptedMessageActionFlushHistory = action(8, "decryptedMessageActionFlushHistory", 0x6719e45c, {})
export type decryptedMessageActionFlushHistory = typeof decryptedMessageActionFlushHistory.Type

export const decryptedMessageActionResend = action(17, "decryptedMessageActionResend", 0x511110b0, {
  startSeqNo: Tl.int,
  endSeqNo: Tl.int
})
export type decryptedMessageActionResend = typeof decryptedMessageActionResend.Type

export const decryptedMessageActionNotifyLayer = action(17, "decryptedMessageActionNotifyLayer", 0xf3048883, {
  layer: Tl.int
})
export type decryptedMessageActionNotifyLayer = typeof decryptedMessageActionNotifyLayer.Type

export const decryptedMessageActionTyping = action(17, "decryptedMessageActionTyping", 0xccb27641, {
  action: SendMessageAction
})
export type decryptedMessageActionTyping = typeof decryptedMessageActionTyping.Type

export const decryptedMessageActionRequestKey = action(20, "decryptedMessageActionRequestKey", 0xf3c9611b, {
  exchangeId: Tl.long,
  gA: Tl.bytes
})
export type decryptedMessageActionRequestKey = typeof decryptedMessageActionRequestKey.Type

export const decryptedMessageActionAcceptKey = action(20, "decryptedMessageActionAcceptKey", 0x6fe1735b, {
  exchangeId: Tl.long,
  gB: Tl.bytes,
  keyFingerprint: Tl.long
})
export type decryptedMessageActionAcceptKey = typeof decryptedMessageActionAcceptKey.Type

export const decryptedMessageActionAbortKey = action(20, "decryptedMessageActionAbortKey", 0xdd05ec6b, {
  exchangeId: Tl.long
})
export type decryptedMessageActionAbortKey = typeof decryptedMessageActionAbortKey.Type

export const decryptedMessageActionCommitKey = action(20, "decryptedMessageActionCommitKey", 0xec2e0b9b, {
  exchangeId: Tl.long,
  keyFingerprint: Tl.long
})
export type decryptedMessageActionCommitKey = typeof decryptedMessageActionCommitKey.Type

export const decryptedMessageActionNoop = action(20, "decryptedMessageActionNoop", 0xa82fdd63, {})
export type decryptedMessageActionNoop = typeof decryptedMessageActionNoop.Type

/**
 * What a service message asks for or tells.
 *
 * @category DecryptedMessageAction
 * @since 1.0.0
 */
export const DecryptedMessageAction = Tl.union("DecryptedMessageAction", [
  decryptedMessageActionSetMessageTTL,
  decryptedMessageActionReadMessages,
  decryptedMessageActionDeleteMessages,
  decryptedMessageActionScreenshotMessages,
  decryptedMessageActionFlushHistory,
  decryptedMessageActionResend,
  decryptedMessageActionNotifyLayer,
  decryptedMessageActionTyping,
  decryptedMessageActionRequestKey,
  decryptedMessageActionAcceptKey,
  decryptedMessageActionAbortKey,
  decryptedMessageActionCommitKey,
  decryptedMessageActionNoop
])
export type DecryptedMessageAction = typeof DecryptedMessageAction.Type

// ----- DecryptedMessage

const message = member("DecryptedMessage")

export const decryptedMessage_8 = message(8, "decryptedMessage_8", 0x1f814f1f, {
  randomId: Tl.long,
  randomBytes: Tl.bytes,
  message: Tl.string,
  media: DecryptedMessageMedia
}, "decryptedMessage")
export type decryptedMessage_8 = typeof decryptedMessage_8.Type

export const decryptedMessageService_8 = message(8, "decryptedMessageService_8", 0xaa48327d, {
  randomId: Tl.long,
  randomBytes: Tl.bytes,
  action: DecryptedMessageAction
}, "decryptedMessageService")
export type decryptedMessageService_8 = typeof decryptedMessageService_8.Type

export const decryptedMessage_17 = message(17, "decryptedMessage_17", 0x204d3878, {
  randomId: Tl.long,
  ttl: Tl.int,
  message: Tl.string,
  media: DecryptedMessageMedia
}, "decryptedMessage")
export type decryptedMessage_17 = typeof decryptedMessage_17.Type

/** A service message. @since 1.0.0 */
export const decryptedMessageService = message(17, "decryptedMessageService", 0x73164160, {
  randomId: Tl.long,
  action: DecryptedMessageAction
})
export type decryptedMessageService = typeof decryptedMessageService.Type

export const decryptedMessage_45 = message(45, "decryptedMessage_45", 0x36b091de, {
  flags: Tl.flags,
  randomId: Tl.long,
  ttl: Tl.int,
  message: Tl.string,
  media: Tl.flag(9, DecryptedMessageMedia),
  entities: Tl.flag(7, Tl.vector(MessageEntity)),
  viaBotName: Tl.flag(11, Tl.string),
  replyToRandomId: Tl.flag(3, Tl.long)
}, "decryptedMessage")
export type decryptedMessage_45 = typeof decryptedMessage_45.Type

/** An ordinary message: text, entities, media. @since 1.0.0 */
export const decryptedMessage = message(73, "decryptedMessage", 0x91cc4674, {
  flags: Tl.flags,
  noWebpage: Tl.flagTrue(1),
  silent: Tl.flagTrue(5),
  randomId: Tl.long,
  ttl: Tl.int,
  message: Tl.string,
  media: Tl.flag(9, DecryptedMessageMedia),
  entities: Tl.flag(7, Tl.vector(MessageEntity)),
  viaBotName: Tl.flag(11, Tl.string),
  replyToRandomId: Tl.flag(3, Tl.long),
  groupedId: Tl.flag(17, Tl.long)
})
export type decryptedMessage = typeof decryptedMessage.Type

/**
 * A message as it stands in the layer wrapper, in every form that was ever sent.
 *
 * @category DecryptedMessage
 * @since 1.0.0
 */
export const DecryptedMessage = Tl.union("DecryptedMessage", [
  decryptedMessage_8,
  decryptedMessageService_8,
  decryptedMessage_17,
  decryptedMessageService,
  decryptedMessage_45,
  decryptedMessage
])
export type DecryptedMessage = typeof DecryptedMessage.Type

// ----- DecryptedMessageLayer

export const decryptedMessageLayer = member("DecryptedMessageLayer")(17, "decryptedMessageLayer", 0x1be31789, {
  randomBytes: Tl.bytes,
  layer: Tl.int,
  inSeqNo: Tl.int,
  outSeqNo: Tl.int,
  message: DecryptedMessage
})
export type decryptedMessageLayer = typeof decryptedMessageLayer.Type

/**
 * The wrapper of every message: the layer its content is written for, and the sequence numbers.
 *
 * @category DecryptedMessageLayer
 * @since 1.0.0
 */
export const DecryptedMessageLayer = decryptedMessageLayer
export type DecryptedMessageLayer = typeof DecryptedMessageLayer.Type
