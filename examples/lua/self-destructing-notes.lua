-- Keeps notes for the people it has secret chats with, and forgets nothing but what it showed:
--
--   keep wifi correct horse      the message is deleted on both sides, the note is kept here
--   show wifi                    the note comes back, and destroys itself 30 seconds after it was opened
--   list                         the names of the notes
--
-- The notes are in memory only, and gone with the script.
--
--   secret-chats lua self-destructing-notes.lua

madeline_strict(true) -- what goes wrong is raised; the host logs it with its line

local seconds = 30
local notes = {} -- by user, then by name

local function action(update, fields)
  return messages.sendEncryptedService{peer = update, message = {_ = "decryptedMessageService", action = fields}}
end

local function say(update, text, ttl)
  return messages.sendEncrypted{peer = update, message = {_ = "decryptedMessage", message = text, ttl = ttl}}
end

local commands = {}

function commands.keep(update, mine, rest)
  local name, text = rest:match("^(%S+)%s+(.+)$")
  if not name then return say(update, "keep NAME TEXT") end
  mine[name] = text
  -- random_id is a 64-bit integer, and stays one.
  action(update, {_ = "decryptedMessageActionDeleteMessages", random_ids = {update.message.random_id}})
  say(update, name .. " is kept")
end

function commands.show(update, mine, name)
  if not mine[name] then return say(update, "there is no " .. name) end
  say(update, mine[name], seconds)
end

function commands.list(update, mine)
  local names = {}
  for name in pairs(mine) do names[#names + 1] = name end
  table.sort(names)
  say(update, #names == 0 and "nothing" or table.concat(names, ", "))
end

function madeline_update_callback(update)
  if update._ == "updateEncryption" and update.chat._ == "encryptedChatRequested" then
    accept_secret_chat(update)
  elseif update._ == "updateNewEncryptedMessage" and update.message._ == "encryptedMessage" then
    local user = get_secret_chat(update).user_id
    notes[user] = notes[user] or {}
    local word, rest = update.message.decrypted_message.message:match("^(%a+)%s*(.*)$")
    if word and commands[word] then commands[word](update, notes[user], rest) end
  end
end
