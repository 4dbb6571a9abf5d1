import cluster, { type Worker } from 'node:cluster'
import { EventEmitter, once } from 'node:events'
import type { Log } from './log.ts'

/** A worker could not start, or did not end as it should; the message is what it had to tell. */
export class WorkerError extends Error {
  override name = 'WorkerError'
}

/** The workers of one port. */
export interface Workers {
  /**
   * Ends them as a single process would end.
   * @throws WorkerError when one of them did not end well
   */
  stop: (signal?: NodeJS.Signals) => Promise<void>
}

/**
 * What the primary tells a worker: that it may listen while it starts, as none is ready yet; that the database is prepared;
 * that all may take requests; that it is to end; that none listens any more.
 */
export type Order = 'listen' | 'begin' | 'serve' | 'close' | { stop: NodeJS.Signals | undefined }

/** How far a worker has come: listens to orders, is built, takes requests, no longer listens on the port, cannot go on. */
export type Report = 'waiting' | 'built' | 'ready' | 'closed' | { failed: string }

// Each lets go of the port two seconds after it is told to end, and ends within nine.
const closeWithinMs = 3_000
const endWithinMs = 9_500
const quickDeathMs = 10_000
const firstDelayMs = 250
const maxDelayMs = 30_000

/** How long to wait, in milliseconds, before a worker is replaced, after so many that ended soon after their start. */
export function restartDelayMs(quickDeaths: number): number {
  return quickDeaths === 0 ? 0 : Math.min(maxDelayMs, firstDelayMs * 2 ** (quickDeaths - 1))
}

/**
 * Runs workers of this program that share its port, and replaces each that ends. Until the database is prepared they answer
 * as a process that is starting. Should this process end, they do.
 * @param prepare prepares the database; what it returns is called when all workers are ready
 * @returns once they are
 * @throws WorkerError when one of them cannot start, and what `prepare` throws
 */
export async function runWorkers(count: number, log: Log, prepare: () => Promise<() => void>): Promise<Workers> {
  const crew = new Crew(count, log)
  const ready = once(crew, 'ready')
  let tellReady = () => {}
  prepare().then(
    (tell) => {
      tellReady = tell
      crew.begin()
    },
    (error: unknown) => crew.fail(error),
  )
  await ready
  tellReady()
  let stopped: Promise<void> | undefined
  return { stop: (signal) => (stopped ??= crew.stop(signal)) }
}

interface Member {
  startedAt: number
  /** What it has told last; undefined before it listens to orders. */
  last?: Report
}

/** Emits `ready` when all workers are for the first time, or before that `error`, and `gone` when all have ended. */
class Crew extends EventEmitter {
  readonly #count: number
  readonly #log: Log
  readonly #members = new Map<Worker, Member>()
  /** What a worker is told when it begins to listen. */
  #orders: Order[] = ['listen']
  #isStopping = false
  /** Whether all were ready once, or will not be. */
  #isSettled = false
  #quickDeaths = 0
  #badEnd: string | undefined

  constructor(count: number, log: Log) {
    super()
    this.#count = count
    this.#log = log
    cluster.on('message', (worker, report: Report) => this.#hear(worker, report))
    cluster.on('exit', (worker, code, signal) => this.#noteEnd(worker, signal ?? code))
    for (let i = 0; i < count; i++) this.#start()
  }

  begin(): void {
    this.#orders.push('begin')
    this.#tellAll('begin')
  }

  fail(error: unknown): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.emit('error', error)
  }

  async stop(signal?: NodeJS.Signals): Promise<void> {
    this.#log.info('stopping')
    this.#isStopping = true
    this.#orders = [{ stop: signal }]
    this.#tellAll({ stop: signal })
    // One that hangs must not keep the others, nor whoever waits for this process.
    const timers = [
      setTimeout(() => this.#tellAll('close'), closeWithinMs),
      setTimeout(() => this.#killAll(), endWithinMs),
    ]
    if (this.#members.size > 0) await once(this, 'gone')
    for (const timer of timers) clearTimeout(timer)
    if (this.#badEnd !== undefined) throw new WorkerError(this.#badEnd)
  }

  #start(): void {
    if (this.#isStopping) return
    try {
      const worker = cluster.fork()
      this.#members.set(worker, { startedAt: performance.now() })
      worker.on('error', (err) => this.#noteError(worker, err))
    } catch (err) {
      this.#replaceUnborn(err)
    }
  }

  #noteError(worker: Worker, err: unknown): void {
    // One that lives, and could not be told or killed, is noticed when its end is.
    if (worker.process.pid !== undefined || !this.#members.delete(worker)) return
    if (!this.#isStopping) this.#replaceUnborn(err)
    else this.#noteLeft()
  }

  /** The machine has no room for another process at the moment, or its program is gone. */
  #replaceUnborn(err: unknown): void {
    this.#quickDeaths++
    const delayMs = this.#startLater()
    this.#log.error({ err }, `a worker could not be started: trying again in ${delayMs} ms`)
  }

  /** @returns in how many milliseconds */
  #startLater(): number {
    const delayMs = restartDelayMs(this.#quickDeaths)
    setTimeout(() => this.#start(), delayMs)
    return delayMs
  }

  #tellAll(order: Order): void {
    for (const [worker, { last }] of this.#members) if (last) tell(worker, order)
  }

  #killAll(): void {
    const workers = [...this.#members.keys()]
    this.#log.error({ workers: workers.map(({ process }) => process.pid) }, 'workers hang: killing them')
    for (const worker of workers) worker.process.kill('SIGKILL')
  }

  #hear(worker: Worker, report: Report): void {
    const member = this.#members.get(worker)
    if (!member) return
    member.last = report
    if (typeof report === 'object') this.#noteFailure(worker, report.failed)
    if (report === 'waiting') for (const order of this.#orders) tell(worker, order)
    if (report === 'built' && this.#all('built')) this.#serve()
    if (report === 'ready' && this.#all('ready')) this.#noteReady()
    if (report === 'closed') this.#closeTogether()
  }

  #all(report: Report): boolean {
    const members = [...this.#members.values()]
    return members.length === this.#count && members.every(({ last }) => last === report)
  }

  /** From now on one that comes later listens only when it is built, or it would turn requests away. */
  #serve(): void {
    if (this.#isStopping) return
    this.#orders = ['begin', 'serve']
    this.#tellAll('serve')
  }

  #noteReady(): void {
    if (this.#isSettled) return
    this.#isSettled = true
    this.emit('ready')
  }

  #noteFailure(worker: Worker, reason: string): void {
    if (this.#isSettled) this.#log.error({ worker: worker.process.pid, reason }, 'a worker could not go on')
    this.fail(new WorkerError(reason))
  }

  #closeTogether(): void {
    if ([...this.#members.values()].some(({ last }) => last !== 'closed')) return
    this.#tellAll('close')
  }

  #noteEnd(worker: Worker, end: string | number): void {
    const { startedAt = 0, last } = this.#members.get(worker) ?? {}
    const lifeMs = performance.now() - startedAt
    this.#members.delete(worker)
    if (this.#isStopping) {
      // One that is just being loaded ends by a signal to all of them as any program would.
      const isLoading = last === undefined && (end === 'SIGTERM' || end === 'SIGINT' || end === 'SIGHUP')
      if (end !== 0 && !isLoading) this.#badEnd = `A worker ended with ${end}`
      this.#noteLeft()
      return
    }
    this.#quickDeaths = lifeMs < quickDeathMs ? this.#quickDeaths + 1 : 0
    const delayMs = this.#startLater()
    this.#log.warn({ worker: worker.process.pid, end }, `a worker ended: starting another in ${delayMs} ms`)
  }

  /** While all end, one is gone. */
  #noteLeft(): void {
    this.#closeTogether()
    if (this.#members.size === 0) this.emit('gone')
  }
}

function tell(worker: Worker, order: Order): void {
  // One that has just ended is told nothing, and is noticed when its end is.
  if (worker.isConnected()) worker.send(order, () => {})
}
