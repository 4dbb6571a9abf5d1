import { arrange, startJoseAndQuery } from '../arrange.ts'
import { type Bench, compare, withClient } from '../bench.ts'
import type { Shot } from '../load/job.ts'
import { addPeople } from '../people.ts'
import { figure, ratio, type Section } from '../report.ts'
import { bearer, bodyOf, mePath, startBaseline } from '../service.ts'

const ours = 'Latchkey'

/** Tokens that were never seen before, of users who were. */
export async function distinct(bench: Bench): Promise<Section> {
  const count = bench.options.quick ? 2_000 : 10_000
  const arranged = await arrange(bench)
  const { service, signer, admin } = arranged
  const people = await withClient(arranged.database, (client) => addPeople(client, 100))
  const BODY = await bodyOf(`${service.url}${mePath}`, bearer(admin.token))
  const PUBLIC_KEY = JSON.stringify(signer.publicKey)
  const signature = await startBaseline(bench, 'signature', { PUBLIC_KEY, BODY })
  const jose = await startJoseAndQuery(bench, arranged)

  const perRound: Shot[][] = []
  for (let round = 0; round <= bench.options.rounds; round++) {
    const tokens = await Promise.all(
      Array.from({ length: count }, (_, i) => signer.sign(people[i % people.length] ?? people[0] ?? never())),
    )
    perRound.push(tokens.map((token) => ({ path: mePath, headers: bearer(token) })))
  }
  const once = { shots: (round: number) => perRound[round] ?? [], amount: count }
  const rows = await compare(bench, {
    [ours]: { server: service, ...once },
    'a signature check': { server: signature, ...once },
    'jose and a query': { server: jose, ...once },
  })
  return {
    title: `${count} tokens, each for the first time`,
    notes: [`Each once in a round, by autocannon; of ${people.length} users who were asked for before.`],
    rows,
    checks: [
      figure(
        `${count.toLocaleString('en')} JWTs, each for the first time, beside bare Hono with a signature check`,
        ratio(rows, 'perSecond', ours, 'a signature check', { atLeast: 0.8 }),
      ),
      ratio(rows, 'perSecond', ours, 'jose and a query'),
      ratio(rows, 'cpuMicros', 'a signature check', ours),
    ],
  }
}

function never(): never {
  throw new Error('there is nobody')
}
