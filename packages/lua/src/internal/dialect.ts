/**
 * The dialect of telegram-cli, in Lua, as a part of the prelude: `ID` for `_`, names that end in an underscore, arrays from 0,
 * and the functions and objects of TDLib of 2018 that scripts used most.
 *
 * Objects keep what they are in TL, `message_` of a message for example; what TDLib called otherwise stands beside it.
 */
export const dialect = `
-- ----- the dialect of telegram-cli

local function fromTd(v, depth)
  if type(v) ~= "table" then return v end
  if depth > 64 then error("nested too deeply, or a table that contains itself", 0) end
  local out = {}
  for k, item in next, v do
    if k == "ID" then
      out._ = type(item) == "string" and not find(item, ".", 1, true) and lower(sub(item, 1, 1)) .. sub(item, 2) or item
    elseif type(k) == "string" then
      out[k ~= "_" and match(k, "^(.*)_$") or k] = fromTd(item, depth + 1)
    else
      out[k] = fromTd(item, depth + 1)
    end
  end
  return out
end

-- What TDLib called a chat: people by their id, groups and channels below zero.
local function chatOfPeer(peer)
  if type(peer) ~= "table" then return nil end
  return peer.user_id or peer.chat_id and -peer.chat_id or peer.channel_id and -1000000000000 - peer.channel_id
end

local contents = {
  messageMediaPhoto = "MessagePhoto", messageMediaDocument = "MessageDocument", messageMediaGeo = "MessageLocation",
  messageMediaGeoLive = "MessageLocation", messageMediaVenue = "MessageVenue", messageMediaContact = "MessageContact",
  messageMediaGame = "MessageGame", messageMediaInvoice = "MessageInvoice"
}

local toTd

local function contentOf(v)
  local media = type(v.media) == "table" and gsub(v.media._, "^decryptedM", "m")
  if not media or media == "messageMediaEmpty" or media == "messageMediaWebPage" then
    return { ID = "MessageText", text_ = v.message, entities_ = toTd(v.entities or {}) }
  end
  return { ID = contents[media] or "MessageUnsupported", caption_ = v.message }
end

local beside = {
  message = function(v, out)
    local fwd, reply = v.fwd_from, v.reply_to
    out.chat_id_ = chatOfPeer(v.peer_id)
    out.sender_user_id_ = type(v.from_id) == "table" and v.from_id.user_id or not v.out and not v.post
      and type(v.peer_id) == "table" and v.peer_id.user_id or 0
    out.content_ = contentOf(v)
    out.reply_to_message_id_ = type(reply) == "table" and reply.reply_to_msg_id or 0
    out.send_state_ = { ID = v.out and "MessageIsSuccessfullySent" or "MessageIsIncoming" }
    out.is_post_ = v.post or false
    out.via_bot_user_id_ = v.via_bot_id or 0
    out.edit_date_ = v.edit_date or 0
    if type(fwd) == "table" then
      out.forward_info_ = { ID = "MessageForwardedFromUser", date_ = fwd.date,
        sender_user_id_ = type(fwd.from_id) == "table" and fwd.from_id.user_id or 0 }
    end
  end,
  encryptedMessage = function(v, out)
    local inner = v.decrypted_message
    if type(inner) ~= "table" or inner._ ~= "decryptedMessage" then return end
    out.content_ = contentOf(inner)
    out.reply_to_message_id_ = inner.reply_to_random_id or 0
  end,
  updateNewMessage = function(v, out)
    out.disable_notification_ = type(v.message) == "table" and v.message.silent or false
  end,
  user = function(v, out)
    if v.phone then out.phone_number_ = v.phone end
  end
}
beside.updateNewChannelMessage = function(v, out)
  out.ID = "UpdateNewMessage"
  beside.updateNewMessage(v, out)
end

function toTd(v)
  if type(v) ~= "table" then return v end
  local out = {}
  if #v > 0 and v._ == nil then
    for i = 1, #v do out[i - 1] = toTd(v[i]) end
    return out
  end
  for k, item in next, v do
    if k == "_" then
      out.ID = find(item, ".", 1, true) and item or upper(sub(item, 1, 1)) .. sub(item, 2)
    elseif k == "error_code" or k == "error" then
      out[k] = item
    else
      out[type(k) == "string" and k .. "_" or k] = toTd(item)
    end
  end
  local more = beside[v._]
  if more then more(v, out) end
  return out
end

-- TextParseModeHTML, TextParseModeMarkdown, as a table or by name
local function parseMode(mode)
  if type(mode) == "table" then mode = mode._ end
  return type(mode) == "string" and match(mode, "^[tT]extParseMode(%w+)$") or mode
end

-- In TDLib of 2018 a Bool could be 0 or 1, and nothing was 0.
local function set(v) return v ~= nil and v ~= false and v ~= 0 end
local function some(v) return v ~= 0 and v or nil end

-- A number may be that of a person or of a secret chat; who has the key means the latter.
local function isSecret(chat)
  return chat ~= nil and (host("function", "get_secret_chat", chat))
end

local function service(chat, action)
  if not isSecret(chat) then return finish(false, invalid("This can be done in a secret chat only")) end
  return namespaces.messages.sendEncryptedService({
    peer = chat, message = { _ = "decryptedMessageService", action = action }
  })
end

local function isChannel(chat)
  return math_type(chat) == "integer" and chat < -1000000000000
end

local function list(ids)
  if type(ids) ~= "table" then return { ids } end
  return ids
end

local function last(ids)
  local most
  for _, id in next, list(ids) do
    if math_type(id) == "integer" and (not most or id > most) then most = id end
  end
  return most
end

local function ok() return { _ = "ok" } end

local td = {
  getMe = function() return wrappers.get_self() end,
  getUser = function(t)
    local info = wrappers.get_info(t.user_id)
    return info.error_code and info or info.User
  end,
  getChat = function(t) return wrappers.get_info(t.chat_id) end,
  searchPublicChat = function(t) return wrappers.get_info("@" .. tostring(t.username)) end,
  openChat = ok,
  closeChat = ok,
  createNewSecretChat = function(t) return wrappers.request_secret_chat(t.user_id) end,
  closeSecretChat = function(t) return wrappers.discard_secret_chat(t.secret_chat_id) end,
  getSecretChat = function(t) return wrappers.get_secret_chat(t.secret_chat_id) end,
  sendMessage = function(t)
    local content = t.input_message_content
    if type(content) ~= "table" or content._ ~= "inputMessageText" then
      return finish(false, invalid("Only an InputMessageText can be sent this way"))
    end
    local silent, reply = set(t.disable_notification) or nil, some(t.reply_to_message_id)
    local entities = type(content.entities) == "table" and next(content.entities) ~= nil and content.entities or nil
    if isSecret(t.chat_id) then
      return namespaces.messages.sendEncrypted({
        peer = t.chat_id,
        message = { _ = "decryptedMessage", message = content.text, parse_mode = parseMode(content.parse_mode),
          entities = entities, silent = silent, reply_to_random_id = reply }
      })
    end
    return namespaces.messages.sendMessage({
      peer = t.chat_id, message = content.text, parse_mode = parseMode(content.parse_mode), entities = entities,
      silent = silent, reply_to_msg_id = reply, background = set(t.from_background) or nil,
      no_webpage = set(content.disable_web_page_preview) or nil, clear_draft = set(content.clear_draft) or nil
    })
  end,
  sendChatAction = function(t)
    local cancels = type(t.action) == "table" and t.action._ == "sendMessageCancelAction"
    if isSecret(t.chat_id) then
      return namespaces.messages.setEncryptedTyping({ peer = t.chat_id, typing = not cancels })
    end
    return namespaces.messages.setTyping({ peer = t.chat_id, action = t.action or { _ = "sendMessageTypingAction" } })
  end,
  viewMessages = function(t)
    if isSecret(t.chat_id) then
      local date
      for _, id in next, list(t.message_ids) do
        local found, one = host("function", "get_secret_message", t.chat_id, id)
        if found and one and (not date or one.date > date) then date = one.date end
      end
      if not date then return finish(false, invalid("message_ids_: none of these messages is known")) end
      return namespaces.messages.readEncryptedHistory({ peer = t.chat_id, max_date = date })
    end
    local to = isChannel(t.chat_id) and namespaces.channels or namespaces.messages
    return to.readHistory({ peer = t.chat_id, channel = t.chat_id, max_id = last(t.message_ids) })
  end,
  openMessageContent = function(t)
    if isSecret(t.chat_id) then
      return service(t.chat_id, { _ = "decryptedMessageActionReadMessages", random_ids = { t.message_id } })
    end
    local to = isChannel(t.chat_id) and namespaces.channels or namespaces.messages
    return to.readMessageContents({ channel = t.chat_id, id = { t.message_id } })
  end,
  deleteMessages = function(t)
    if isSecret(t.chat_id) then
      return service(t.chat_id, { _ = "decryptedMessageActionDeleteMessages", random_ids = list(t.message_ids) })
    end
    local to = isChannel(t.chat_id) and namespaces.channels or namespaces.messages
    return to.deleteMessages({ channel = t.chat_id, id = list(t.message_ids), revoke = set(t.revoke) or nil })
  end,
  sendChatSetTtlMessage = function(t)
    return service(t.chat_id, { _ = "decryptedMessageActionSetMessageTTL", ttl_seconds = t.ttl })
  end,
  sendChatScreenshotTakenNotification = function(t)
    return service(t.chat_id, { _ = "decryptedMessageActionScreenshotMessages", random_ids = {} })
  end
}

function _G.tdcli_function(t, cb, extra)
  local request = fromTd(t, 0)
  local known = type(request) == "table" and td[request._]
  local result = toTd(known and known(request) or invoke(request))
  if cb ~= nil then cb(extra, result) end
  return result
end
`
