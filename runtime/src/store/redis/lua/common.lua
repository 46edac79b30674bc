-- What several scripts share.

-- Lets the script go on when memory is short: Redis refuses writes that take memory only where the script has not written
-- yet. Without it nobody could end a job, keep a lease or save what a dead process held, which is what frees memory.
local function allow_writes(claims) redis.pcall('HDEL', claims, '-') end

-- The error of an answer, or nil.
local function failure(answer) return type(answer) == 'table' and answer.err or nil end

-- The time in microseconds: that of Redis, but for tests, which give their own.
local function time(given)
  if given ~= '' then return tonumber(given) end
  local now = redis.call('TIME')
  return tonumber(now[1]) * 1000000 + tonumber(now[2])
end
