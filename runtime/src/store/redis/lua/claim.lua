-- Takes payloads from queues, each under a token of the owner.
--
-- claim(k, a, queues): the keys stand in KEYS after k, the arguments in ARGV after a.
--   KEYS  the owner's claims, the set of paused queues, the queues
--   ARGV  seq, limit (at most 1,000), then (share, name) of each queue
--   result  'evicted' | 'stale' | { 'again', token, value, ... } | { 'taken', names of unusable queues, then for each queue that
--           gave something: its index, payloads }
--
-- The hash of claims has '.' (the registration: the last seq) and a field a claim: token = seq * 65536 + index, value =
-- <recoveries>:<length of the queue's name>:<the queue's name><payload>.

local PER_CALL = 65536

-- As a whole number it is written faster, where the server's have the bits for it.
local WHOLE = string.format('%d', 2 ^ 40) == '1099511627776' and '%d' or '%.0f'

local function token(seq, index) return string.format(WHOLE, seq * PER_CALL + index) end

-- The tokens from one on and below another, oldest first, as { number, field }. A hash has no order of its own.
local function tokens(claims, from, below)
  local found = {}
  for _, field in ipairs(redis.call('HKEYS', claims)) do
    local number = tonumber(field)
    if number and number >= from and number < below then found[#found + 1] = { number, field } end
  end
  table.sort(found, function(x, y) return x[1] < y[1] end)
  return found
end

-- The answer to a call that is not a new one.
local function replay(claims, seq)
  local last = redis.call('HGET', claims, '.')
  if not last then return 'evicted' end
  last = tonumber(last)
  if seq > last then return nil end
  if seq < last then return 'stale' end
  local answer = { 'again' }
  for _, held in ipairs(tokens(claims, seq * PER_CALL, (seq + 1) * PER_CALL)) do
    answer[#answer + 1] = held[2]
    answer[#answer + 1] = redis.call('HGET', claims, held[2])
  end
  return answer
end

local function claim(k, a, queues)
  local claims, paused = KEYS[k + 1], KEYS[k + 2]
  local seq, limit = tonumber(ARGV[a + 1]), tonumber(ARGV[a + 2])
  local again = replay(claims, seq)
  if again then return again end

  allow_writes(claims)
  -- A read of a key that is not there arms the tracking of this connection, which is the wake-up.
  local pausing = redis.call('EXISTS', paused) == 1
  local unusable, closed = {}, {}
  local answer, fields, count = { 'taken', unusable }, { '.', ARGV[a + 1] }, 0

  local function take(i, wanted)
    if wanted <= 0 or closed[i] then return end
    local name = ARGV[a + 2 + 2 * i]
    if pausing and redis.pcall('SISMEMBER', paused, name) == 1 then closed[i] = true return end
    local payloads = redis.pcall('RPOP', KEYS[k + 2 + i], wanted)
    if not payloads then return end
    if payloads.err then
      closed[i] = true
      unusable[#unusable + 1] = name
      return
    end
    local head = '0:' .. #name .. ':' .. name
    local gave = { i }
    for n, payload in ipairs(payloads) do
      fields[#fields + 1] = token(seq, count)
      fields[#fields + 1] = head .. payload
      gave[n + 1] = payload
      count = count + 1
    end
    answer[#answer + 1] = gave
  end

  for i = 1, queues do take(i, math.min(tonumber(ARGV[a + 1 + 2 * i]), limit - count)) end
  for i = 1, queues do take(i, limit - count) end

  local stored = redis.pcall('HSET', claims, unpack(fields))
  if failure(stored) then
    -- What nobody holds must not be in nobody's hands either.
    for g = #answer, 3, -1 do
      local gave = answer[g]
      for n = #gave, 2, -1 do redis.pcall('RPUSH', KEYS[k + 2 + gave[1]], gave[n]) end
    end
    return stored
  end

  if count < limit then
    for i = 1, queues do redis.pcall('EXISTS', KEYS[k + 2 + i]) end
  end
  return answer
end
