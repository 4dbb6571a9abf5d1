import { generateKeyPairSync } from 'node:crypto'
import { arrange, startBetterAuth } from '../arrange.ts'
import { type Bench, compare, withClient } from '../bench.ts'
import { addPeople } from '../people.ts'
import { startCounted } from '../query-counter.ts'
import { figure, ratio, type Section } from '../report.ts'
import { bodyOf, startBaseline } from '../service.ts'

const path = '/api/auth/token'
const ours = 'Latchkey'

/** What it costs to sign a token for a session. */
export async function token(bench: Bench): Promise<Section> {
  const arranged = await arrange(bench, { env: { RATE_LIMIT: '0' } })
  const { database, service, admin, signer } = arranged
  const people = await withClient(database, (client) => addPeople(client, 200))
  const shots = people.map(({ cookie }) => ({ path, headers: { cookie } }))
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
  const signature = await startBaseline(bench, 'signature', {
    PUBLIC_KEY: JSON.stringify(signer.publicKey),
    PRIVATE_KEY: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    BODY: admin.token.split('.')[1] ?? '',
  })
  const betterAuth = await startBetterAuth(bench, arranged)
  for (const { url } of [service, betterAuth]) await bodyOf(`${url}${path}`, { cookie: admin.cookie })
  const rows = await compare(bench, {
    [ours]: { server: service, shots },
    'Better-Auth': { server: betterAuth, shots },
    'a signature': { server: signature, shots },
  })
  const counted = await startCounted(bench, database, service)
  const ask = ({ url }: { url: string }) => fetch(`${url}${path}`, { headers: { cookie: admin.cookie } })
  return {
    title: `GET ${path}`,
    notes: ['RS256, 2,048 bits; with the session cookies of 200 users.'],
    rows,
    checks: [
      figure('`GET /api/auth/token`, beside Better-Auth alone', ratio(rows, 'perSecond', ours, 'Better-Auth')),
      ratio(rows, 'perSecond', ours, 'a signature'),
      ratio(rows, 'cpuMicros', 'Better-Auth', ours),
      { name: `${ours}, a request`, unit: 'queries', values: [await counted.queriesPer(ask)] },
    ],
  }
}
