import { luaScript } from './connection.ts';
import { apart, prelude } from './scripts.ts';

/** Scripts of generations whose orders are dealt to shards by score: see decision 041. */

/** The borders of a group. KEYS: state, borders. ARGV: instance, the key of its sets. */
export const bordersScript = luaScript(`
local found = redis.call('HMGET', KEYS[1], 'instance', 'borders')
if found[1] ~= ARGV[1] then return { 'lost' } end
return { 'borders', found[2] or '', redis.call('HGET', KEYS[2], ARGV[2]) }
`);

/**
 * What a batch finds in one shard. KEYS: state, buckets. ARGV: instance, worker, { { bucket, orders, { field,
 * ... } }, ... }. Gives how far the worker is there, and what values begin with: the places of the rows.
 */
export const planScript = luaScript(`${prelude}
local worker = ARGV[2]
local found = redis.call('HMGET', KEYS[1], 'instance', 'at:' .. worker, 'open:' .. worker,
  'batch:' .. worker, 'epoch:' .. worker, 'building', 'borders', 'moving')
if found[1] ~= ARGV[1] then return { 'lost' } end
local places = {}
for _, wanted in ipairs(cmsgpack.unpack(ARGV[3])) do
  for _, value in ipairs(values(KEYS[wanted[1]], wanted[3])) do
    local at, score, member = 1, nil, nil
    if value then
      for _ = 1, wanted[2] do score, member, at = entry(value, at) end
      value = string.sub(value, 1, at - 1)
    end
    places[#places + 1] = value
  end
end
return { 'planned', found, places }
`);

/**
 * Begins a change of borders, in the first shard: if nothing moved since the shards were seen at one checkpoint.
 * ARGV: instance, id, its length in milliseconds, what is changed, workers, then of each the last batch.
 */
export const beginChangeScript = luaScript(`${prelude}
local state = KEYS[1]
local found = redis.call('HMGET', state, 'instance', 'moving', 'change-until', 'change', 'borders')
if found[1] ~= ARGV[1] then return { 'lost' } end
if found[2] and found[2] ~= '${apart}' and tonumber(found[3] or '0') > now() then return { 'busy' } end
for worker = 0, ARGV[5] - 1 do
  local stamp = redis.call('HMGET', state, 'open:' .. worker, 'batch:' .. worker)
  if stamp[1] or (stamp[2] or '') ~= ARGV[6 + worker] then return { 'busy' } end
end
local isTaken = found[2] and found[4]
local change = isTaken and found[4] or ARGV[4]
redis.call('HSET', state, 'moving', ARGV[2], 'change', change,
  'change-until', digits(now() + ARGV[3]))
return { isTaken and 'taken' or 'begun', change }
`);

/** Goes on with a change, in the first shard. ARGV: instance, id, its length, what is changed (empty: as it was). */
export const keepChangeScript = luaScript(`${prelude}
local state = KEYS[1]
local found = redis.call('HMGET', state, 'instance', 'moving')
if found[1] ~= ARGV[1] then return { 'lost' } end
if found[2] ~= ARGV[2] then return { 'gone' } end
redis.call('HSET', state, 'change-until', digits(now() + ARGV[3]))
if ARGV[4] ~= '' then redis.call('HSET', state, 'change', ARGV[4]) end
return { 'kept' }
`);

/** Makes a change known in another shard. ARGV: instance, id, the version it leads to. */
export const joinChangeScript = luaScript(`
local state = KEYS[1]
local found = redis.call('HMGET', state, 'instance', 'borders')
if found[1] ~= ARGV[1] then return { 'lost' } end
if tonumber(found[2] or '0') >= tonumber(ARGV[3]) then return { 'ended' } end
redis.call('HSET', state, 'moving', ARGV[2])
return { 'joined' }
`);

/**
 * One step of a change, in one shard. KEYS: state, sorted sets. ARGV: instance, id, and for each set
 * `{ { score, member, ... }, least, most }`: what comes, then the scores between which all goes (none where empty).
 */
export const changeSetsScript = luaScript(`${prelude}
local found = redis.call('HMGET', KEYS[1], 'instance', 'moving')
if found[1] ~= ARGV[1] then return { 'lost' } end
if found[2] ~= ARGV[2] then return { 'gone' } end
for n, one in ipairs(cmsgpack.unpack(ARGV[3])) do
  many('ZADD', KEYS[n + 1], one[1])
  if one[2] ~= '' then redis.call('ZREMRANGEBYSCORE', KEYS[n + 1], one[2], one[3]) end
end
return { 'changed' }
`);

/** Removes whole keys for a change. KEYS: state, keys. ARGV: instance, id. */
export const clearScript = luaScript(`
local found = redis.call('HMGET', KEYS[1], 'instance', 'moving')
if found[1] ~= ARGV[1] then return { 'lost' } end
if found[2] ~= ARGV[2] then return { 'gone' } end
for n = 2, #KEYS do redis.call('UNLINK', KEYS[n]) end
return { 'cleared' }
`);

/**
 * Ends a change in one shard: its borders are those of a new version. KEYS: state, borders. ARGV: instance, id, the
 * version, `building` (empty: as it is), { key, borders, ... }.
 */
export const endChangeScript = luaScript(`${prelude}
local state = KEYS[1]
local found = redis.call('HMGET', state, 'instance', 'moving', 'borders')
if found[1] ~= ARGV[1] then return { 'lost' } end
if found[2] ~= ARGV[2] then return { found[3] == ARGV[3] and 'ended' or 'gone' } end
many('HSET', KEYS[2], cmsgpack.unpack(ARGV[5]))
redis.call('HSET', state, 'borders', ARGV[3])
if ARGV[4] ~= '' then redis.call('HSET', state, 'building', ARGV[4]) end
redis.call('HDEL', state, 'moving', 'change', 'change-until')
return { 'ended' }
`);

/** The places of one page of the rows of a bucket. KEYS: state, bucket. ARGV: instance, cursor, rows, orders. */
export const placesPageScript = luaScript(`${prelude}
if redis.call('HGET', KEYS[1], 'instance') ~= ARGV[1] then return { 'lost' } end
local page = redis.call('HSCAN', KEYS[2], ARGV[2], 'COUNT', ARGV[3])
local places = {}
for n = 2, #page[2], 2 do
  local at, score, member = 1, nil, nil
  for _ = 1, ARGV[4] do score, member, at = entry(page[2][n], at) end
  places[#places + 1] = page[2][n - 1]
  places[#places + 1] = string.sub(page[2][n], 1, at - 1)
end
return { 'places', page[1], places, redis.call('HLEN', KEYS[2]) }
`);
