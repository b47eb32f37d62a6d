import { holdMsMax } from '@annals/projection';
import { luaScript } from './connection.ts';
import { limits } from './limits.ts';
import { setsNumber } from './piece-writer.ts';

/**
 * What runs inside of Redis: each script is one atomic step in one shard. Every one first compares the
 * instance in the shard's state, so that nothing is ever written beside a generation that is gone.
 *
 * The state of a shard is a hash: `instance`; `building` (1: no orders yet, 2: they are being made, 4: rows and
 * orders are filled together, 0: finished);
 * for each worker `epoch:N`, `at:N` (its checkpoint), `batch:N` (how many batches brought it there, and the
 * hash of the last), `tail:N` (what came with that) and `open:N` (pieces applied of a batch that is not whole yet, and which batch); `rows:T` counts the rows of a table, `changed:T:N` says which batch of a
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

const snapshotFields = Array.from({ length: limits.snapshotsMax }, (_, n) => `'snapshot:${n + 1}'`);

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
 * version of the borders that it was made for.
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
local already = { 'already-applied', hash == ARGV[11] and 'this' or 'another' }
local stale = { 'stale', found[2], at }
if found[2] ~= epoch then return stale end
local batch = from .. '>' .. to .. ' ' .. ARGV[11]
if open then
  local done, which = string.match(open, '^(%d+) (.*)$')
  if which ~= batch then return stale end
  if piece <= tonumber(done) then return { 'applied' } end
  if piece ~= done + 1 then return stale end
elseif at ~= from then
  return at == to and already or stale
elseif from == to and hash == ARGV[11] then
  return already
elseif piece ~= 1 then
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
local mark = ((count or 0) + 1) .. ' ' .. piece .. ' ' .. batch
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
redis.call('HSET', state, 'at:' .. worker, to, 'batch:' .. worker, ((count or 0) + 1) .. ' ' .. ARGV[11],
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

/** Sets or removes fields of a state. ARGV: instance, then field and value; an empty value removes. */
export const setScript = luaScript(`
if redis.call('HGET', KEYS[1], 'instance') ~= ARGV[1] then return { 'lost' } end
for n = 2, #ARGV, 2 do
  if ARGV[n + 1] == '' then redis.call('HDEL', KEYS[1], ARGV[n])
  else redis.call('HSET', KEYS[1], ARGV[n], ARGV[n + 1]) end
end
return { 'set' }
`);

/** Gives a lease up. ARGV: instance, worker, epoch. */
export const releaseScript = luaScript(`
local state, worker = KEYS[1], ARGV[2]
local found = redis.call('HMGET', state, 'instance', 'epoch:' .. worker)
if found[1] ~= ARGV[1] then return { 'lost' } end
if found[2] == ARGV[3] then redis.call('HDEL', state, 'holder:' .. worker) end
return { 'released' }
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

/** Makes commits wait for a moment. ARGV: instance, milliseconds. */
export const pauseScript = luaScript(`${prelude}
if redis.call('HGET', KEYS[1], 'instance') ~= ARGV[1] then return { 'lost' } end
if ARGV[2] == '0' then redis.call('HDEL', KEYS[1], 'paused')
else redis.call('HSET', KEYS[1], 'paused', digits(now() + ARGV[2])) end
return { 'paused' }
`);

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
