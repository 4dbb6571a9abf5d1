import { parseArgs } from 'node:util'

/** What a run is asked for. */
export interface Options {
  /** Names of sections; empty for all. */
  only: string[]
  rounds: number
  /** Of load in a round, for each candidate. */
  seconds: number
  connections: number
  /** A file for the figures as JSON. */
  json: string | undefined
  markdown: boolean
  /** Prints the table of the README. */
  summary: boolean
  /** Files of figures to print that table of, instead of a run. */
  from: string[]
  quick: boolean
  /** A PostgreSQL to use instead of a throw-away one: the URL of a superuser. */
  postgres: string | undefined
  /** The folder that holds the built service as `dist`. */
  service: string | undefined
}

export const usage = `npm run bench -- [options]

  --only a,b          these sections only: %sections%
  --rounds n          rounds of each figure (5)
  --seconds n         seconds of load in a round (3)
  --connections n     connections of the load generator (64)
  --quick             3 rounds of 1 second, fewer users and events
  --json file         writes the figures with every round
  --markdown          prints the tables as Markdown
  --summary           prints the table of the README
  --from a.json …     prints that table of the figures in files, of several runs as if they were one
  --postgres url      uses this server, as a superuser, instead of a throw-away one
  --service folder    measures the service built there, instead of this folder
`

/** @throws TypeError for an option that is unknown, and RangeError for a number that is none */
export function parseOptions(args: string[]): Options | 'help' {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: args.includes('--from'),
    options: {
      only: { type: 'string', default: '' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      connections: { type: 'string' },
      quick: { type: 'boolean', default: false },
      json: { type: 'string' },
      markdown: { type: 'boolean', default: false },
      summary: { type: 'boolean', default: false },
      from: { type: 'string', multiple: true, default: [] },
      postgres: { type: 'string' },
      service: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const { quick, json, markdown, summary, from, postgres, service } = values
  return {
    only: values.only.split(',').filter(Boolean),
    rounds: positive('rounds', values.rounds, quick ? 3 : 5),
    seconds: positive('seconds', values.seconds, quick ? 1 : 3),
    connections: positive('connections', values.connections, 64),
    json,
    markdown,
    summary,
    from: [...from, ...positionals],
    quick,
    postgres,
    service,
  }
}

function positive(name: string, text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new RangeError(`--${name} must be a whole number from 1`)
  return Number(text)
}
