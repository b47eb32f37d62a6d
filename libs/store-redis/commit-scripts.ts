import { holdMsMax } from '@annals/projection';
import { luaScript } from './connection.ts';
import { limits } from './limits.ts';
import { setsNumber } from './piece-writer.ts';
import { apart, prelude } from './scripts.ts';
import { snapshotFields } from './snapshot-scripts.ts';

/** A batch comes into a shard in pieces, and is taken back in pieces where another shard lost what this one has. */

const writing = `
local function listOf(lists, key)
  local list = lists[key]
  if not list then list = {} lists[key] = list end
  return list
end
-- Notes how a row moves in its orders.
local function move(orders, old, new, gone, come)
  local o, n = 1, 1
  for _, order in ipairs(orders) do
    local oldScore, oldMember, newScore, newMember
    if old then oldScore, oldMember, o = entry(old, o) end
    if new then newScore, newMember, n = entry(new, n) end
    -- Places that are dealt by score are not those of this script.
    if order == 0 then oldMember, newMember = nil, nil end
    if oldMember and oldMember ~= newMember then
      local list = listOf(gone, order)
      list[#list + 1] = oldMember
    end
    if newMember and (oldMember ~= newMember or oldScore ~= newScore) then
      local list = listOf(come, order)
      list[#list + 1] = newScore
      list[#list + 1] = newMember
    end
  end
end
-- Writes places of one sorted set by themselves: those that go, then those that come. Gives what takes it back.
local function place(bucket, keyOf, keepsOld)
  local set, come, gone = keyOf[bucket[2]], bucket[4], bucket[5]
  local back, away = {}, {}
  local function keep(member, score)
    if score then
      back[#back + 1] = score
      back[#back + 1] = member
    else
      away[#away + 1] = member
    end
  end
  if keepsOld then
    for n = 2, #come, 2 do keep(come[n], redis.call('ZSCORE', set, come[n])) end
    for _, member in ipairs(gone) do
      local score = redis.call('ZSCORE', set, member)
      if score then keep(member, score) end
    end
  end
  many('ZREM', set, gone)
  many('ZADD', set, come)
  return { bucket[1], bucket[2], {}, back, away }
end
-- Writes rows of some buckets, with all that follows from them. Each bucket is
-- { table, key, order keys, { field, value, ... }, { deleted field, ... }, { field, value, ... of rows whose places
-- are told apart } }; keys are numbers in keyOf.
-- The mark tells the rows of these tables from those of any other batch.
-- Gives what was there before in the form of such buckets, where it was asked for.
local function write(state, buckets, keyOf, building, snapshots, keepsOld, worker, mark, placesToo)
  local gone, come, before, rows = {}, {}, {}, {}
  for _, bucket in ipairs(buckets) do
    local name, orders, puts, deleted, placed = bucket[1], bucket[3], bucket[4], bucket[5], bucket[6] or {}
    local key = keyOf[bucket[2]]
    if name == ${setsNumber} then
      if placesToo then
        -- Places that come with their rows go back with them.
        local keepsPlaces = keepsOld and not bucket[6]
        local undone = place(bucket, keyOf, keepsPlaces)
        if keepsPlaces then before[#before + 1] = undone end
      end
      puts, deleted, placed, name = {}, {}, {}, nil
    end
    local ranks = #orders > 0 and building ~= '1'
    local looks = keepsOld or #snapshots > 0
    if name and (ranks and #puts + #deleted > 0 or looks) then
      local fields = {}
      for n = 1, #puts, 2 do fields[#fields + 1] = puts[n] end
      for _, field in ipairs(deleted) do fields[#fields + 1] = field end
      local moved = ranks and #fields or 0
      if looks then
        for n = 1, #placed, 2 do fields[#fields + 1] = placed[n] end
      end
      local olds = values(key, fields)
      for n = 1, moved do move(orders, olds[n], puts[2 * n], gone, come) end
      if keepsOld then
        local puts, deleted = {}, {}
        for n, field in ipairs(fields) do
          if olds[n] then
            puts[#puts + 1] = field
            puts[#puts + 1] = olds[n]
          else
            deleted[#deleted + 1] = field
          end
        end
        before[#before + 1] = { name, bucket[2], orders, puts, deleted }
      end
      for _, snapshot in ipairs(snapshots) do
        for n, field in ipairs(fields) do
          redis.call('HSETNX', snapshot, #key .. ':' .. key .. field, olds[n] and '1' .. olds[n] or '0')
        end
      end
    end
    if name then
      local more = many('HSET', key, puts) + many('HSET', key, placed)
      if #deleted > 0 then more = more - many('HDEL', key, deleted) end
      rows[name] = (rows[name] or 0) + more
    end
  end
  for order, members in pairs(gone) do many('ZREM', keyOf[order], members) end
  for order, members in pairs(come) do many('ZADD', keyOf[order], members) end
  for name, more in pairs(rows) do
    redis.call('HSET', state, 'changed:' .. name .. ':' .. worker, mark)
    if more ~= 0 then redis.call('HINCRBY', state, 'rows:' .. name, more) end
  end
  return before
end
-- The snapshots that somebody still reads; KEYS from first on are where they keep old values.
local function openSnapshots(found, offset, first)
  local open, time = {}, nil
  for n = 1, ${limits.snapshotsMax} do
    local said = found[offset + n]
    if said then
      time = time or now()
      if tonumber(string.match(said, ' (%d+)$')) > time then open[#open + 1] = KEYS[first + n - 1] end
    end
  end
  return open
end
`;

/** Whether every partition of one checkpoint is covered by another; bytes compare as positions do. */
const covering = `
local function after(a, b)
  for n = 1, math.max(#a, #b) do
    local x, y = string.byte(a, n) or -1, string.byte(b, n) or -1
    if x ~= y then return x > y end
  end
  return false
end
-- As isHolding of the port's package.
local function isHolding(ends, time) return ends > time and ends <= time + ${holdMsMax} end
local function covers(most, wanted)
  local held = {}
  for partition, position in string.gmatch(most, '(%d+):([^,]+)') do held[partition] = position end
  for partition, position in string.gmatch(wanted, '(%d+):([^,]+)') do
    if not held[partition] or after(position, held[partition]) then return false end
  end
  return true
end
`;

/**
 * One piece of a batch. KEYS: state, undo, where snapshots keep old values, then those of the buckets and
 * orders. ARGV: instance, worker, epoch, from, to, piece, pieces, the caller's time, whether what was
 * there before is kept when the batch is whole, the buckets, a hash of the whole batch, its tail, the
 * version of the borders that it was made for, how many batches it follows.
 */
export const commitScript = luaScript(`${prelude}${writing}${covering}
local state, undo = KEYS[1], KEYS[2]
local worker, epoch, from, to = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local piece, pieces = tonumber(ARGV[6]), tonumber(ARGV[7])
local found = redis.call('HMGET', state, 'instance', 'epoch:' .. worker, 'at:' .. worker,
  'open:' .. worker, 'building', 'held', 'held-until', 'paused', 'batch:' .. worker,
  'tail:' .. worker, 'borders', 'moving', ${snapshotFields.join(', ')})
if found[1] ~= ARGV[1] then return { 'lost' } end
local at, open = found[3], found[4]
local borders = found[11] or ''
local count, hash = string.match(found[9] or '', '^(%d+) (.*)$')
count = tonumber(count or 0)
local follows = tonumber(ARGV[14])
local already = { 'already-applied', hash == ARGV[11] and 'this' or 'another' }
local stale = { 'stale', found[2], at }
if found[2] ~= epoch then return stale end
local batch = from .. '>' .. to .. ' ' .. ARGV[11]
if open then
  local done, which = string.match(open, '^(%d+) (.*)$')
  if which ~= batch or count ~= follows then return stale end
  if piece <= tonumber(done) then return { 'applied' } end
  if piece ~= done + 1 then return stale end
elseif at ~= from then
  return at == to and already or stale
elseif from == to and count == follows + 1 and hash == ARGV[11] then
  return already
elseif count ~= follows or piece ~= 1 then
  return stale
else
  if found[6] and isHolding(tonumber(found[7]), tonumber(ARGV[8])) and not covers(found[6], to) then
    return { 'held', found[6] }
  end
  if found[8] and tonumber(found[8]) > now() then return { 'held', at } end
end
if borders ~= ARGV[13] or found[12] then return { 'borders' } end
local keeps = ARGV[9] == '1'
local snapshots = openSnapshots(found, 12, 3)
local mark = digits(count + 1) .. ' ' .. piece .. ' ' .. batch
local before = write(state, cmsgpack.unpack(ARGV[10]), KEYS, found[5], snapshots, keeps or pieces > 1,
  worker, mark, true)
if keeps or pieces > 1 then
  local record = cmsgpack.pack({ from, to, piece, KEYS, before, ARGV[11], found[9] or '',
    found[10] or '', borders })
  redis.call('RPUSH', undo, record)
  redis.call('HINCRBY', state, 'undo:' .. worker, #record)
end
if piece < pieces then
  redis.call('HSET', state, 'open:' .. worker, piece .. ' ' .. batch)
  return { 'applied' }
end
redis.call('HSET', state, 'at:' .. worker, to, 'batch:' .. worker, digits(count + 1) .. ' ' .. ARGV[11],
  'tail:' .. worker, ARGV[12])
if open then redis.call('HDEL', state, 'open:' .. worker) end
if not keeps then
  if pieces > 1 then
    redis.call('DEL', undo)
    redis.call('HDEL', state, 'undo:' .. worker)
  end
  return { 'applied' }
end
local bytes = tonumber(redis.call('HGET', state, 'undo:' .. worker))
local records = redis.call('LLEN', undo)
while records > 1 and (bytes > ${limits.undoBytesMax} or records > ${limits.undoRecordsMax}) do
  local dropped = #redis.call('LPOP', undo)
  bytes = bytes - dropped
  records = records - 1
  redis.call('HINCRBY', state, 'undo:' .. worker, -dropped)
end
return { 'applied' }
`);

/** What the newest undo record is about. KEYS: state, undo. ARGV: instance. */
export const peekScript = luaScript(`
if redis.call('HGET', KEYS[1], 'instance') ~= ARGV[1] then return { 'lost' } end
local record = redis.call('LINDEX', KEYS[2], -1)
if not record then return { 'none' } end
local from, to, piece, keys = unpack(cmsgpack.unpack(record))
return { 'record', from, to, tostring(piece), unpack(keys, 3) }
`);

/**
 * Takes the newest piece back. KEYS: state, undo, then those the record names. ARGV: instance, worker,
 * epoch, and from, to and piece of the record.
 */
export const rollbackScript = luaScript(`${prelude}${writing}
local state, undo = KEYS[1], KEYS[2]
local worker, from, to, piece = ARGV[2], ARGV[4], ARGV[5], tonumber(ARGV[6])
local found = redis.call('HMGET', state, 'instance', 'epoch:' .. worker, 'at:' .. worker,
  'open:' .. worker, 'building', 'borders', 'moving', ${snapshotFields.join(', ')})
if found[1] ~= ARGV[1] then return { 'lost' } end
local record = redis.call('LINDEX', undo, -1)
if found[2] ~= ARGV[3] or not record then return { 'changed' } end
local held = cmsgpack.unpack(record)
if held[1] ~= from or held[2] ~= to or held[3] ~= piece then return { 'changed' } end
local batch = from .. '>' .. to .. ' ' .. held[6]
local open = found[4]
if open and open ~= piece .. ' ' .. batch then return { 'broken' } end
if not open and found[3] ~= to then return { 'broken' } end
-- Places that went over borders since cannot be taken back one by one: all are made anew from the rows.
local isCut = held[9] ~= nil and held[9] ~= (found[6] or '') or found[7] ~= false
if isCut and found[5] ~= '1' then redis.call('HSET', state, 'building', '3', 'moving', '${apart}') end
-- Another mark than that of the batch: what is there now is what was there before it.
write(state, held[5], KEYS, found[5], openSnapshots(found, 7, 3), false, worker,
  'back ' .. piece .. ' ' .. held[7] .. ' ' .. batch, not isCut)
redis.call('RPOP', undo)
redis.call('HINCRBY', state, 'undo:' .. worker, -#record)
redis.call('HSET', state, 'at:' .. worker, from, 'batch:' .. worker, held[7],
  'tail:' .. worker, held[8])
if piece > 1 then
  redis.call('HSET', state, 'open:' .. worker, (piece - 1) .. ' ' .. batch)
else
  redis.call('HDEL', state, 'open:' .. worker)
end
return { 'back' }
`);
