import autocannon from 'autocannon'
import type { Job, Outcome, Task } from './job.ts'
import { keepPace, storm } from './requests.ts'

// The process that makes load, so that it shares no thread with what it measures.

process.on('message', (task: Task) => {
  void perform(task).then((outcome) => process.send?.(outcome))
})

async function perform(task: Task): Promise<Outcome> {
  try {
    if (task.kind === 'flat-out') return await flatOut(task.job)
    const before = process.cpuUsage()
    const answers = await (task.kind === 'pace' ? keepPace(task.pace) : storm(task.storm))
    return { answers, cpuSeconds: cpuSince(before) }
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error) }
  }
}

async function flatOut(job: Job): Promise<Outcome> {
  const { url, method, shots, body, connections, seconds, amount, expect } = job
  let connection = 0
  // autocannon itself counts time in whole ticks of a second.
  let [startedAt, endedAt] = [0, 0]
  const bodied = body === undefined ? {} : { body }
  const before = process.cpuUsage()
  const { requests, latency, errors, timeouts, duration, ...counts } = await autocannon({
    url,
    connections,
    timeout: 60,
    ...(amount === undefined ? { duration: seconds } : { amount }),
    setupClient(client) {
      // Each connection has its own part, so that no request is sent twice before all were sent.
      const own = shots.length >= connections ? shots.filter((_, i) => i % connections === connection) : shots
      connection++
      client.on('response', () => {
        endedAt = performance.now()
      })
      startedAt = performance.now()
      client.setRequests(own.map(({ path, headers }) => ({ method, path, headers, ...bodied })))
    },
  })
  const statuses = Object.keys(counts.statusCodeStats ?? {}).join()
  if (errors + timeouts > 0 || statuses !== String(expect)) {
    return { fault: `${errors + timeouts} errors, statuses ${statuses || 'none'} instead of ${expect}` }
  }
  return {
    result: {
      requests: requests.total,
      seconds: amount === undefined ? duration : (endedAt - startedAt) / 1_000,
      p50Ms: latency.p50,
      p99Ms: latency.p99,
      cpuSeconds: cpuSince(before),
    },
  }
}

function cpuSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e6
}
