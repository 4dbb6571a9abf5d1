import { arrange, startBetterAuth, startJoseAndQuery } from '../arrange.ts'
import { type Bench, compare } from '../bench.ts'
import { startCounted } from '../query-counter.ts'
import { figure, ratio, type Section } from '../report.ts'
import { bearer, bodyOf, mePath, startBaseline } from '../service.ts'

const names = { jwt: 'Latchkey, JWT', cookie: 'Latchkey, cookie' }

/** What it costs to know who asks. */
export async function me(bench: Bench): Promise<Section> {
  const arranged = await arrange(bench)
  const { database, service, admin } = arranged
  const jwt = { path: mePath, headers: bearer(admin.token) }
  const session = { path: mePath, headers: { cookie: admin.cookie } }
  const response = await fetch(`${service.url}${mePath}`, { headers: jwt.headers })
  const BODY = await response.text()
  const own = new Set(['connection', 'content-length', 'date', 'keep-alive', 'transfer-encoding'])
  const HEADERS = JSON.stringify(Object.fromEntries([...response.headers].filter(([name]) => !own.has(name))))

  const bare = await startBaseline(bench, 'bare', { BODY })
  const bareHeaders = await startBaseline(bench, 'bare', { BODY, HEADERS })
  const getSession = await startBetterAuth(bench, arranged)
  const jose = await startJoseAndQuery(bench, arranged)
  await bodyOf(`${getSession.url}${mePath}`, session.headers)
  await bodyOf(`${jose.url}${mePath}`, jwt.headers)

  const rows = await compare(bench, {
    [names.jwt]: { server: service, shots: [jwt] },
    [names.cookie]: { server: service, shots: [session] },
    'bare Hono': { server: bare, shots: [jwt] },
    'bare Hono, our headers': { server: bareHeaders, shots: [jwt] },
    getSession: { server: getSession, shots: [session] },
    'jose and a query': { server: jose, shots: [jwt] },
  })
  const counted = await startCounted(bench, database, service)
  const queries = async (headers: Record<string, string>) => [
    await counted.queriesPer(({ url }) => fetch(`${url}${mePath}`, { headers })),
  ]
  return {
    title: `GET ${mePath}`,
    notes: [],
    rows,
    checks: [
      figure(
        '`GET /api/v1/auth/me` with a JWT, beside bare Hono with the same body',
        ratio(rows, 'perSecond', names.jwt, 'bare Hono', { atLeast: 0.6 }),
      ),
      figure(
        '– bare Hono with the same bytes, headers too',
        ratio(rows, 'perSecond', names.jwt, 'bare Hono, our headers', { atLeast: 0.6 }),
      ),
      figure('– Better-Auth’s `getSession`', ratio(rows, 'perSecond', names.jwt, 'getSession', { atLeast: 20 })),
      figure('– `jose.jwtVerify` and one query', ratio(rows, 'perSecond', names.jwt, 'jose and a query')),
      figure('– database queries', {
        name: `${names.jwt}, a request`,
        unit: 'queries',
        values: await queries(jwt.headers),
        target: { atMost: 0 },
      }),
      figure(
        'the same with the session cookie, beside that with a JWT',
        ratio(rows, 'perSecond', names.cookie, names.jwt, { atLeast: 0.5 }),
      ),
      ratio(rows, 'perSecond', names.cookie, 'getSession'),
      ratio(rows, 'cpuMicros', 'bare Hono', names.jwt),
      ratio(rows, 'cpuMicros', 'getSession', names.jwt),
      { name: `${names.cookie}, a request`, unit: 'queries', values: await queries(session.headers) },
    ],
  }
}
