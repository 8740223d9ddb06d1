/// The one script that decides a request in Redis: session revoked, and every limit that applies.
///
/// The algorithm is ``SlidingWindow``'s. Nothing is spent unless every bucket has room. The clock is
/// Redis's, so that all edges agree.
enum RateScript {
  /// Name of the mark that AuthSvc sets when a session ends.
  static func revocationKey(session: String) -> String { "session:revoked:\(session)" }

  /// The Lua text.
  ///
  /// KEYS: the session's revocation mark, then the buckets.
  /// ARGV: for each bucket its limit and its window in seconds.
  /// Returns: revoked (0 or 1), milliseconds to wait (0: allowed), then for each bucket what remains
  /// and the milliseconds until its oldest requests leave.
  static let source = """
    local SLOTS = \(SlidingWindow.slots)
    local FORMAT = '>d' .. string.rep('I4', SLOTS + 1)
    local SIZE = struct.size(FORMAT)

    if redis.call('EXISTS', KEYS[1]) == 1 then return {1, 0} end

    local time = redis.call('TIME')
    local now = time[1] * 1000000 + time[2]

    -- The counts of a bucket: [1] the newest slot's number, [2] its count, [3] the one before, ...
    local function load(key, width)
      local slot = math.floor(now / width)
      local stored = redis.call('GET', key)
      local fresh = {slot}
      for j = 2, SLOTS + 2 do fresh[j] = 0 end
      if not stored or #stored ~= SIZE then return fresh, 0 end
      local old = {struct.unpack(FORMAT, stored)}
      local age = slot - old[1]
      local used = 0
      if age <= 0 then
        for j = 2, SLOTS + 2 do used = used + old[j] end
        return old, used
      end
      for j = 2, SLOTS + 2 - age do
        fresh[j + age] = old[j]
        used = used + old[j]
      end
      return fresh, used
    end

    -- Microseconds until the slot at place j no longer counts.
    local function left(counts, j, width)
      return (counts[1] - (j - 2) + SLOTS + 1) * width - now
    end

    local buckets, wait = {}, 0
    for i = 2, #KEYS do
      local limit, width = tonumber(ARGV[2 * i - 3]), ARGV[2 * i - 2] * 1000000 / SLOTS
      local counts, used = load(KEYS[i], width)
      local freed = 0
      for j = SLOTS + 2, 2, -1 do
        if used - freed < limit then break end
        freed = freed + counts[j]
        if used - freed < limit then wait = math.max(wait, left(counts, j, width)) end
      end
      buckets[i] = {limit, width, counts, used}
    end

    local reply = {0, math.ceil(wait / 1000)}
    for i = 2, #KEYS do
      local limit, width, counts, used = unpack(buckets[i])
      if wait == 0 then
        counts[2] = counts[2] + 1
        used = used + 1
        local life = math.ceil((SLOTS + 1) * width / 1000)
        redis.call('SET', KEYS[i], struct.pack(FORMAT, unpack(counts, 1, SLOTS + 2)), 'PX', life)
      end
      local reset = 0
      for j = SLOTS + 2, 2, -1 do
        if counts[j] > 0 then
          reset = left(counts, j, width)
          break
        end
      end
      reply[#reply + 1] = math.max(0, limit - used)
      reply[#reply + 1] = math.ceil(reset / 1000)
    end
    return reply
    """

  /// The decision in a reply of the script; nil if it is not of the expected form.
  static func decision(_ reply: [Int], for buckets: [RateBucket]) -> RateDecision? {
    if reply.first == 1 { return RateDecision(isAllowed: false, isRevoked: true, states: []) }
    guard reply.count == 2 + 2 * buckets.count else { return nil }
    let states = buckets.enumerated().map { index, bucket in
      RateState(
        bucket: bucket,
        remaining: reply[2 + 2 * index],
        resetMilliseconds: reply[3 + 2 * index]
      )
    }
    return RateDecision(isAllowed: reply[1] == 0, states: states, retryMilliseconds: reply[1])
  }
}
