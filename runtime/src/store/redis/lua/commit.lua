-- Applies a batch of transactions, each on its own.
--
-- commit(k, a): the keys stand in KEYS after k, the arguments in ARGV after a.
--   KEYS  every key of the batch once; the first is the lane's receipt
--   ARGV  types (a letter a key: l list, z zset, t set, h hash, s string), seq, receipt's ms to live,
--         key of claims that the batch ends (0: none), number of profiles, number of groups, the time in microseconds that
--         receipts go by ('': they expire in Redis),
--         profiles: number of counts, then (total key, day key, n) each
--         groups:   'G' claims key, profile, number of tokens, tokens...    each Holds + Release + counts
--                   'T' profile, profile of otherwise, sizes of when, then, otherwise, then their operations:
--                       h key token | c key payload                                              guards
--                       l key payload queues name | r (the same) | z key score payload | x key payload
--                       d key token | j key member | k key member | t key before keep            effects
--   result  'STALE', or a word a run of results: A<how many>, R<index of the guard>, F<error>
--
-- Redis does not roll back. So every key's type is looked at before, and where an effect is refused all the same (out of
-- memory, no permission) what the transaction has placed is taken back. Once it has let go of something it goes on: what
-- is then left over stands twice, which is better than nowhere.

local FIVE_YEARS = 157680000
local ARITY = { h = 2, c = 2, l = 4, r = 4, z = 3, x = 2, d = 2, j = 2, k = 2, t = 3 }
local TYPES = { l = 'list', z = 'zset', t = 'set', h = 'hash', s = 'string' }

local function commit(k, a)
  local function key(n) return KEYS[k + tonumber(ARGV[n])] end

  local receipt, seq = KEYS[k + 1], ARGV[a + 2]
  local known = redis.pcall('GET', receipt)
  if type(known) == 'string' then
    local last, expires, results = known:match('^(%d+) (%S+) (.*)$')
    if expires ~= '-' and tonumber(expires) <= tonumber(ARGV[a + 7]) then last = '-1' end
    if tonumber(last) == tonumber(seq) then return results end
    if tonumber(last) > tonumber(seq) then return 'STALE' end
  end

  if ARGV[a + 4] ~= '0' then allow_writes(key(a + 4)) end

  local wrong = {}
  for i = 1, #ARGV[a + 1] do
    local found = redis.pcall('TYPE', KEYS[k + i])
    if found.err then
      wrong[tostring(i)] = found.err
    elseif found.ok ~= 'none' and found.ok ~= TYPES[ARGV[a + 1]:sub(i, i)] then
      wrong[tostring(i)] = 'WRONGTYPE the key ' .. KEYS[k + i] .. ' holds a ' .. found.ok
    end
  end

  local p = a + 8
  local profiles, applied = {}, {}
  for i = 1, tonumber(ARGV[a + 5]) do
    profiles[i], applied[i] = p, 0
    p = p + 1 + 3 * tonumber(ARGV[p])
  end

  local results, run = {}, 0
  local function result(word)
    if word == 'A' then run = run + 1 return end
    if run > 0 then results[#results + 1] = 'A' .. run run = 0 end
    results[#results + 1] = word
  end
  -- Results stand a line each, and the name of a key may have any byte.
  local function failed(why) result('F' .. why:gsub('%c', ' ')) end

  local joined = {}
  local function push(command, p)
    local done = redis.pcall(command, key(p + 1), ARGV[p + 2])
    if not failure(done) and not joined[ARGV[p + 4]] then
      joined[ARGV[p + 4]] = true
      redis.pcall('SADD', key(p + 3), ARGV[p + 4])
    end
    return done
  end

  local effects = {
    l = function(p) return push('LPUSH', p) end,
    r = function(p) return push('RPUSH', p) end,
    z = function(p) return redis.pcall('ZADD', key(p + 1), ARGV[p + 2], ARGV[p + 3]) end,
    x = function(p) return redis.pcall('ZREM', key(p + 1), ARGV[p + 2]) end,
    d = function(p) return redis.pcall('HDEL', key(p + 1), ARGV[p + 2]) end,
    j = function(p) return redis.pcall('SADD', key(p + 1), ARGV[p + 2]) end,
    k = function(p)
      joined = {}
      return redis.pcall('SREM', key(p + 1), ARGV[p + 2])
    end,
    t = function(p)
      local done = redis.pcall('ZREMRANGEBYSCORE', key(p + 1), '-inf', '(' .. ARGV[p + 2])
      if failure(done) then return done end
      local size = redis.pcall('ZCARD', key(p + 1))
      if failure(size) then return size end
      local over = size - tonumber(ARGV[p + 3])
      if over > 0 then return redis.pcall('ZREMRANGEBYRANK', key(p + 1), 0, over - 1) end
      return done
    end,
  }

  -- Takes back what an effect placed, by its answer.
  local undo = {
    l = function(p) redis.pcall('LPOP', key(p + 1)) end,
    r = function(p) redis.pcall('RPOP', key(p + 1)) end,
    z = function(p, added) if added == 1 then redis.pcall('ZREM', key(p + 1), ARGV[p + 3]) end end,
    j = function(p, added) if added == 1 then redis.pcall('SREM', key(p + 1), ARGV[p + 2]) end end,
  }

  -- 1 where a guard holds, else 0, or an error.
  local function holds(p)
    if ARGV[p] == 'h' then return redis.pcall('HEXISTS', key(p + 1), ARGV[p + 2]) end
    local score = redis.pcall('ZSCORE', key(p + 1), ARGV[p + 2])
    if failure(score) then return score end
    return score and 1 or 0
  end

  -- Lets effects happen: all of them, or none and the error.
  local function perform(p, count)
    local done, let_go = {}, false
    for i = 1, count do
      local op = ARGV[p]
      local answer = effects[op](p)
      local upkeep = i > 1 and (op == 'k' or op == 't')
      if failure(answer) and not let_go and not upkeep then
        for n = #done, 1, -1 do
          local back = undo[ARGV[done[n][1]]]
          if back then back(done[n][1], done[n][2]) end
        end
        return answer.err
      end
      if count > 1 then done[i] = { p, answer } end
      let_go = let_go or op == 'x' or op == 'd'
      p = p + 1 + ARITY[op]
    end
  end

  -- The position after `n` operations, and what is wrong with the keys they name.
  local function skip(p, n)
    local bad
    for _ = 1, n do
      local op = ARGV[p]
      bad = bad or wrong[ARGV[p + 1]] or ((op == 'l' or op == 'r') and wrong[ARGV[p + 3]])
      p = p + 1 + ARITY[op]
    end
    return p, bad
  end

  local function transaction(p)
    local profile, other = tonumber(ARGV[p + 1]), tonumber(ARGV[p + 2])
    local sizes = { tonumber(ARGV[p + 3]), tonumber(ARGV[p + 4]), tonumber(ARGV[p + 5]) }
    local guards = p + 6
    local thens, bad_guard = skip(guards, sizes[1])
    local otherwises, bad_then = skip(thens, sizes[2])
    local after, bad_otherwise = skip(otherwises, sizes[3])
    if bad_guard then failed(bad_guard) return after end

    local refused
    local at = guards
    for i = 1, sizes[1] do
      local held = holds(at)
      if failure(held) then failed(held.err) return after end
      if held == 0 then refused = i - 1 break end
      at = at + 1 + ARITY[ARGV[at]]
    end
    local first, count, bad = thens, sizes[2], bad_then
    if refused then first, count, bad, profile = otherwises, sizes[3], bad_otherwise, other end
    bad = bad or perform(first, count)
    if bad then failed(bad) return after end
    if profile > 0 then applied[profile] = applied[profile] + 1 end
    result(refused and ('R' .. refused) or 'A')
    return after
  end

  local function ends(p)
    local claims, profile, count = key(p + 1), tonumber(ARGV[p + 2]), tonumber(ARGV[p + 3])
    local bad = wrong[ARGV[p + 1]]
    for i = p + 4, p + 3 + count do
      local done = bad and { err = bad } or redis.pcall('HDEL', claims, ARGV[i])
      if done == 1 then
        result('A')
        if profile > 0 then applied[profile] = applied[profile] + 1 end
      elseif done == 0 then
        result('R0')
      else
        failed(done.err)
      end
    end
    return p + 4 + count
  end

  for _ = 1, tonumber(ARGV[a + 6]) do
    if ARGV[p] == 'G' then p = ends(p) else p = transaction(p) end
  end
  if run > 0 then results[#results + 1] = 'A' .. run end

  local sums = {}
  for i = 1, #profiles do
    local p = profiles[i]
    for c = 0, tonumber(ARGV[p]) - 1 do
      local total, day, n = ARGV[p + 1 + 3 * c], ARGV[p + 2 + 3 * c], tonumber(ARGV[p + 3 + 3 * c])
      sums[total] = (sums[total] or 0) + n * applied[i]
      sums[day] = (sums[day] or 0) + n * applied[i]
    end
  end
  for counter, n in pairs(sums) do
    if n > 0 then
      local name = KEYS[k + tonumber(counter)]
      local now = redis.pcall('INCRBY', name, string.format('%.0f', n))
      if now == n and name:find(':%d+-%d+-%d+$') then redis.pcall('EXPIRE', name, FIVE_YEARS) end
    end
  end

  local answer = table.concat(results, '\n')
  local expires = '-'
  if ARGV[a + 7] ~= '' then expires = string.format('%.0f', tonumber(ARGV[a + 7]) + 1000 * tonumber(ARGV[a + 3])) end
  redis.pcall('SET', receipt, seq .. ' ' .. expires .. ' ' .. answer, 'PX', ARGV[a + 3])
  return answer
end
