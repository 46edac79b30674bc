-- Renews an owner's lease.
--
--   KEYS  owners, the owner's claims
--   ARGV  the owner, lease in microseconds, '1' for a first renewal, how many expired owners to name, the time ('': Redis's)
--   result  { 'kept' | 'new' | 'evicted', time, claims held, expired owners }

local owners, claims, owner = KEYS[1], KEYS[2], ARGV[1]
allow_writes(claims)
local now = time(ARGV[5])
local deadline = string.format('%.0f', now + tonumber(ARGV[2]))
local standing = 'evicted'
if redis.call('HEXISTS', claims, '.') == 1 then
  standing = 'kept'
elseif ARGV[3] == '1' and redis.call('EXISTS', claims) == 0 and not redis.call('ZSCORE', owners, owner) then
  standing = 'new'
  redis.call('HSET', claims, '.', '0')
end
if standing ~= 'evicted' then redis.call('ZADD', owners, deadline, owner) end

local held = redis.call('HLEN', claims)
if standing ~= 'evicted' then held = held - 1 end
local expired = {}
local most = tonumber(ARGV[4])
for _, other in ipairs(redis.call('ZRANGEBYSCORE', owners, '-inf', string.format('%.0f', now), 'LIMIT', 0, most + 1)) do
  if other ~= owner and #expired < most then expired[#expired + 1] = other end
end
return { standing, string.format('%.0f', now), held, expired }
