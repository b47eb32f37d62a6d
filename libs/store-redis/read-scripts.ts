import { luaScript } from './connection.ts';
import { prelude } from './scripts.ts';

/**
 * What readers run: each answers with the shard's stamp (for each worker its checkpoint, and what is
 * open of a batch), taken in the same step as what was asked for. ARGV: instance, workers, what is asked.
 */
const stamped = `${prelude}
local workers = {}
for worker = 0, ARGV[2] - 1 do
  workers[#workers + 1] = 'at:' .. worker
  workers[#workers + 1] = 'open:' .. worker
end
local stamp = redis.call('HMGET', KEYS[1], 'instance', unpack(workers))
if stamp[1] ~= ARGV[1] then return { 'lost' } end
`;

/** KEYS: state, buckets. Asked: { { bucket, { field, ... } }, ... }. */
export const readRowsScript = luaScript(`${stamped}
local rows = { 'read', stamp }
for _, wanted in ipairs(cmsgpack.unpack(ARGV[3])) do
  for _, value in ipairs(values(KEYS[wanted[1]], wanted[2])) do rows[#rows + 1] = value end
end
return rows
`);

/**
 * KEYS: state, the sorted set of a group. Asked: { values to count, score and member of a place (or
 * empty), entries before it, entries from it on, first and last of a range (or empty) }. Answers: entries in all; for each
 * value those before it and those up to it; the number of entries before the place; entries before it,
 * entries from it on, entries of the range, each as member and score.
 */
export const readOrderScript = luaScript(`${stamped}
local set = KEYS[2]
local asked = cmsgpack.unpack(ARGV[3])
-- Bytes, as Redis compares them: Lua's own comparison follows the locale.
local function isBefore(a, b)
  for n = 1, math.min(#a, #b) do
    local x, y = string.byte(a, n), string.byte(b, n)
    if x ~= y then return x < y end
  end
  return #a < #b
end
local function countBefore(score, member)
  local held = redis.call('ZSCORE', set, member)
  if held and tonumber(held) == tonumber(score) then return redis.call('ZRANK', set, member) end
  local low, high = redis.call('ZCOUNT', set, '-inf', '(' .. score), redis.call('ZCOUNT', set, '-inf', score)
  while low < high do
    local middle = math.floor((low + high) / 2)
    if isBefore(redis.call('ZRANGE', set, middle, middle)[1], member) then low = middle + 1
    else high = middle end
  end
  return low
end
local counts = {}
for _, value in ipairs(asked[1]) do
  counts[#counts + 1] = redis.call('ZCOUNT', set, '-inf', '(' .. value)
  counts[#counts + 1] = redis.call('ZCOUNT', set, '-inf', value)
end
local answer = { 'read', stamp, redis.call('ZCARD', set), counts, 0, {}, {}, {} }
if asked[2] ~= '' then
  local place = countBefore(asked[2], asked[3])
  answer[5] = place
  if asked[4] > 0 and place > 0 then
    local first = math.max(0, place - asked[4])
    answer[6] = redis.call('ZRANGE', set, first, place - 1, 'WITHSCORES')
  end
  if asked[5] > 0 then
    answer[7] = redis.call('ZRANGE', set, place, place + asked[5] - 1, 'WITHSCORES')
  end
end
if asked[6] ~= '' then answer[8] = redis.call('ZRANGE', set, asked[6], asked[7], 'WITHSCORES') end
return answer
`);

/**
 * Different scores in ascending order, each found by a jump over its ties. KEYS: state, the sorted set.
 * Asked: { behind which, before which, how many at most }.
 */
export const readScoresScript = luaScript(`${stamped}
local asked = cmsgpack.unpack(ARGV[3])
local after, scores = asked[1], {}
while #scores < asked[3] do
  local next = redis.call('ZRANGE', KEYS[2], '(' .. after, '(' .. asked[2], 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')
  if #next == 0 then break end
  after = next[2]
  scores[#scores + 1] = after
end
return { 'read', stamp, unpack(scores) }
`);
