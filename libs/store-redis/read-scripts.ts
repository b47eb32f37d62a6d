import { luaScript } from './connection.ts';
import { prelude } from './scripts.ts';

/** What one part of a read asks for. */
export const partKinds = { rows: 1, order: 2, scores: 3, sums: 4 } as const;

/** Ties that are looked at in one page once the search has come close. */
const tiesPageMax = 16;

/**
 * All that reads ask of one shard at a time, or of one server. KEYS: whatever the parts name. ARGV:
 * instance, workers, { states of the shards, parts, tables }. Answers with a stamp of each shard (lines: the instance; for each
 * worker its checkpoint, what is open of a batch, and the last batch; then for each of these tables and
 * each worker which batch changed it; then the version of the borders, and who changes them), taken in the same step as the answers of the parts:
 *
 * - `{ 1, bucket, fields }`: values;
 * - `{ 2, sorted set, values to count, place, rows before it, rows from it on, first and last of a range,
 *   whether rows before the place are counted one by one (takes a search among its ties), the scores that the
 *   shard has: above the one, up to the other (empty for all) }`:
 *   rows in all, for each value those before it and those up to it, the number of rows before the place,
 *   rows before, rows from it on, rows of the range (each as member and score), the place itself, the row. A place
 *   is empty, or score and member, or the bucket, the field and the order's number of a row, and whether its value is wanted;
 * - `{ 3, sorted set, behind which, before which, how many }`: different scores in ascending order, each
 *   found by a jump over its ties;
 * - `{ 4, sorted sets, values to count, place }`: the same as the second, with the sums of these sets.
 */
export const readScript = luaScript(`${prelude}
local asked = cmsgpack.unpack(ARGV[3])
local fields = { 'instance' }
for worker = 0, ARGV[2] - 1 do
  fields[#fields + 1] = 'at:' .. worker
  fields[#fields + 1] = 'open:' .. worker
  fields[#fields + 1] = 'batch:' .. worker
end
for _, name in ipairs(asked[3]) do
  for worker = 0, ARGV[2] - 1 do fields[#fields + 1] = 'changed:' .. name .. ':' .. worker end
end
fields[#fields + 1] = 'borders'
fields[#fields + 1] = 'moving'
local stamps = {}
for n, state in ipairs(asked[1]) do
  local said = redis.call('HMGET', KEYS[state], unpack(fields))
  if said[1] ~= ARGV[1] then return { 'lost' } end
  for at = 2, #fields do said[at] = said[at] or '' end
  stamps[n] = table.concat(said, '\\n')
end
-- Bytes, as Redis compares them: Lua's own comparison follows the locale. The first few are known to be the same.
local function isBefore(a, b, same)
  for n = same + 1, math.min(#a, #b) do
    local x, y = string.byte(a, n), string.byte(b, n)
    if x ~= y then return x < y end
  end
  return #a < #b
end
-- Up to six bytes behind the first few of a member, as a number that grows as members do.
local function measure(member, skip)
  local a, b, c, d, e, f = string.byte(member, skip + 1, skip + 6)
  return ((((((a or 0) * 256 + (b or 0)) * 256 + (c or 0)) * 256 + (d or 0)) * 256 + (e or 0)) * 256) + (f or 0)
end
local function sharedStart(a, b, n)
  while n < #a and n < #b and string.byte(a, n + 1) == string.byte(b, n + 1) do n = n + 1 end
  return n
end
local function memberAt(set, at) return redis.call('ZRANGE', set, at, at)[1] end
-- Members before one that is not there itself, among the ties from low to high. They are sorted by when
-- they were reached, which is spread more or less evenly: its place is guessed from both ends of the
-- window, and members on either side of the guess become the new ends. Every third step halves what is left.
-- Rows are dealt by hash: where its share of the ties is known from one shard, the others have about as much before it.
local function searchTies(set, low, high, member, hint)
  local first, last = memberAt(set, low), memberAt(set, high - 1)
  if not isBefore(first, member, 0) then return low end
  if isBefore(last, member, 0) then return high end
  low, high = low + 1, high - 1
  local step = 0
  -- All that is between two members begins as both of them do, and so does the one that is looked for.
  local skip = sharedStart(first, last, 0)
  while high - low > ${tiesPageMax} do
    step = step + 1
    local share, reach = 0.5, 0
    if step % 3 ~= 0 then
      skip = sharedStart(first, last, skip)
      local from, to = measure(first, skip), measure(last, skip)
      if to > from then share = (measure(member, skip) - from) / (to - from) end
      reach = math.ceil(0.7 * math.sqrt(high - low))
    end
    if step == 1 and hint then share, reach = hint, math.ceil(math.sqrt(high - low)) end
    local at = low + math.floor((high - low - 1) * share)
    for _, probe in ipairs({ at - reach, at + reach }) do
      if probe < low then probe = low end
      if probe >= high then probe = high - 1 end
      if probe >= low then
        local found = memberAt(set, probe)
        if isBefore(found, member, skip) then low, first = probe + 1, found
        else high, last = probe, found end
      end
    end
  end
  if low == high then return low end
  local rest, from = redis.call('ZRANGE', set, low, high - 1), 0
  local to = #rest
  while from < to do
    local middle = math.floor((from + to) / 2)
    if isBefore(rest[middle + 1], member, skip) then from = middle + 1 else to = middle end
  end
  return low + from
end
local shares = {}
-- Rows before a place, of which the counts of its score are known.
local function countBefore(set, score, member, before, through)
  if before == through then return before end
  local held, place = redis.call('ZSCORE', set, member), nil
  if held and tonumber(held) == tonumber(score) then place = redis.call('ZRANK', set, member)
  else place = searchTies(set, before, through, member, shares[member]) end
  shares[member] = (place - before) / (through - before)
  return place
end
local found = {}
-- Where a row stands, from its value; looked up once for all shards.
local function placeOf(place)
  if #place < 3 then return place[1], place[2], false end
  local name = place[1] .. ' ' .. place[2]
  if not found[name] then
    local value = redis.call('HGET', KEYS[place[1]], place[2])
    local at, score, member = 1, nil, nil
    if value then
      for _ = 1, place[3] do score, member, at = entry(value, at) end
    end
    found[name] = { score, member, value }
  end
  return found[name][1], found[name][2], place[4] == 1 and found[name][3]
end
local function bound(text)
  if text == '+inf' or text == '' then return math.huge end
  return text == '-inf' and -math.huge or tonumber(text)
end
local function orderOf(part)
  local set, counts, above, below, range, before = KEYS[part[2]], {}, {}, {}, {}, 0
  local total = redis.call('ZCARD', set)
  local low, high = part[10] == '' and -math.huge or bound(part[10]), bound(part[11])
  local values = part[3]
  local score, member, row = placeOf(part[4])
  if score then values[#values + 1] = score end
  for _, value in ipairs(values) do
    local number = tonumber(value)
    -- Of what lies beyond a border all are before it, or none.
    local all = number > high and total or number <= low and 0
    counts[#counts + 1] = all or redis.call('ZCOUNT', set, '-inf', '(' .. value)
    counts[#counts + 1] = all or redis.call('ZCOUNT', set, '-inf', value)
  end
  local at = tonumber(score or '')
  if score and part[9] == 1 and (at > high or at <= low) then
    before = counts[#counts]
  elseif score and part[9] == 1 then
    before = countBefore(set, score, member, counts[#counts - 1], counts[#counts])
    if part[5] > 0 and before > 0 then
      above = redis.call('ZRANGE', set, math.max(0, before - part[5]), before - 1, 'WITHSCORES')
    end
    if part[6] > 0 then
      below = redis.call('ZRANGE', set, before, before + part[6] - 1, 'WITHSCORES')
    end
  end
  if part[7] ~= '' then range = redis.call('ZRANGE', set, part[7], part[8], 'WITHSCORES') end
  return { total, counts, before, above, below, range, score or false, member or false, row or false }
end
local function sumsOf(part)
  local total, counts, values = 0, {}, part[3]
  local score, member, row = placeOf(part[4])
  if score then values[#values + 1] = score end
  for n = 1, 2 * #values do counts[n] = 0 end
  for _, key in ipairs(part[2]) do
    local set = KEYS[key]
    total = total + redis.call('ZCARD', set)
    for n, value in ipairs(values) do
      counts[2 * n - 1] = counts[2 * n - 1] + redis.call('ZCOUNT', set, '-inf', '(' .. value)
      counts[2 * n] = counts[2 * n] + redis.call('ZCOUNT', set, '-inf', value)
    end
  end
  return { total, counts, 0, {}, {}, {}, score or false, member or false, row or false }
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
  elseif part[1] == ${partKinds.scores} then answers[n] = scoresOf(part)
  else answers[n] = sumsOf(part) end
end
return { 'read', stamps, answers }
`);
