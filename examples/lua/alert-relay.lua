-- Relays alerts, end-to-end encrypted, between everybody who has a secret chat with this account:
--
--   alert disk 1 is full         goes to every other chat, with a number and the time
--   ack 1                        tells where the alert came from that somebody has seen it
--
--   secret-chats lua alert-relay.lua

local alerts = {}

local function say(peer, text)
  local sent = messages.sendEncrypted{peer = peer, message = {_ = "decryptedMessage", message = text}}
  if sent.retry_after then
    sleep(sent.retry_after)
    return say(peer, text)
  end
  if sent.error_code then print("chat " .. tostring(peer) .. ": " .. sent.description) end
  return not sent.error_code
end

local function relay(from, text)
  alerts[#alerts + 1] = {from = from, text = text}
  local reached = 0
  for _, chat in ipairs(get_secret_chats()) do
    if chat.state == "ready" and chat.chat_id ~= from then
      local line = string.format("alert %d, %s UTC: %s", #alerts, os.date("%H:%M"), text)
      if say(chat.chat_id, line) then reached = reached + 1 end
    end
  end
  say(from, string.format("alert %d went to %d", #alerts, reached))
end

local function acknowledge(by, number)
  local alert = alerts[number]
  if not alert then return say(by, "there is no alert " .. number) end
  say(alert.from, string.format("alert %d is seen to: %s", number, alert.text))
end

function madeline_update_callback(update)
  if update._ == "updateEncryption" and update.chat._ == "encryptedChatRequested" then
    accept_secret_chat(update)
  elseif update._ == "updateNewEncryptedMessage" and update.message._ == "encryptedMessage" then
    local chat, text = update.message.chat_id, update.message.decrypted_message.message
    local what = text:match("^alert%s+(.+)$")
    if what then return relay(chat, what) end
    local number = math.tointeger(tonumber(text:match("^ack%s+(%d+)$")))
    if number then acknowledge(chat, number) end
  end
end
