import { randomUUID } from 'node:crypto'
import { Writable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import fc from 'fast-check'
import { type KyselyPlugin, sql } from 'kysely'
import { afterAll, expect, test } from 'vitest'
import type { AuthorityRow } from '../../src/auth/authority/authority.queries.ts'
import { watchAuthority } from '../../src/auth/authority/live.ts'
import { type Database, openDatabase } from '../../src/db/database.ts'
import type { Notifications, Notify } from '../../src/db/notifications.ts'
import { createLog } from '../../src/log.ts'
import {
  after,
  type Credential,
  expected,
  future,
  type Kind,
  type State,
  type Who,
} from '../support/authority-model.ts'
import { createTestDatabase, directUrl } from '../support/harness.ts'

const { env, remove } = await createTestDatabase()
const [url, directory] = [directUrl(env), env['DATA_DIR'] ?? '']
const open = () =>
  openDatabase(
    url === ''
      ? { kind: 'embedded', directory, onError: () => {} }
      : { kind: 'postgres', url, limits: 'request', onError: () => {} },
  )
const first = await open()
// Only one process may have the embedded database: there, two look at the same.
const second = url === '' ? first : await open()
afterAll(async () => {
  await first.close()
  if (second !== first) await second.close()
  await remove()
})

// What is read is a while on its way, in which it may change.
const holdingAnswers: KyselyPlugin = {
  transformQuery: ({ node }) => node,
  async transformResult({ result }) {
    const ms = Math.floor(Math.random() * 6)
    if (ms > 0) await pause(ms)
    return result
  },
}

const instances = [await startInstance(first), await startInstance(second)] as const

type Instance = Awaited<ReturnType<typeof startInstance>>

async function startInstance(database: Database) {
  const heard: Notifications[] = []
  const listen: Database['listen'] = async (listening) => {
    const notifications = await database.listen(listening)
    heard.push(notifications)
    return notifications
  }
  const slow = database.db.withPlugin(holdingAnswers)
  const log = createLog('info', new Writable({ write: (_chunk, _encoding, done) => done() }))
  const authority = await watchAuthority({
    database: { ...database, db: slow, listen },
    maxBytes: 16_000,
    onKeysChanged: () => {},
    log,
  })
  const notify: Notify = (channel, payload) => sql`select pg_notify(${channel}, ${payload})`.execute(database.db)
  return { db: database.db, authority, catchUp: () => Promise.all(heard.map((one) => one.catchUp(notify))) }
}

/** How the parties of a run are called. */
function createNames() {
  const users = [randomUUID(), randomUUID()] as const
  return { users, sessionOf: ({ user, session }: Who) => `${users[user]}-${session}` }
}

type Names = ReturnType<typeof createNames>

async function insertUser(names: Names, user: 0 | 1): Promise<void> {
  const id = names.users[user]
  await first.db
    .insertInto('user')
    .values({ id, name: 'name', email: `${id}@example.com` })
    .execute()
}

async function beginSession(db: Database['db'], names: Names, who: Who): Promise<unknown> {
  const [id, now, end] = [names.sessionOf(who), new Date(), new Date(Date.now() + 3_600_000)]
  const values = { id, token: id, user_id: names.users[who.user], created_at: now, updated_at: now }
  // One that is banned, or gone, gets none.
  return db
    .insertInto('session')
    .values({ ...values, expires_at: end, not_after: end })
    .onConflict((on) => on.doNothing())
    .execute()
    .catch(() => {})
}

function write(db: Database['db'], names: Names, kind: Kind, who: Who, n: number): Promise<unknown> {
  const id = names.users[who.user]
  const update = (set: object) => db.updateTable('user').set(set).where('id', '=', id).execute()
  switch (kind) {
    case 'ban':
      return update({ banned: true })
    case 'unban':
      return update({ banned: false })
    case 'role':
      return update({ role: n % 2 === 0 ? 'user' : 'moderator' })
    case 'rename':
      return db.transaction().execute((trx) =>
        trx
          .updateTable('user')
          .set({ name: `name ${n}` })
          .where('id', '=', id)
          .execute(),
      )
    case 'valid_after':
      return update({ valid_after: future(n) })
    case 'end':
      return db.deleteFrom('session').where('id', '=', names.sessionOf(who)).execute()
    case 'begin':
      return beginSession(db, names, who)
    case 'delete':
      return db.deleteFrom('user').where('id', '=', id).execute()
  }
}

/** What a request with a credential is worth, according to an instance. */
async function answered({ authority }: Instance, names: Names, credential: Credential, who: Who) {
  const row = await (credential === 'cookie'
    ? authority.ofSession(names.sessionOf(who))
    : authority.ofUser(names.users[who.user], credential === 'token' ? names.sessionOf(who) : null))
  if (!row) return 'ended'
  if (row.banned) return 'banned'
  return credential !== 'shared' && row.session_id === null ? 'ended' : `${row.role} ${row.name} ${validAfterOf(row)}`
}

const validAfterOf = ({ valid_after }: AuthorityRow) =>
  valid_after && valid_after >= future(0) ? valid_after.getTime() : null

type Step = Who & { at: 0 | 1; waits: boolean } & (
    | { do: 'write'; kind: Kind }
    | { do: 'request'; credential: Credential }
    | { do: 'catch up' }
  )

const bit = fc.constantFrom(0 as const, 1 as const)
const kinds: Kind[] = ['ban', 'unban', 'unban', 'role', 'rename', 'valid_after', 'end', 'begin', 'begin', 'delete']
const common = { user: bit, session: bit, at: bit, waits: fc.boolean() }
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 2,
      arbitrary: fc.record({ ...common, do: fc.constant('write' as const), kind: fc.constantFrom(...kinds) }),
    },
    { weight: 1, arbitrary: fc.record({ ...common, do: fc.constant('catch up' as const) }) },
    {
      weight: 12,
      arbitrary: fc.record({
        ...common,
        do: fc.constant('request' as const),
        credential: fc.constantFrom<Credential[]>('token', 'cookie', 'shared'),
      }),
    },
  ),
  { minLength: 30, maxLength: 60 },
)

/** Runs the steps; writes one after the other, so that there is one truth, and all else at once unless it is waited for. */
async function run(plan: Step[]): Promise<void> {
  const names = createNames()
  const initial: State = {
    exists: true,
    banned: false,
    role: 'user',
    name: 'name',
    validAfter: null,
    sessions: [true, true],
  }
  for (const user of [0, 1] as const) {
    await insertUser(names, user)
    for (const session of [0, 1] as const) await beginSession(first.db, names, { user, session })
  }
  const truths: [State, State][] = [[initial, initial]]
  // Up to which write each instance must know all, and which is done.
  const known: [number, number] = [0, 0]
  // Sessions that were made again under the id that they had: they may be over for a second more.
  const begunAgain = new Set<string>()
  let done = 0
  let writing: Promise<unknown> = Promise.resolve()

  async function writeNext(at: 0 | 1, kind: Kind, who: Who): Promise<void> {
    const before = truths.at(-1) ?? [initial, initial]
    const n = truths.length
    const next = after(before[who.user], kind, who, n)
    if (kind === 'begin') begunAgain.add(names.sessionOf(who))
    truths.push(who.user === 0 ? [next, before[1]] : [before[0], next])
    await write(instances[at].db, names, kind, who, n)
    done = n
    known[at] = n
  }

  async function ask(at: 0 | 1, credential: Credential, who: Who): Promise<void> {
    const from = known[at]
    const answer = await answered(instances[at], names, credential, who)
    const possible = truths.slice(from).map((truth) => expected(credential, truth[who.user], who.session))
    if (begunAgain.has(names.sessionOf(who))) possible.push('ended')
    expect(possible).toContain(answer)
  }

  async function catchUp(at: 0 | 1): Promise<void> {
    const upTo = done
    await instances[at].catchUp()
    known[at] = Math.max(known[at], upTo)
  }

  function begin(step: Step): Promise<unknown> {
    if (step.do === 'request') return ask(step.at, step.credential, step)
    if (step.do === 'catch up') return catchUp(step.at)
    writing = writing.then(() => writeNext(step.at, step.kind, step))
    return writing
  }

  const under: Promise<unknown>[] = []
  for (const step of plan) {
    const work = begin(step)
    work.catch(() => {})
    under.push(work)
    if (step.waits) await work
  }
  await Promise.all(under)
  for (const at of [0, 1] as const) {
    await catchUp(at)
    for (const who of [0, 1, 2, 3].map((n) => ({ user: n & 1, session: n >> 1 }) as Who)) {
      for (const credential of ['token', 'cookie', 'shared'] as const) await ask(at, credential, who)
    }
  }
}

test('whatever is written where, no instance answers what it must know to be over', async () => {
  for (const { authority } of instances) {
    await expect.poll(() => authority.gauges().heartbeatAge, { timeout: 10_000 }).toBeLessThan(2_000)
  }
  let runs = 0
  const property = fc.asyncProperty(steps, async (plan) => {
    await run(plan)
    runs += 1
  })
  await fc.assert(property, {
    numRuns: 50,
    // What takes turns with a database does so otherwise when it is run again.
    endOnFailure: true,
    interruptAfterTimeLimit: 20_000,
  })
  expect(runs).toBeGreaterThanOrEqual(10)
  for (const { authority } of instances) expect(authority.gauges().hits).toBeGreaterThan(50)
})
