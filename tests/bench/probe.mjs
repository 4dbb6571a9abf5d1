// Loaded into the service with `node --import`, which it changes nothing of: tells the delay of its event loop when asked.
import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { isMainThread } from 'node:worker_threads'

const folder = process.env['BENCH_PROBE']

if (folder && isMainThread) {
  const resolution = 1
  const delay = monitorEventLoopDelay({ resolution })
  delay.enable()
  process.on('SIGUSR2', () => {
    // The interval of its own timer is in each sample.
    const ms = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - resolution)
    const text = JSON.stringify({
      p50Ms: ms(delay.percentile(50)),
      p99Ms: ms(delay.percentile(99)),
      maxMs: ms(delay.max),
    })
    delay.reset()
    const file = join(folder, `${process.pid}.json`)
    writeFileSync(`${file}.part`, text)
    renameSync(`${file}.part`, file)
  })
}
