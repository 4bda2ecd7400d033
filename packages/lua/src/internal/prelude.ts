/**
 * What runs before the script, in Lua: it takes away what a script must not have, and lays the functions of the host out as
 * the globals of the Lua host of 2018.
 *
 * Every call into the host blocks the thread of the script until it is answered, so it may stand anywhere: in coroutines, in
 * metamethods, in functions that Lua's own C functions call.
 */
import { dialect } from "./dialect.ts"

export const prelude = `
local host, methods, functions, strict = ...

local _G, pairs, ipairs, next, type, select, error, tostring, setmetatable, getmetatable, rawget, rawset, load, math_type =
  _G, pairs, ipairs, next, type, select, error, tostring, setmetatable, getmetatable, rawget, rawset, load, math.type
local concat, unpack = table.concat, table.unpack
local find, format, gsub, rep, sub, upper, lower, match =
  string.find, string.format, string.gsub, string.rep, string.sub, string.upper, string.lower, string.match
local collect, seed, floor, sort = collectgarbage, math.randomseed, math.floor, table.sort

-- ----- the sandbox

_G.dofile, _G.loadfile, string.dump = nil, nil, nil

function _G.load(chunk, name, _, ...)
  if select("#", ...) > 0 then return load(chunk, name, "t", (...)) end
  return load(chunk, name, "t")
end

-- The collector stays on, and begins anew early: garbage must not take the room of what is in use.
collect("setpause", 120)
function _G.collectgarbage(what, ...)
  if what == nil or what == "collect" or what == "step" or what == "count" then return collect(what or "collect", ...) end
  if what == "isrunning" then return true end
  return 0
end

-- ----- time

local function days(year, month, day)
  year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
  if month <= 2 then year = year - 1 end
  local era = year // 400
  local of_era = year - era * 400
  local of_year = (153 * (month + (month > 2 and -3 or 9)) + 2) // 5 + day - 1
  return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468
end

local function parts(time)
  local day = time // 86400
  local second = time - day * 86400
  local z = day + 719468
  local era = z // 146097
  local of_era = z - era * 146097
  local year = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
  local of_year = of_era - (365 * year + year // 4 - year // 100)
  local mp = (5 * of_year + 2) // 153
  local month = mp < 10 and mp + 3 or mp - 9
  year = year + era * 400 + (month <= 2 and 1 or 0)
  return {
    year = year, month = month, day = of_year - (153 * mp + 2) // 5 + 1,
    hour = second // 3600, min = second // 60 % 60, sec = second % 60,
    wday = (day + 4) % 7 + 1, yday = day - days(year, 1, 1) + 1, isdst = false
  }
end

local week = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" }
local year = { "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
  "November", "December" }
local two = function(n) return format("%02d", n) end
local codes
codes = {
  a = function(t) return sub(week[t.wday], 1, 3) end, A = function(t) return week[t.wday] end,
  b = function(t) return sub(year[t.month], 1, 3) end, B = function(t) return year[t.month] end,
  d = function(t) return two(t.day) end, H = function(t) return two(t.hour) end, j = function(t) return format("%03d", t.yday) end,
  m = function(t) return two(t.month) end, M = function(t) return two(t.min) end, S = function(t) return two(t.sec) end,
  y = function(t) return two(t.year % 100) end, Y = function(t) return tostring(t.year) end,
  F = function(t) return format("%d-%02d-%02d", t.year, t.month, t.day) end,
  T = function(t) return format("%02d:%02d:%02d", t.hour, t.min, t.sec) end,
  c = function(t) return codes.a(t) .. " " .. codes.b(t) .. " " .. two(t.day) .. " " .. codes.T(t) .. " " .. t.year end,
  Z = function() return "UTC" end, z = function() return "+0000" end, ["%"] = function() return "%" end
}

local function whole(value, name)
  local n = math_type(value) == "integer" and value or math_type(value) == "float" and value == floor(value) and floor(value)
  if not n or n < -62135596800 or n > 253402300799 then error("field '" .. name .. "' is not a number in range", 3) end
  return n
end

-- All times are UTC: a script does not learn where its host stands.
_G.os = {
  time = function(t)
    if t == nil then return host("time") end
    if type(t) ~= "table" then error("bad argument #1 to 'os.time' (table expected, got " .. type(t) .. ")", 2) end
    local function field(name, default)
      local value = t[name]
      if value == nil then
        if default == nil then error("field '" .. name .. "' missing in date table", 3) end
        return default
      end
      return whole(value, name)
    end
    return days(field("year"), field("month"), field("day")) * 86400 + field("hour", 12) * 3600 + field("min", 0) * 60
      + field("sec", 0)
  end,
  date = function(pattern, time)
    pattern = pattern or "%c"
    local t = parts(time == nil and host("time") or whole(time, "time"))
    if sub(pattern, 1, 1) == "!" then pattern = sub(pattern, 2) end
    if pattern == "*t" then return t end
    return (gsub(pattern, "%%(.?)", function(code)
      if not codes[code] then error("invalid conversion specifier '%" .. code .. "'", 4) end
      return codes[code](t)
    end))
  end,
  difftime = function(a, b) return (whole(a, "1") - whole(b, "2")) + 0.0 end
}

-- ----- printing

function _G.print(...)
  local words = {}
  for i = 1, select("#", ...) do words[i] = tostring((select(i, ...))) end
  host("print", concat(words, "\\t"))
end

local maxLines = 2000
local function dump(value)
  local lines, above = {}, {}
  local function add(indent, text)
    if #lines < maxLines then lines[#lines + 1] = rep("  ", indent) .. text end
    return #lines < maxLines
  end
  local function show(v)
    if type(v) == "string" then return (gsub(format("%q", v), "\\\\\\n", "\\\\n")) end
    return tostring(v)
  end
  local function walk(v, indent, label)
    if type(v) ~= "table" then return add(indent, label .. show(v)) end
    if above[v] or indent > 20 then return add(indent, label .. "{ ... }") end
    if next(v) == nil then return add(indent, label .. "{}") end
    above[v] = true
    add(indent, label .. "{")
    local keys = {}
    for k in next, v do keys[#keys + 1] = k end
    sort(keys, function(a, b)
      if math_type(a) and math_type(b) then return a < b end
      if math_type(a) or math_type(b) then return math_type(a) ~= nil and math_type(a) ~= false end
      return tostring(a) < tostring(b)
    end)
    for _, k in ipairs(keys) do
      local name = type(k) == "string" and match(k, "^[%a_][%w_]*$") and k or "[" .. show(k) .. "]"
      if not walk(rawget(v, k), indent + 1, name .. " = ") then break end
    end
    above[v] = nil
    return add(indent, "}")
  end
  if not walk(value, 0, "") then lines[#lines + 1] = "..." end
  return concat(lines, "\\n")
end

function _G.var_dump(...)
  for i = 1, select("#", ...) do host("print", dump((select(i, ...)))) end
end

-- ----- calls

local failure = {
  __tostring = function(e)
    return tostring(rawget(e, "description") or rawget(e, "error")) .. " (" .. tostring(rawget(e, "error_code")) .. ")"
  end
}

local function invalid(description)
  return { error_code = 400, error = "PARAMETERS_INVALID", description = description }
end

local function finish(ok, result)
  if ok then return result end
  if strict then error(setmetatable(result, failure), 3) end
  return result
end

-- Errors are results, as they were in 2018; with this they are raised.
function _G.madeline_strict(on)
  strict = on ~= false
end

local namespaces = {}

-- ----- buttons: under a message that came, each has a function that presses it, as in button.click()

local presses = {
  keyboardButton = function(message, button)
    return namespaces.messages.sendMessage({ peer = message, message = button.text, reply_to_msg_id = message.id })
  end,
  keyboardButtonCallback = function(message, button)
    return namespaces.messages.getBotCallbackAnswer({ peer = message, msg_id = message.id, data = button.data })
  end,
  keyboardButtonGame = function(message)
    return namespaces.messages.getBotCallbackAnswer({ peer = message, msg_id = message.id, game = true })
  end,
  keyboardButtonUrl = function(_, button) return button.url end
}

local function items(t) return type(t) == "table" and t or {} end

-- The function stands in a metatable: the message is still what the server said.
local function withButtons(message)
  if type(message) ~= "table" then return end
  for _, row in ipairs(items(items(message.reply_markup).rows)) do
    for _, button in ipairs(items(row.buttons)) do
      setmetatable(button, { __index = {
        click = function()
          local press = presses[button._]
          if press then return press(message, button) end
          return finish(false, invalid("A " .. tostring(button._) .. " cannot be pressed by a script"))
        end
      } })
    end
  end
end

local function withAllButtons(result)
  for _, message in ipairs(items(result.messages)) do withButtons(message) end
  for _, update in ipairs(items(result.updates)) do withButtons(update.message) end
end

local function asked(ok, result)
  if ok and type(result) == "table" then withAllButtons(result) end
  return finish(ok, result)
end

for _, name in ipairs(methods) do
  local space, method = match(name, "^(%w+)%.(%w+)$")
  if not namespaces[space] then
    namespaces[space] = {}
    _G[space] = namespaces[space]
  end
  namespaces[space][method] = function(params)
    return asked(host("call", name, params == nil and {} or params))
  end
end

local wrappers = {}
for _, name in ipairs(functions) do
  local camel = gsub(name, "_(%w)", upper)
  local call = function(...)
    return finish(host("function", name, ...))
  end
  if name == "get_updates" then
    call = function(...)
      local ok, result = host("function", name, ...)
      if ok then for _, one in ipairs(result) do withButtons(one.update.message) end end
      return finish(ok, result)
    end
  end
  wrappers[name], wrappers[camel] = call, call
  _G[name], _G[camel] = call, call
end

local function invoke(t)
  if type(t) ~= "table" or type(t._) ~= "string" then
    return finish(false, invalid("A table is needed whose field _ is the name of a method"))
  end
  local name = gsub(t._, "%->", ".")
  if wrappers[name] then
    local args = {}
    for i, v in ipairs(t) do args[i] = v end
    return wrappers[name](unpack(args))
  end
  local params = {}
  for k, v in next, t do
    if k ~= "_" then params[k] = v end
  end
  return asked(host("call", name, params))
end

function _G.madeline_function(t, cb, extra)
  local result = invoke(t)
  if cb ~= nil then cb(result, extra) end
  return result
end

${dialect}
_G.madelineproto_lua = 1

-- ----- what the host calls

return {
  listens = function()
    return type(rawget(_G, "madeline_update_callback")) == "function"
      or type(rawget(_G, "tdcli_update_callback")) == "function"
  end,
  deliver = function(update)
    local callback = rawget(_G, "madeline_update_callback")
    if type(callback) == "function" then
      withButtons(update.message)
      callback(update)
      return
    end
    callback = rawget(_G, "tdcli_update_callback")
    if type(callback) == "function" then callback(toTd(update)) end
  end
}
`
