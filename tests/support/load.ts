import { expect, onTestFinished } from 'vitest'

/** How one request of a load was answered. */
export interface LoadAnswer {
  name: string
  /** 0 where nobody answered, or wrongly. */
  status: number
  /** The type of a problem without `/problems/`, or Better-Auth's code, or what else went wrong; empty for a success. */
  refusal: string
  retryAfter: string | null
  /** How long it took, and when it was answered, in milliseconds. */
  ms: number
  at: number
}

export interface Load {
  /** So far. */
  answers: LoadAnswer[]
  /** Ends it, once all that was asked is answered. */
  stop: () => Promise<LoadAnswer[]>
}

/** Makes so many requests a second, of each kind by turns, however long they take to be answered. */
export function startLoad(perSecond: number, calls: Record<string, () => Promise<Response>>): Load {
  const kinds = Object.entries(calls)
  const answers: LoadAnswer[] = []
  const underWay = new Set<Promise<void>>()
  const startedAt = performance.now()
  let asked = 0
  const timer = setInterval(() => {
    // As many as are due: timers come late where there is much to do.
    const due = ((performance.now() - startedAt) * perSecond) / 1_000
    while (asked < due) {
      const [name, call] = kinds[asked++ % kinds.length] as (typeof kinds)[0]
      const work = timed(name, call).then((answer) => {
        answers.push(answer)
        underWay.delete(work)
      })
      underWay.add(work)
    }
  }, 5)
  onTestFinished(() => clearInterval(timer))
  return {
    answers,
    async stop() {
      clearInterval(timer)
      await Promise.all(underWay)
      return answers
    },
  }
}

async function timed(name: string, call: () => Promise<Response>): Promise<LoadAnswer> {
  const startedAt = performance.now()
  const { status, refusal, retryAfter } = await call().then(outcomeOf, ({ message }: Error) => ({
    status: 0,
    refusal: message,
    retryAfter: null,
  }))
  const at = performance.now()
  return { name, status, refusal, retryAfter, ms: at - startedAt, at }
}

async function outcomeOf(response: Response) {
  const text = await response.text()
  const { type, code } = (response.ok ? {} : JSON.parse(text)) as { type?: string; code?: string }
  const refusal = (type ?? code ?? '').replace('/problems/', '').toLowerCase().replaceAll('_', '-')
  return { status: response.status, refusal, retryAfter: response.headers.get('retry-after') }
}

/** How many answers of each kind there were, as `name status refusal`. */
export function tally(answers: readonly LoadAnswer[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { name, status, refusal } of answers) {
    const kind = `${name} ${status} ${refusal}`.trim()
    counts[kind] = (counts[kind] ?? 0) + 1
  }
  return counts
}

/** That what failed says that the database is away, and when to come back, in time. */
export function assertUnavailableAtMost(answers: readonly LoadAnswer[], withinMs: number): void {
  for (const { name, status, refusal, retryAfter, ms } of answers) {
    expect({ name, ms: ms <= withinMs || ms }).toEqual({ name, ms: true })
    if (status < 300 && status !== 0) continue
    expect({ name, status, refusal, retryAfter }).toEqual({
      name,
      status: 503,
      refusal: 'dependency-unavailable',
      retryAfter: expect.stringMatching(/^\d+$/) as string,
    })
  }
}
