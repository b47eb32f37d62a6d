import { luaScript } from './connection.ts';
import { limits } from './limits.ts';
import { prelude } from './scripts.ts';

/** A snapshot is a field of a shard's state; commits keep the old values that it shows, while it is open. */
export const snapshotFields = Array.from(
  { length: limits.snapshotsMax },
  (_, n) => `'snapshot:${n + 1}'`,
);

/**
 * Begins a snapshot, or goes on with one. KEYS: state, where snapshots keep old values. ARGV: instance,
 * id, its length in milliseconds, its number (0: the next that is free).
 */
export const markScript = luaScript(`${prelude}
local state = KEYS[1]
local found = redis.call('HMGET', state, 'instance', ${snapshotFields.join(', ')})
if found[1] ~= ARGV[1] then return { 'lost' } end
local time, number = now(), tonumber(ARGV[4])
for n = 1, ${limits.snapshotsMax} do
  local said = found[n + 1]
  local isFree = not said or tonumber(string.match(said, ' (%d+)$')) <= time
  if number == 0 and isFree then number = n end
end
if number == 0 then return { 'full' } end
redis.call('UNLINK', KEYS[number + 1])
redis.call('HSET', state, 'snapshot:' .. number, ARGV[2] .. ' ' .. digits(time + ARGV[3]))
return { 'marked', tostring(number), redis.call('HGETALL', state) }
`);

/** Keeps a snapshot open, or ends it where its length is 0. KEYS and ARGV as above. */
export const touchScript = luaScript(`${prelude}
local state, field = KEYS[1], 'snapshot:' .. ARGV[4]
local found = redis.call('HMGET', state, 'instance', field)
if found[1] ~= ARGV[1] then return { 'lost' } end
if not found[2] or string.match(found[2], '^(%S+)') ~= ARGV[2] then return { 'gone' } end
if ARGV[3] == '0' then
  redis.call('HDEL', state, field)
  redis.call('UNLINK', KEYS[ARGV[4] + 1])
elseif tonumber(string.match(found[2], ' (%d+)$')) <= now() then
  return { 'gone' }
else
  redis.call('HSET', state, field, ARGV[2] .. ' ' .. digits(now() + ARGV[3]))
end
return { 'touched' }
`);

/**
 * Forgets what was kept to go back. KEYS: state, where snapshots keep old values, undo of each worker.
 * ARGV: instance.
 */
export const forgetScript = luaScript(`${prelude}
local state = KEYS[1]
local found = redis.call('HMGET', state, 'instance', ${snapshotFields.join(', ')})
if found[1] ~= ARGV[1] then return { 'lost' } end
for n = 1, ${limits.snapshotsMax} do
  local said = found[n + 1]
  if said and tonumber(string.match(said, ' (%d+)$')) > now() then return { 'blocked' } end
end
for n = 1, ${limits.snapshotsMax} do redis.call('HDEL', state, 'snapshot:' .. n) end
for n = 2, #KEYS do redis.call('UNLINK', KEYS[n]) end
for n = 0, #KEYS - ${limits.snapshotsMax} - 2 do redis.call('HDEL', state, 'undo:' .. n) end
return { 'forgotten' }
`);
