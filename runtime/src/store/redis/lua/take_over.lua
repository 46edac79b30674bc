-- Takes claims over from an owner whose lease ran out, oldest first.
--
--   KEYS  owners, the rescuer's claims, the dead owner's claims
--   ARGV  seq, limit (at most 1,000), the dead owner, the time ('': Redis's)
--   result  'evicted' | 'stale' | { 'again', token, value, ... }

local owners, claims, dead_claims, dead = KEYS[1], KEYS[2], KEYS[3], ARGV[3]
local seq, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local again = replay(claims, seq)
if again then return again end

allow_writes(claims)
redis.call('HSET', claims, '.', ARGV[1])
local answer = { 'again' }
local deadline = redis.call('ZSCORE', owners, dead)
if claims == dead_claims or not deadline or tonumber(deadline) > time(ARGV[4]) then return answer end

-- From now on the dead owner may settle what is left, and claim and renew nothing.
redis.call('HDEL', dead_claims, '.')
local left = tokens(dead_claims, 0, math.huge)
for i = 1, math.min(limit, #left) do
  local field = left[i][2]
  local recoveries, rest = redis.call('HGET', dead_claims, field):match('^(%d+)(:.*)$')
  local value = string.format('%d', tonumber(recoveries) + 1) .. rest
  local mine = token(seq, i - 1)
  redis.call('HSET', claims, mine, value)
  redis.call('HDEL', dead_claims, field)
  answer[#answer + 1] = mine
  answer[#answer + 1] = value
end
if limit >= #left then redis.call('ZREM', owners, dead) end
return answer
