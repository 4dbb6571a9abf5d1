import { arrange, startBetterAuth } from '../arrange.ts'
import { type Bench, compare, withClient } from '../bench.ts'
import { addPasswords, addPeople } from '../people.ts'
import { startCounted } from '../query-counter.ts'
import { figure, ratio, type Section } from '../report.ts'
import { signInPath, startHashing } from '../service.ts'

const ours = 'Latchkey'
const password = 'correct horse battery'
const connections = 4

/** Signing in, which is as fast as passwords are checked. */
export async function signIns(bench: Bench): Promise<Section> {
  const arranged = await arrange(bench, { env: { RATE_LIMIT: '0' } })
  const { database, service } = arranged
  const [person] = await withClient(database, async (client) => {
    const people = await addPeople(client, 1)
    await addPasswords(client, people, password)
    return people
  })
  const shot = { path: signInPath, headers: { 'content-type': 'application/json', origin: service.baseUrl } }
  const body = (secret: string) => JSON.stringify({ email: person?.email, password: secret })
  const betterAuth = await startBetterAuth(bench, arranged)
  const seconds = Math.max(2, bench.options.seconds)
  const job = { shots: [shot], method: 'POST' as const, connections, seconds, settles: true }
  const candidates = {
    [ours]: { ...job, server: service, body: body(password) },
    'Latchkey, wrong password': { ...job, server: service, body: body('wrong horse battery'), expect: 401 },
    'Better-Auth': { ...job, server: betterAuth, body: body(password) },
  }
  const hashing = await startHashing(bench)
  const rows = await compare(bench, candidates, {
    'hashing alone': async () => ({ perSecond: await hashing.run(seconds) }),
  })
  const counted = await startCounted(bench, database, service)
  const ask = ({ url }: { url: string }) =>
    fetch(`${url}${signInPath}`, { method: 'POST', headers: shot.headers, body: body(password) })
  return {
    title: `POST ${signInPath}`,
    notes: [
      `${connections} connections. Hashing alone: a process that does nothing else; threads: ${hashing.threads}.`,
    ],
    rows,
    checks: [
      figure('sign-in, beside what the hashing threads can do', ratio(rows, 'perSecond', ours, 'hashing alone')),
      ratio(rows, 'perSecond', ours, 'Better-Auth'),
      { name: `${ours}, a request`, unit: 'queries', values: [await counted.queriesPer(ask, { count: 10 })] },
    ],
  }
}
