-- What several scripts share.

-- Lets the script go on when memory is short: Redis refuses writes that take memory only where the script has not written
-- yet. Without it nobody could end a job, keep a lease or save what a dead process held, which is what frees memory.
local function allow_writes(claims) redis.pcall('HDEL', claims, '-') end

-- The error of an answer, or nil.
local function failure(answer) return type(answer) == 'table' and answer.err or nil end

-- The answer to a batch of a lane that is not its next one. `now` is the time that receipts go by, or '' where they expire in
-- Redis.
local function answered(receipt, seq, now)
  -- Not GET, which arms the tracking of this connection: each batch would be told of its own receipt.
  local known = redis.pcall('GETEX', receipt)
  if type(known) ~= 'string' then return nil end
  local last, expires, results = known:match('^(%d+) (%S+) (.*)$')
  if expires ~= '-' and tonumber(expires) <= tonumber(now) then return nil end
  if tonumber(last) == tonumber(seq) then return results end
  if tonumber(last) > tonumber(seq) then return 'STALE' end
end

-- Keeps the answer to a batch, for its repeat, and gives it.
local function remember(receipt, seq, now, ttl, answer)
  local expires = '-'
  if now ~= '' then expires = string.format('%.0f', tonumber(now) + 1000 * tonumber(ttl)) end
  redis.pcall('SET', receipt, seq .. ' ' .. expires .. ' ' .. answer, 'PX', ttl)
  return answer
end

-- The time in microseconds: that of Redis, but for tests, which give their own.
local function time(given)
  if given ~= '' then return tonumber(given) end
  local now = redis.call('TIME')
  return tonumber(now[1]) * 1000000 + tonumber(now[2])
end
