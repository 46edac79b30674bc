-- Applies a batch of transactions that do nothing but push, each to the tail of one queue. What commit.lua would do, without
-- what only others need.
--
--   KEYS  the lane's receipt, the set of queue names, every queue of the batch once
--   ARGV  seq, receipt's ms to live, the time in microseconds that receipts go by ('': they expire in Redis), number of groups,
--         groups: index of the queue in KEYS, its name, number of transactions, number of payloads, payloads...
--   result  as that of commit.lua
--
-- The transactions of a group push to the same queue, by one command: what refuses one of them refuses all.

local receipt, queues, seq = KEYS[1], KEYS[2], ARGV[1]
local known = answered(receipt, seq, ARGV[3])
if known then return known end

local results, joined, p = {}, {}, 5
for _ = 1, tonumber(ARGV[4]) do
  local name, count, payloads = ARGV[p + 1], tonumber(ARGV[p + 2]), tonumber(ARGV[p + 3])
  -- The name comes first: a queue that nobody knows of would be overlooked by who lists them.
  local added = not joined[name] and redis.pcall('SADD', queues, name)
  local done = added
  if not failure(added) then
    joined[name] = true
    done = redis.pcall('LPUSH', KEYS[tonumber(ARGV[p])], unpack(ARGV, p + 4, p + 3 + payloads))
    if failure(done) and added == 1 then
      joined[name] = nil
      redis.pcall('SREM', queues, name)
    end
  end
  if failure(done) then
    for _ = 1, count do results[#results + 1] = 'F' .. done.err:gsub('%c', ' ') end
  else
    results[#results + 1] = 'A' .. ARGV[p + 2]
  end
  p = p + 4 + payloads
end
return remember(receipt, seq, ARGV[3], ARGV[2], table.concat(results, '\n'))
