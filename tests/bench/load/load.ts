import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Answers, Job, Load, Outcome, Pace, Storm, Task } from './job.ts'
import { hasWrk, runWrk } from './wrk.ts'

/** Makes load, each at a time in a process of its own. */
export interface LoadGenerator {
  /** As many requests as are answered. @throws Error when anything was not answered as expected */
  flatOut: (job: Job) => Promise<Load>
  /** @throws Error when anything but 200 came back */
  pace: (pace: Pace) => Promise<Answers[number]>
  /** @throws Error when anything was answered otherwise than expected */
  storm: (storm: Storm) => Promise<{ answers: Answers; cpuSeconds: number }>
  stop: () => void
}

const program = fileURLToPath(new URL('generator.ts', import.meta.url))

/** What the load is made with, for people. */
export const generatorName = hasWrk ? 'wrk, one thread' : 'autocannon'

async function answerOf(child: ChildProcess): Promise<Outcome> {
  const settled = new AbortController()
  const { signal } = settled
  try {
    const ended = once(child, 'exit', { signal }).then((): [Outcome] => [{ fault: 'the load generator has ended' }])
    const [outcome] = (await Promise.race([once(child, 'message', { signal }), ended])) as [Outcome]
    return outcome
  } finally {
    settled.abort()
  }
}

export function createLoadGenerator(): LoadGenerator {
  const processes = new Set<ChildProcess>()
  const idle: ChildProcess[] = []

  // Processes are kept: a new one would spend its first second compiling.
  async function ask(task: Task): Promise<Outcome> {
    const child = idle.pop() ?? fork(program, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    processes.add(child)
    child.send(task)
    const outcome = await answerOf(child)
    idle.push(child)
    if ('fault' in outcome) throw new Error(outcome.fault)
    return outcome
  }

  async function answersOf(task: Task): Promise<{ answers: Answers; cpuSeconds: number }> {
    const outcome = await ask(task)
    if (!('answers' in outcome)) throw new Error('not what was asked for')
    return outcome
  }

  return {
    async flatOut(job) {
      try {
        if (hasWrk && job.amount === undefined) return await runWrk(job)
        const outcome = await ask({ kind: 'flat-out', job })
        if (!('result' in outcome)) throw new Error('not what was asked for')
        return outcome.result
      } catch (error) {
        throw new Error(`${job.method} ${job.url}${job.shots[0]?.path}`, { cause: error })
      }
    },
    async pace(pace) {
      const { 200: good, ...others } = (await answersOf({ kind: 'pace', pace })).answers
      const statuses = Object.keys(others).join()
      if (!good || statuses) throw new Error(`GET ${pace.url}${pace.shot.path}: statuses ${statuses || 'none'}`)
      return good
    },
    storm: (storm) => answersOf({ kind: 'storm', storm }),
    stop() {
      for (const child of processes) child.kill()
    },
  }
}
