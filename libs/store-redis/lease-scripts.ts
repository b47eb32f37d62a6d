import { luaScript } from './connection.ts';

/** Takes or renews a lease, in the first shard. ARGV: instance, worker, holder, now, until, the least epoch. */
export const acquireScript = luaScript(`
local state, worker, holder = KEYS[1], ARGV[2], ARGV[3]
local found = redis.call('HMGET', state, 'instance', 'epoch:' .. worker, 'holder:' .. worker,
  'until:' .. worker)
if found[1] ~= ARGV[1] then return { 'lost' } end
local time, ends = tonumber(found[4]), tonumber(ARGV[5])
-- A lease that would outlast its own length was given before a clock was set back.
if found[3] and found[3] ~= holder and time > tonumber(ARGV[4]) and time <= ends then
  return { 'busy', found[3], found[4] }
end
local epoch = tonumber(found[2]) + (found[3] == holder and 0 or 1)
epoch = math.max(epoch, tonumber(ARGV[6]))
redis.call('HSET', state, 'epoch:' .. worker, epoch, 'holder:' .. worker, holder,
  'until:' .. worker, ARGV[5])
return { 'acquired', tostring(epoch), found[2] }
`);

/** Raises the epoch in the first shard without a lease: whoever has one loses it. ARGV: instance, worker, the least epoch. */
export const bumpScript = luaScript(`
local state, worker = KEYS[1], ARGV[2]
local found = redis.call('HMGET', state, 'instance', 'epoch:' .. worker)
if found[1] ~= ARGV[1] then return { 'lost' } end
local epoch = math.max(tonumber(found[2]) + 1, tonumber(ARGV[3]))
redis.call('HSET', state, 'epoch:' .. worker, epoch)
return { 'raised', tostring(epoch), found[2] }
`);

/** Makes an epoch known in another shard. ARGV: instance, worker, epoch, whether it is a new one. */
export const raiseScript = luaScript(`
local state, worker, epoch = KEYS[1], ARGV[2], tonumber(ARGV[3])
local found = redis.call('HMGET', state, 'instance', 'epoch:' .. worker)
if found[1] ~= ARGV[1] then return { 'lost' } end
local held = tonumber(found[2])
if held > epoch or (held == epoch and ARGV[4] == '1') then return { 'behind', found[2] } end
redis.call('HSET', state, 'epoch:' .. worker, ARGV[3])
return { 'raised' }
`);

/** Gives a lease up. ARGV: instance, worker, epoch. */
export const releaseScript = luaScript(`
local state, worker = KEYS[1], ARGV[2]
local found = redis.call('HMGET', state, 'instance', 'epoch:' .. worker)
if found[1] ~= ARGV[1] then return { 'lost' } end
if found[2] == ARGV[3] then redis.call('HDEL', state, 'holder:' .. worker) end
return { 'released' }
`);
