import { luaScript } from './connection.ts';

/**
 * What runs inside of Redis: each script is one atomic step in one shard. Every one first compares the
 * instance in the shard's state, so that nothing is ever written beside a generation that is gone.
 *
 * The state of a shard is a hash: `instance`; `building` (1: no orders yet, 2: they are being made, 4: rows and
 * orders are filled together, 0: finished);
 * for each worker `epoch:N`, `at:N` (its checkpoint), `batch:N` (how many batches brought it there, which the
 * next one must know, and the hash of the last), `tail:N` (what came with that) and `open:N` (pieces applied of a batch that is not whole yet, and which batch); `rows:T` counts the rows of a table, `changed:T:N` says which batch of a
 * worker last changed it; `snapshot:N` the open snapshots.
 * The first shard also has leases (`holder:N`, `until:N`), `held`, `held-until` and `paused`.
 * Where places are dealt by score: `borders` (the version of all borders) and `moving` (who changes them now); the
 * first shard also `change` (what is changed) and `change-until`. `building` is 3 where all orders must be made anew.
 */

/** Fewer values than Lua unpacks at a time (its C stack has room for about 8,000). */
export const prelude = `
local chunk = 4000
local function many(command, key, args)
  local sum = 0
  for first = 1, #args, chunk do
    local last = math.min(first + chunk - 1, #args)
    sum = sum + redis.call(command, key, unpack(args, first, last))
  end
  return sum
end
local function values(key, fields)
  if #fields == 0 then return {} end
  if #fields <= chunk then return redis.call('HMGET', key, unpack(fields)) end
  local all = {}
  for first = 1, #fields, chunk do
    local last = math.min(first + chunk - 1, #fields)
    for _, value in ipairs(redis.call('HMGET', key, unpack(fields, first, last))) do
      all[#all + 1] = value
    end
  end
  return all
end
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function digits(number) return string.format('%.0f', number) end
-- The place of a row in an order, from its value: score, member, and where the next one begins.
local function entry(value, at)
  local high, low = string.byte(value, at, at + 1)
  local last = at + 1 + high * 256 + low
  if last == at + 1 then return nil, nil, last + 1 end
  local blank = string.find(value, ' ', at + 2, true)
  return string.sub(value, at + 2, blank - 1), string.sub(value, blank + 1, last), last + 1
end
`;

/** Who changes the borders of a shard that went back over a change of them: nobody yet. */
export const apart = 'apart';

/** Sets or removes fields of a state. ARGV: instance, then field and value; an empty value removes. */
export const setScript = luaScript(`
if redis.call('HGET', KEYS[1], 'instance') ~= ARGV[1] then return { 'lost' } end
for n = 2, #ARGV, 2 do
  if ARGV[n + 1] == '' then redis.call('HDEL', KEYS[1], ARGV[n])
  else redis.call('HSET', KEYS[1], ARGV[n], ARGV[n + 1]) end
end
return { 'set' }
`);

/** Rows by bucket and field. KEYS: state, buckets. ARGV: instance, { { bucket, { field, ... } }, ... }. */
export const loadScript = luaScript(`${prelude}
if redis.call('HGET', KEYS[1], 'instance') ~= ARGV[1] then return { 'lost' } end
local rows = { 'rows' }
for _, wanted in ipairs(cmsgpack.unpack(ARGV[2])) do
  for _, value in ipairs(values(KEYS[wanted[1]], wanted[2])) do rows[#rows + 1] = value end
end
return rows
`);

/** Makes commits wait for a moment. ARGV: instance, milliseconds. */
export const pauseScript = luaScript(`${prelude}
if redis.call('HGET', KEYS[1], 'instance') ~= ARGV[1] then return { 'lost' } end
if ARGV[2] == '0' then redis.call('HDEL', KEYS[1], 'paused')
else redis.call('HSET', KEYS[1], 'paused', digits(now() + ARGV[2])) end
return { 'paused' }
`);
