//! The changes of a session, one script each: what is looked at and what is written belong together.
//!
//! Spec: RFC 10017 §6.1 (tokens stay at the server's side)

/// KEYS: the session, then the sets. ARGV: life in milliseconds, member, what keys of sessions begin with, then fields and values. A set lives as long as the
/// longest of its members; of those that have ended some are taken out.
pub(super) const BEGIN: &str = "
redis.call('HSET', KEYS[1], unpack(ARGV, 4))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
for i = 2, #KEYS do
  for _, member in ipairs(redis.call('SRANDMEMBER', KEYS[i], 8)) do
    if redis.call('EXISTS', ARGV[3] .. member) == 0 then redis.call('SREM', KEYS[i], member) end
  end
  redis.call('SADD', KEYS[i], ARGV[2])
  if redis.call('PTTL', KEYS[i]) < tonumber(ARGV[1]) then redis.call('PEXPIRE', KEYS[i], ARGV[1]) end
end
return 1
";
/// ARGV: now, and when the oldest use may have been.
pub(super) const LIVING: &str = "
local alive = {}
for i = 1, #KEYS do
  local ends, seen = unpack(redis.call('HMGET', KEYS[i], 'end', 'seen'))
  alive[i] = (ends and tonumber(ends) > tonumber(ARGV[1]) and tonumber(seen) > tonumber(ARGV[2])) and 1 or 0
end
return alive
";
/// ARGV: now, and when the last use may have been written.
pub(super) const TOUCH: &str = "
local used, seen = unpack(redis.call('HMGET', KEYS[1], 'used', 'seen'))
if not used or (used ~= '0' and tonumber(seen) > tonumber(ARGV[2])) then return 0 end
redis.call('HSET', KEYS[1], 'used', '1')
if tonumber(seen) < tonumber(ARGV[1]) then redis.call('HSET', KEYS[1], 'seen', ARGV[1]) end
return 1
";
/// KEYS: what counts once. ARGV: a name of this question, and how long it counts. The same question again gets the same answer.
pub(super) const FIRST: &str = "
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) or redis.call('GET', KEYS[1]) == ARGV[1] then return 1 end
return 0
";
/// ARGV: owner, now, until.
pub(super) const LEASE: &str = "
local owner, ends = unpack(redis.call('HMGET', KEYS[1], 'owner', 'until'))
if not owner or (owner ~= ARGV[1] and tonumber(ends) > tonumber(ARGV[2])) then return 0 end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'until', ARGV[3])
return 1
";
/// ARGV: owner.
pub(super) const RELEASE: &str = "
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'owner', '', 'until', '0')
return 1
";
/// ARGV: the version that was seen, and what comes in its place.
pub(super) const RENEW: &str = "
if redis.call('HGET', KEYS[1], 'version') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'sealed', ARGV[2], 'owner', '', 'until', '0')
redis.call('HINCRBY', KEYS[1], 'version', 1)
return 1
";
/// KEYS: a set. ARGV: what keys of sessions begin with, then fields and the values that they must have.
pub(super) const END_WHERE: &str = "
local ended = 0
for _, member in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local key = ARGV[1] .. member
  local gone, meant = redis.call('EXISTS', key) == 0, true
  for i = 2, #ARGV, 2 do
    if redis.call('HGET', key, ARGV[i]) ~= ARGV[i + 1] then meant = false end
  end
  if meant and not gone then ended = ended + redis.call('DEL', key) end
  if meant or gone then redis.call('SREM', KEYS[1], member) end
end
return ended
";
