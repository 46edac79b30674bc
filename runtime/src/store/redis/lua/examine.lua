-- Says whether something is wrong with some keys, and mends it where that is asked for.
--
--   KEYS  by kind
--   ARGV  kind, '1' to mend, then by kind
--   result  1 where it is so, else 0
--
--   kind                KEYS                          ARGV
--   unlisted-queue      queue, the set of queues      the queue's name
--   wrong-type          key, where it is kept aside   the type that it must have
--   lost-owner          owners, its claims            the owner, the time ('': Redis's)
--   lost-claims         owners, its claims            the owner, the time, a lease in microseconds
--   unreadable-claim    claims, the dead set          the field, the time
--   lasting-receipt     receipt                       its milliseconds to live

local kind, mend = ARGV[1], ARGV[2] == '1'

local kinds = {
  ['unlisted-queue'] = function()
    if redis.call('EXISTS', KEYS[1]) == 0 or redis.call('SISMEMBER', KEYS[2], ARGV[3]) == 1 then return false end
    if mend then redis.call('SADD', KEYS[2], ARGV[3]) end
    return true
  end,
  ['wrong-type'] = function()
    local found = redis.call('TYPE', KEYS[1]).ok
    if found == 'none' or found == ARGV[3] then return false end
    if mend then redis.call('RENAME', KEYS[1], KEYS[2]) end
    return true
  end,
  ['lost-owner'] = function()
    -- One whose lease ran out may be amid a takeover; that ends its registration.
    local deadline = redis.call('ZSCORE', KEYS[1], ARGV[3])
    if not deadline or tonumber(deadline) <= time(ARGV[4]) or redis.call('EXISTS', KEYS[2]) == 1 then return false end
    if mend then redis.call('ZREM', KEYS[1], ARGV[3]) end
    return true
  end,
  ['lost-claims'] = function()
    if redis.call('EXISTS', KEYS[2]) == 0 or redis.call('ZSCORE', KEYS[1], ARGV[3]) then return false end
    local deadline = string.format('%.0f', time(ARGV[4]) + tonumber(ARGV[5]))
    if mend then redis.call('ZADD', KEYS[1], deadline, ARGV[3]) end
    return true
  end,
  ['unreadable-claim'] = function()
    local value = redis.call('HGET', KEYS[1], ARGV[3])
    if not value or readable(ARGV[3], value) then return false end
    if mend then
      -- A registration that cannot be read holds no payload: its owner is evicted.
      if ARGV[3] ~= '.' then
        redis.call('ZADD', KEYS[2], string.format('%.6f', time(ARGV[4]) / 1000000), value)
      end
      redis.call('HDEL', KEYS[1], ARGV[3])
    end
    return true
  end,
  ['lasting-receipt'] = function()
    if redis.call('PTTL', KEYS[1]) ~= -1 then return false end
    if mend then redis.call('PEXPIRE', KEYS[1], ARGV[3]) end
    return true
  end,
}

return kinds[kind]() and 1 or 0
