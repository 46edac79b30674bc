-- Takes claims over from an owner whose lease ran out, oldest first.
--
--   KEYS  owners, the rescuer's claims, the dead owner's claims
--   ARGV  seq, limit, the dead owner, the time ('': Redis's)
--   result  'evicted' | 'stale' | { 'again', token, value, ... }

local owners, claims, dead_claims, dead = KEYS[1], KEYS[2], KEYS[3], ARGV[3]
local seq, limit = tonumber(ARGV[1]), tonumber(ARGV[2])
local again = replay(claims, seq)
if again then return again end

redis.call('HSET', claims, '.', ARGV[1])
local answer = { 'again' }
local deadline = redis.call('ZSCORE', owners, dead)
if claims == dead_claims or not deadline or tonumber(deadline) > time(ARGV[4]) then return answer end

-- From now on the dead owner may settle what is left, and claim and renew nothing.
redis.call('HDEL', dead_claims, '.')
local all, left = redis.call('HGETALL', dead_claims), {}
for i = 1, #all, 2 do left[#left + 1] = { tonumber(all[i]), all[i], all[i + 1] } end
table.sort(left, function(x, y) return x[1] < y[1] end)
for i = 1, math.min(limit, #left) do
  local recoveries, rest = left[i][3]:match('^(%d+)(:.*)$')
  local value = string.format('%d', tonumber(recoveries) + 1) .. rest
  local mine = token(seq, i - 1)
  redis.call('HSET', claims, mine, value)
  redis.call('HDEL', dead_claims, left[i][2])
  answer[#answer + 1] = mine
  answer[#answer + 1] = value
end
if limit >= #left then redis.call('ZREM', owners, dead) end
return answer
