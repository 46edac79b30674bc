-- Takes payloads from queues, each under a token of the owner.
--
-- claim(k, a, queues): the keys stand in KEYS after k, the arguments in ARGV after a.
--   KEYS  the owner's claims, the set of paused queues, the queues
--   ARGV  seq, limit, then (share, name) of each queue
--   result  'evicted' | 'stale' | { 'again', token, value, ... } | { 'taken', names of unusable queues, then for each queue that
--           gave something: its index, payloads }
--
-- The hash of claims has '.' (the registration: the last seq) and a field a claim: token = seq * 65536 + index, value =
-- <recoveries>:<length of the queue's name>:<the queue's name><payload>.

local PER_CALL = 65536

-- The answer to a call that is not a new one.
local function replay(claims, seq)
  local last = redis.call('HGET', claims, '.')
  if not last then return 'evicted' end
  last = tonumber(last)
  if seq > last then return nil end
  if seq < last then return 'stale' end
  local all, found = redis.call('HGETALL', claims), {}
  for i = 1, #all, 2 do
    local token = tonumber(all[i])
    if token and token >= seq * PER_CALL and token < (seq + 1) * PER_CALL then found[#found + 1] = { token, all[i], all[i + 1] } end
  end
  table.sort(found, function(x, y) return x[1] < y[1] end)
  local answer = { 'again' }
  for _, claim in ipairs(found) do
    answer[#answer + 1] = claim[2]
    answer[#answer + 1] = claim[3]
  end
  return answer
end

local function token(seq, index) return string.format('%.0f', seq * PER_CALL + index) end

local function claim(k, a, queues)
  local claims, paused = KEYS[k + 1], KEYS[k + 2]
  local seq, limit = tonumber(ARGV[a + 1]), tonumber(ARGV[a + 2])
  local again = replay(claims, seq)
  if again then return again end

  -- A read of a key that is not there arms the tracking of this connection, which is the wake-up.
  local pausing = redis.call('EXISTS', paused) == 1
  local unusable, gave, fields, count = {}, {}, { '.', ARGV[a + 1] }, 0
  local closed = {}

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
    local answer = { i }
    for n, payload in ipairs(payloads) do
      fields[#fields + 1] = token(seq, count)
      fields[#fields + 1] = head .. payload
      answer[n + 1] = payload
      count = count + 1
    end
    gave[#gave + 1] = answer
  end

  for i = 1, queues do take(i, math.min(tonumber(ARGV[a + 1 + 2 * i]), limit - count)) end
  for i = 1, queues do take(i, limit - count) end
  redis.call('HSET', claims, unpack(fields))

  if count < limit then
    for i = 1, queues do redis.call('EXISTS', KEYS[k + 2 + i]) end
  end
  return { 'taken', unusable, unpack(gave) }
end
