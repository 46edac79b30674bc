-- Applies a batch of transactions, each on its own.
--
-- commit(k, a): the keys stand in KEYS after k, the arguments in ARGV after a.
--   KEYS  every key of the batch once; the first is the lane's receipt
--   ARGV  types (a letter a key: l list, z zset, t set, h hash, s string, ? any, ! two kinds), seq, receipt's ms to live,
--         key of claims that the batch ends (0: none), number of profiles, number of groups, the time in microseconds that
--         receipts go by ('': they expire in Redis),
--         profiles: number of counts, then (total key, day key, n) each
--         groups:   'G' claims key, profile, number of tokens, tokens...    each Holds + Release + counts
--                   'T' profile, profile of otherwise, sizes of when, then, otherwise, then their operations:
--                       h key token | c key payload | p key payload | a key '' | e key field |
--                       m key field value                                                          guards
--                       l key queues name n payload... | r (the same) | z key score payload | x key payload
--                       y key payload | o key item | d key token | j key member | k key member | t key before keep
--                       u key | s key ms value | q key ms item
--                       f key ms n (field value)... | i key ms n (field n)... | b key ms n (bucket n)...   effects
--   result  'STALE', or a word a run of results: A<how many>, R<index of the guard>, F<error>
--
-- Redis does not roll back. So every key's type is looked at before, and where an effect is refused all the same (out of
-- memory, no permission) what the transaction has placed is taken back. Once it has let go of something it goes on: what
-- is then left over stands twice, which is better than nowhere. What was kept over another value is not brought back: only a
-- lack of permission for one of several commands comes that far.

local FIVE_YEARS = 157680000
local ARITY = {
  h = 2, c = 2, p = 2, a = 2, e = 2, m = 3,
  l = 4, r = 4, z = 3, x = 2, y = 2, o = 2, d = 2, j = 2, k = 2, t = 3, u = 1, s = 3, q = 3, f = 3, i = 3, b = 3,
}
-- Those that have more behind their arguments: how many, and as how many arguments each.
local COUNT_AT = { l = 4, r = 4, f = 3, i = 3, b = 3 }
local SIZE = { l = 1, r = 1, f = 2, i = 2, b = 2 }
local TYPES = { l = 'list', z = 'zset', t = 'set', h = 'hash', s = 'string' }

-- How many pairs go into one command: a table that is too long cannot be unpacked.
local MOST_PAIRS = 1000

-- The highest number of a field, which a float does not hold.
local HIGHEST = '9223372036854775807'

-- The position after an operation.
local function following(p)
  local op = ARGV[p]
  local after = p + 1 + ARITY[op]
  if COUNT_AT[op] then after = after + SIZE[op] * tonumber(ARGV[p + COUNT_AT[op]]) end
  return after
end

local function commit(k, a)
  local function key(n) return KEYS[k + tonumber(ARGV[n])] end

  local receipt, seq = KEYS[k + 1], ARGV[a + 2]
  local known = answered(receipt, seq, ARGV[a + 7])
  if known then return known end

  if ARGV[a + 4] ~= '0' then allow_writes(key(a + 4)) end

  -- Whether a key is used for two kinds of things.
  local function mixed(index)
    local i = tonumber(index)
    return ARGV[a + 1]:sub(i, i) == '!'
  end

  local wrong = {}
  for i = 1, #ARGV[a + 1] do
    local kind, found = ARGV[a + 1]:sub(i, i), redis.pcall('TYPE', KEYS[k + i])
    if found.err then
      wrong[tostring(i)] = found.err
    elseif mixed(i) then
      wrong[tostring(i)] = 'WRONGTYPE the key ' .. KEYS[k + i] .. ' is used for two kinds of things'
    elseif found.ok ~= 'none' and found.ok ~= (TYPES[kind] or found.ok) then
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

  -- The queues that are certainly known, each with the push that made it known where it was not before.
  local joined = {}
  -- What a push made known is forgotten with it.
  local function unjoin(p)
    local name = ARGV[p + 3]
    if joined[name] ~= p then return end
    redis.pcall('SREM', key(p + 2), name)
    joined[name] = nil
  end
  -- The queue's name comes first: a queue that nobody knows of would be slept past by who lists them.
  local function push(command, p)
    local name, count, done = ARGV[p + 3], tonumber(ARGV[p + 4]), nil
    if not joined[name] then
      local added = redis.pcall('SADD', key(p + 2), name)
      if failure(added) then return added end
      joined[name] = added == 1 and p or true
    end
    if count == 1 then
      done = redis.pcall(command, key(p + 1), ARGV[p + 5])
    else
      done = redis.pcall(command, key(p + 1), unpack(ARGV, p + 5, p + 4 + count))
    end
    if failure(done) then unjoin(p) end
    return done
  end

  -- Keeps a key for so many milliseconds more, where that is said.
  local function keep(p, done)
    if failure(done) or ARGV[p + 2] == '' then return done end
    return redis.pcall('PEXPIRE', key(p + 1), ARGV[p + 2])
  end

  -- Calls `each` with the pairs of an operation, some at a time.
  local function in_pairs(p, each)
    local first, last = p + 4, following(p) - 1
    for from = first, last, 2 * MOST_PAIRS do
      local done = each(unpack(ARGV, from, math.min(from + 2 * MOST_PAIRS - 1, last)))
      if failure(done) then return done end
    end
  end

  -- Adds to a field. What is no number counts as none, and the sum stops at the highest number.
  local function add(hash, field, n)
    local done = redis.pcall('HINCRBY', hash, field, n)
    local why = failure(done)
    if why and why:find('overflow', 1, true) then return redis.pcall('HSET', hash, field, HIGHEST) end
    if why and why:find('not an integer', 1, true) then return redis.pcall('HSET', hash, field, n) end
    return done
  end

  local effects = {
    l = function(p) return push('LPUSH', p) end,
    r = function(p) return push('RPUSH', p) end,
    z = function(p) return redis.pcall('ZADD', key(p + 1), ARGV[p + 2], ARGV[p + 3]) end,
    x = function(p) return redis.pcall('ZREM', key(p + 1), ARGV[p + 2]) end,
    y = function(p) return redis.pcall('LREM', key(p + 1), 1, ARGV[p + 2]) end,
    o = function(p) return redis.pcall('LREM', key(p + 1), -1, ARGV[p + 2]) end,
    d = function(p) return redis.pcall('HDEL', key(p + 1), ARGV[p + 2]) end,
    j = function(p) return redis.pcall('SADD', key(p + 1), ARGV[p + 2]) end,
    k = function(p)
      -- Another transaction of the batch may push to a queue that this one forgets.
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
    u = function(p)
      local done = redis.pcall('UNLINK', key(p + 1))
      -- Whatever stood there, the transactions that follow may keep what they like.
      if not failure(done) and not mixed(ARGV[p + 1]) then wrong[ARGV[p + 1]] = nil end
      return done
    end,
    s = function(p)
      if ARGV[p + 2] == '' then return redis.pcall('SET', key(p + 1), ARGV[p + 3]) end
      return redis.pcall('SET', key(p + 1), ARGV[p + 3], 'PX', ARGV[p + 2])
    end,
    q = function(p)
      local added = redis.pcall('LPUSH', key(p + 1), ARGV[p + 3])
      local done = keep(p, added)
      if failure(done) and not failure(added) then redis.pcall('LPOP', key(p + 1)) end
      return done
    end,
    f = function(p)
      return keep(p, in_pairs(p, function(...) return redis.pcall('HSET', key(p + 1), ...) end))
    end,
    i = function(p)
      for i = p + 4, following(p) - 1, 2 do
        local done = add(key(p + 1), ARGV[i], ARGV[i + 1])
        if failure(done) then return done end
      end
      return keep(p)
    end,
    b = function(p)
      for i = p + 4, following(p) - 1, 2 do
        local done = redis.pcall(
          'BITFIELD', key(p + 1), 'OVERFLOW', 'SAT', 'INCRBY', 'u16', '#' .. ARGV[i], ARGV[i + 1]
        )
        if failure(done) then return done end
      end
      return keep(p)
    end,
  }

  -- Takes back what an effect placed, by its answer.
  local undo = {
    l = function(p) redis.pcall('LPOP', key(p + 1), ARGV[p + 4]) unjoin(p) end,
    r = function(p) redis.pcall('RPOP', key(p + 1), ARGV[p + 4]) unjoin(p) end,
    q = function(p) redis.pcall('LPOP', key(p + 1)) end,
    z = function(p, added) if added == 1 then redis.pcall('ZREM', key(p + 1), ARGV[p + 3]) end end,
    j = function(p, added) if added == 1 then redis.pcall('SREM', key(p + 1), ARGV[p + 2]) end end,
    k = function(p, gone) if gone == 1 then redis.pcall('SADD', key(p + 1), ARGV[p + 2]) end end,
  }

  -- 1 where a guard holds, else 0, or an error.
  local function holds(p)
    local op = ARGV[p]
    if op == 'h' then return redis.pcall('HEXISTS', key(p + 1), ARGV[p + 2]) end
    if op == 'a' or op == 'e' then
      local found
      if op == 'a' then
        found = redis.pcall('EXISTS', key(p + 1))
      else
        found = redis.pcall('HEXISTS', key(p + 1), ARGV[p + 2])
      end
      if failure(found) then return found end
      return 1 - found
    end
    if op == 'm' then
      local value = redis.pcall('HGET', key(p + 1), ARGV[p + 2])
      if failure(value) then return value end
      return value == ARGV[p + 3] and 1 or 0
    end
    if op == 'p' then
      local at = redis.pcall('LPOS', key(p + 1), ARGV[p + 2])
      if failure(at) then return at end
      return at and 1 or 0
    end
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
      let_go = let_go or op == 'x' or op == 'y' or op == 'd'
      p = following(p)
    end
  end

  -- The position after `n` operations, and what is wrong with the keys they name. A key that is forgotten first, or only asked
  -- for, may hold anything.
  local function skip(p, n)
    local bad, forgotten
    for _ = 1, n do
      local op, name = ARGV[p], ARGV[p + 1]
      if wrong[name] and op == 'u' and not mixed(name) then
        forgotten = forgotten or {}
        forgotten[name] = true
      end
      if op ~= 'a' and not (forgotten and forgotten[name]) then bad = bad or wrong[name] end
      if op == 'l' or op == 'r' then bad = bad or wrong[ARGV[p + 2]] end
      p = following(p)
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
      at = following(at)
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

  return remember(receipt, seq, ARGV[a + 7], ARGV[a + 3], table.concat(results, '\n'))
end
