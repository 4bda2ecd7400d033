-- Accepts whoever asks for a secret chat, and answers "ping" with "pong".
--
--   secret-chats lua ping-pong.lua

function madeline_update_callback(update)
  if update._ == "updateEncryption" and update.chat._ == "encryptedChatRequested" then
    local chat = accept_secret_chat(update)
    print("a chat with " .. tostring(chat.user_id) .. ": " .. tostring(chat.state or chat.error))
    return
  end
  if update._ ~= "updateNewEncryptedMessage" then return end

  local message = update.message.decrypted_message
  if message.message == "ping" then
    -- The peer may be the whole update.
    local sent = messages.sendEncrypted{
      peer = update,
      message = {_ = "decryptedMessage", message = "pong", reply_to_random_id = message.random_id}
    }
    if sent.error_code then print("no pong: " .. sent.description) end
  end
end
