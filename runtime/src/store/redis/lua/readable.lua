-- Whether a field of the hash of claims can be read (claim.lua says how they are written).
local function readable(field, value)
  if field == '.' then return value:match('^%d+$') end
  local length, name = value:match('^%d+:(%d+):()')
  return field:match('^%d+$') and length and name - 1 + tonumber(length) <= #value
end
