-- Reads a part of a list. The client takes a short answer that begins with a word like 'message' for another kind of
-- message, and a list may hold anything: inside of another answer it is safe.
--
--   KEYS  the list
--   ARGV  first, last, as LRANGE takes them
--   result  { the items }

return { redis.call('LRANGE', KEYS[1], ARGV[1], ARGV[2]) }
