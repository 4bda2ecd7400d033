/** The current constructors of the end-to-end schema -> those that a client of some layer understands. */
import type { DecryptedMessage, DecryptedMessageMedia, DocumentAttribute, MessageEntity } from "../DecryptedMessage.ts"
import type * as SecretApi from "../SecretApi.ts"

/** For layers from 45 on; documents must have been checked for their size. */
export const messageForLayer = (layer: number, value: DecryptedMessage): SecretApi.DecryptedMessage => {
  const { entities, groupedId, media, noWebpage, silent, ...kept } = value
  const shown = entities === undefined ? [] : entitiesForLayer(layer, entities)
  const common = {
    ...kept,
    ...media === undefined ? {} : { media: mediaForLayer(layer, media) },
    ...shown.length === 0 ? {} : { entities: shown }
  }
  if (layer < 73) return { ...common, _tag: "decryptedMessage_45" }
  return {
    ...common,
    ...noWebpage === true ? { noWebpage } : {},
    ...silent === true ? { silent } : {},
    ...groupedId === undefined ? {} : { groupedId }
  }
}

const mediaForLayer = (layer: number, media: DecryptedMessageMedia): SecretApi.DecryptedMessageMedia => {
  switch (media._tag) {
    case "decryptedMessageMediaDocument": {
      const attributes = media.attributes.map((a) => attributeForLayer(layer, a))
      return layer < 143
        ? { ...media, _tag: "decryptedMessageMediaDocument_45", size: Number(media.size), attributes }
        : { ...media, attributes }
    }
    case "decryptedMessageMediaExternalDocument":
      return { ...media, attributes: media.attributes.map((a) => attributeForLayer(layer, a)) }
    default:
      return media
  }
}

const attributeForLayer = (layer: number, attribute: DocumentAttribute): SecretApi.DocumentAttribute => {
  switch (attribute._tag) {
    case "documentAttributeAudio":
      return layer < 46
        ? {
          _tag: "documentAttributeAudio_45",
          duration: attribute.duration,
          title: attribute.title ?? "",
          performer: attribute.performer ?? ""
        }
        : attribute
    case "documentAttributeVideo": {
      const { duration, h, w } = attribute
      return layer < 66 ? { _tag: "documentAttributeVideo_23", duration, w, h } : attribute
    }
    default:
      return attribute
  }
}

// What the published schema lacks, other clients may not be able to read; they find these by themselves.
const entityLayers: { readonly [tag in MessageEntity["_tag"]]: number } = {
  messageEntityUnknown: Infinity,
  messageEntityMentionName: Infinity,
  messageEntityPhone: Infinity,
  messageEntityCashtag: Infinity,
  messageEntityBankCard: Infinity,
  messageEntityMention: 45,
  messageEntityHashtag: 45,
  messageEntityBotCommand: 45,
  messageEntityUrl: 45,
  messageEntityEmail: 45,
  messageEntityBold: 45,
  messageEntityItalic: 45,
  messageEntityCode: 45,
  messageEntityPre: 45,
  messageEntityTextUrl: 45,
  messageEntityUnderline: 101,
  messageEntityStrike: 101,
  messageEntityBlockquote: 101,
  messageEntitySpoiler: 144,
  messageEntityCustomEmoji: 144
}

export const entitiesForLayer = (
  layer: number,
  entities: ReadonlyArray<MessageEntity>
): ReadonlyArray<MessageEntity> => {
  const known = entities.filter((e) => layer >= entityLayers[e._tag])
  if (layer >= 101) return known
  // Before layer 101 entities could not overlap: of two that do, the one that starts first stays, or the longer one.
  const kept: Array<MessageEntity> = []
  let end = 0
  for (const entity of known.toSorted((a, b) => a.offset - b.offset || b.length - a.length)) {
    if (entity.offset < end) continue
    kept.push(entity)
    end = entity.offset + entity.length
  }
  return kept
}

/** The layer that an action needs, in the wrapper with sequence numbers. */
export const actionLayer = (action: SecretApi.DecryptedMessageAction): number => {
  switch (action._tag) {
    case "decryptedMessageActionRequestKey":
    case "decryptedMessageActionAcceptKey":
    case "decryptedMessageActionAbortKey":
    case "decryptedMessageActionCommitKey":
    case "decryptedMessageActionNoop":
      return 20
    default:
      return 17
  }
}

export const actionForLayer = (
  layer: number,
  action: SecretApi.DecryptedMessageAction
): SecretApi.DecryptedMessageAction => {
  if (layer >= 66 || action._tag !== "decryptedMessageActionTyping") return action
  switch (action.action._tag) {
    case "sendMessageRecordRoundAction":
      return { ...action, action: { _tag: "sendMessageRecordVideoAction" } }
    case "sendMessageUploadRoundAction":
      return { ...action, action: { _tag: "sendMessageUploadVideoAction" } }
    default:
      return action
  }
}
