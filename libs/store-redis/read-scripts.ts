import { luaScript } from './connection.ts';
import { prelude } from './scripts.ts';

/** What one part of a read asks for. */
export const partKinds = { rows: 1, order: 2, scores: 3 } as const;

/**
 * All that a read asks of one shard at a time, or of one server. KEYS: whatever the parts name. ARGV:
 * instance, workers, { states of the shards, parts }. Answers with a stamp of each shard (for each worker
 * its checkpoint, what is open of a batch, and the last batch), taken in the same step as the answers of the parts:
 *
 * - `{ 1, bucket, fields }`: values;
 * - `{ 2, sorted set, values to count, place, rows before it, rows from it on, first and last of a range,
 *   whether rows before the place are counted one by one (takes a search among its ties) }`:
 *   rows in all, for each value those before it and those up to it, the number of rows before the place,
 *   rows before, rows from it on, rows of the range (each as member and score), the place itself. A place
 *   is empty, or score and member, or the bucket, the field and the order's number of a row;
 * - `{ 3, sorted set, behind which, before which, how many }`: different scores in ascending order, each
 *   found by a jump over its ties.
 */
export const readScript = luaScript(`${prelude}
local asked = cmsgpack.unpack(ARGV[3])
local fields = { 'instance' }
for worker = 0, ARGV[2] - 1 do
  fields[#fields + 1] = 'at:' .. worker
  fields[#fields + 1] = 'open:' .. worker
  fields[#fields + 1] = 'batch:' .. worker
end
local stamps = {}
for n, state in ipairs(asked[1]) do
  stamps[n] = redis.call('HMGET', KEYS[state], unpack(fields))
  if stamps[n][1] ~= ARGV[1] then return { 'lost' } end
end
-- Bytes, as Redis compares them: Lua's own comparison follows the locale.
local function isBefore(a, b)
  for n = 1, math.min(#a, #b) do
    local x, y = string.byte(a, n), string.byte(b, n)
    if x ~= y then return x < y end
  end
  return #a < #b
end
local function countBefore(set, score, member)
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
local found = {}
-- Where a row stands, from its value; looked up once for all shards.
local function placeOf(place)
  if #place < 3 then return place[1], place[2] end
  local name = place[1] .. ' ' .. place[2]
  if not found[name] then
    local value = redis.call('HGET', KEYS[place[1]], place[2])
    local at, score, member = 1, nil, nil
    if value then
      for _ = 1, place[3] do score, member, at = entry(value, at) end
    end
    found[name] = { score, member }
  end
  return found[name][1], found[name][2]
end
local function orderOf(part)
  local set, counts, above, below, range, before = KEYS[part[2]], {}, {}, {}, {}, 0
  local values = part[3]
  local score, member = placeOf(part[4])
  if score then values[#values + 1] = score end
  for _, value in ipairs(values) do
    counts[#counts + 1] = redis.call('ZCOUNT', set, '-inf', '(' .. value)
    counts[#counts + 1] = redis.call('ZCOUNT', set, '-inf', value)
  end
  if score and part[9] == 1 then
    before = countBefore(set, score, member)
    if part[5] > 0 and before > 0 then
      above = redis.call('ZRANGE', set, math.max(0, before - part[5]), before - 1, 'WITHSCORES')
    end
    if part[6] > 0 then
      below = redis.call('ZRANGE', set, before, before + part[6] - 1, 'WITHSCORES')
    end
  end
  if part[7] ~= '' then range = redis.call('ZRANGE', set, part[7], part[8], 'WITHSCORES') end
  return { redis.call('ZCARD', set), counts, before, above, below, range, score or false, member or false }
end
local function scoresOf(part)
  local after, scores = part[3], {}
  while #scores < part[5] do
    local next = redis.call('ZRANGE', KEYS[part[2]], '(' .. after, '(' .. part[4], 'BYSCORE',
      'LIMIT', 0, 1, 'WITHSCORES')
    if #next == 0 then break end
    after = next[2]
    scores[#scores + 1] = after
  end
  return scores
end
local answers = {}
for n, part in ipairs(asked[2]) do
  if part[1] == ${partKinds.rows} then answers[n] = values(KEYS[part[2]], part[3])
  elseif part[1] == ${partKinds.order} then answers[n] = orderOf(part)
  else answers[n] = scoresOf(part) end
end
return { 'read', stamps, answers }
`);
