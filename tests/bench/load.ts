import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import autocannon from 'autocannon'

/** What is asked for, over and over. */
export interface Job {
  url: string
  headers: Record<string, string>
  connections: number
  seconds: number
}

/** What one round of load came to. Nothing but status 200 was answered. */
export interface Round {
  perSecond: number
  p99Ms: number
  /** Processor time of the server for one request; null where the system does not tell. */
  cpuMicros: number | null
}

export interface Load {
  /** Asks for as long as the job says, and throws when anything but 200 came back. */
  run: (job: Job, serverPid: number) => Promise<Round>
  stop: () => void
}

type Answer = { perSecond: number; p99Ms: number; count: number } | { fault: string }

/** Starts the process that makes the load, so that it does not share a thread with anything it measures. */
export function startLoad(): Load {
  const child = fork(fileURLToPath(import.meta.url), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  return {
    async run(job, serverPid) {
      const before = cpuSeconds(serverPid)
      child.send(job)
      const [answer] = (await once(child, 'message')) as [Answer]
      if ('fault' in answer) throw new Error(`${job.url}: ${answer.fault}`)
      const after = cpuSeconds(serverPid)
      const cpuMicros = before === null || after === null ? null : ((after - before) * 1e6) / answer.count
      return { perSecond: answer.perSecond, p99Ms: answer.p99Ms, cpuMicros }
    },
    stop: () => void child.kill(),
  }
}

/** The processor time that a process has used, as Linux tells it in hundredths of a second. */
function cpuSeconds(pid: number): number | null {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return (Number(fields[11]) + Number(fields[12])) / 100
  } catch {
    return null
  }
}

async function perform({ url, headers, connections, seconds }: Job): Promise<Answer> {
  const { requests, latency, errors, timeouts, duration, ...counts } = await autocannon({
    url,
    headers,
    connections,
    duration: seconds,
  })
  const statuses = Object.keys(counts.statusCodeStats ?? {})
  const faults = errors + timeouts
  if (faults > 0 || statuses.join() !== '200')
    return { fault: `${faults} errors, statuses ${statuses.join() || 'none'}` }
  return { perSecond: requests.total / duration, p99Ms: latency.p99, count: requests.total }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.on('message', (job: Job) => void perform(job).then((answer) => process.send?.(answer)))
}
