-- Names the fields of the hash of claims that cannot be read.
--
--   KEYS  the owner's claims
--   ARGV  how many at most
--   result  { the fields }

local found = {}
for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
  if #found < tonumber(ARGV[1]) and not readable(field, redis.call('HGET', KEYS[1], field)) then
    found[#found + 1] = field
  end
end
return { found }
