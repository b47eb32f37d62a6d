import { luaScript } from './connection.ts';
import { prelude } from './scripts.ts';

/**
 * Ranks one page of the rows of a bucket. KEYS: state, bucket, its orders. ARGV: instance, cursor, rows, for
 * each order 1 where its places are not dealt by score.
 */
export const rankPageScript = luaScript(`${prelude}
if redis.call('HGET', KEYS[1], 'instance') ~= ARGV[1] then return { 'lost' } end
local page = redis.call('HSCAN', KEYS[2], ARGV[2], 'COUNT', ARGV[3])
local come = {}
for n = 2, #page[2], 2 do
  local at, score, member = 1, nil, nil
  for order = 3, #KEYS do
    score, member, at = entry(page[2][n], at)
    if member and string.sub(ARGV[4], order - 2, order - 2) == '1' then
      come[order] = come[order] or {}
      local list = come[order]
      list[#list + 1] = score
      list[#list + 1] = member
    end
  end
end
for order, members in pairs(come) do many('ZADD', KEYS[order], members) end
return { 'ranked', page[1] }
`);

/** Compares one page of rows with their orders, those as above; gives the fields of those that are not in their place. */
export const checkRowsScript = luaScript(`${prelude}
if redis.call('HGET', KEYS[1], 'instance') ~= ARGV[1] then return { 'lost' } end
local page = redis.call('HSCAN', KEYS[2], ARGV[2], 'COUNT', ARGV[3])
local bad = { 'checked', page[1] }
for n = 2, #page[2], 2 do
  local at, score, member = 1, nil, nil
  for order = 3, #KEYS do
    score, member, at = entry(page[2][n], at)
    if member and string.sub(ARGV[4], order - 2, order - 2) == '1' then
      local held = redis.call('ZSCORE', KEYS[order], member)
      if not held or tonumber(held) ~= tonumber(score) then bad[#bad + 1] = page[2][n - 1] end
    end
  end
end
return bad
`);

/**
 * Compares members of an order with the rows they speak of; gives those that no row stands behind. KEYS:
 * state, order, buckets. ARGV: instance, the order's number in a value, { { bucket, field, member }, ... }.
 */
export const checkMembersScript = luaScript(`${prelude}
if redis.call('HGET', KEYS[1], 'instance') ~= ARGV[1] then return { 'lost' } end
local bad = { 'checked' }
for _, one in ipairs(cmsgpack.unpack(ARGV[3])) do
  local value = redis.call('HGET', KEYS[one[1]], one[2])
  local at, score, member = 1, nil, nil
  if value then
    for _ = 1, tonumber(ARGV[2]) do score, member, at = entry(value, at) end
  end
  if member ~= one[3] and redis.call('ZSCORE', KEYS[2], one[3]) then bad[#bad + 1] = one[2] end
end
return bad
`);
