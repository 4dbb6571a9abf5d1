/** One request, again and again or in turn with others. */
export interface Shot {
  path: string
  headers: Record<string, string>
}

/** As many requests as a server answers. */
export interface Job {
  /** The origin of the server. */
  url: string
  method: 'GET' | 'POST'
  /** Sent in turn. */
  shots: Shot[]
  body: string | undefined
  connections: number
  /** How long; with `amount`, how many requests instead, each shot at most once where there are as many. */
  seconds: number
  amount?: number | undefined
  /** The status of every answer. */
  expect: number
}

/** What a load came to. */
export interface Load {
  requests: number
  seconds: number
  p50Ms: number
  p99Ms: number
  /** Processor time of the load generator. */
  cpuSeconds: number
}

/** Requests at an even pace. Latency counts from when a request was due, so that a stall is not left out. */
export interface Pace {
  url: string
  shot: Shot
  connections: number
  perSecond: number
  seconds: number
}

/** Clients that try to sign in, each again as soon as it is answered. */
export interface Storm {
  url: string
  path: string
  headers: Record<string, string>
  /** The body of each client. */
  bodies: string[]
  seconds: number
  /** Whether a client that is refused waits as `Retry-After` says. */
  isPatient: boolean
  /** The statuses of all answers. */
  expect: number[]
}

/** How requests were answered, by status; 0 is no answer at all. */
export type Answers = Record<number, Latency & { count: number }>

export interface Latency {
  p50Ms: number
  p99Ms: number
  maxMs: number
}

/** What the generator process is asked for. */
export type Task = { kind: 'flat-out'; job: Job } | { kind: 'pace'; pace: Pace } | { kind: 'storm'; storm: Storm }

/** What it answers. */
export type Outcome = { result: Load } | { answers: Answers; cpuSeconds: number } | { fault: string }

export function latencyOf(samples: number[]): Latency {
  const sorted = Float64Array.from(samples).sort()
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
  return { p50Ms: at(0.5), p99Ms: at(0.99), maxMs: sorted.at(-1) ?? Number.NaN }
}
