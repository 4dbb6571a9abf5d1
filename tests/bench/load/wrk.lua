-- Sends the requests of a file in turn, each ended by a zero byte, and tells what came of them.
local requests, at = {}, 0

function init(args)
  local file = assert(io.open(args[1], "rb"))
  for text in file:read("*a"):gmatch("[^%z]+") do
    requests[#requests + 1] = text
  end
  file:close()
  if #requests == 1 then
    local only = requests[1]
    request = function() return only end
  else
    request = function()
      at = at % #requests + 1
      return requests[at]
    end
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"seconds":%f,"p50Ms":%f,"p99Ms":%f,"cpuSeconds":%f,"failed":%d,"refused":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, os.clock(),
    errors.connect + errors.read + errors.write + errors.timeout, errors.status))
end
