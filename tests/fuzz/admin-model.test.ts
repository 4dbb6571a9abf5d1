import fc from 'fast-check'
import { afterAll, expect, test } from 'vitest'
import {
  after,
  isActiveAdmin,
  type Kind,
  type Operation,
  ordersOf,
  type Role,
  type World,
} from '../support/admin-model.ts'
import { expectedState, type Instance, isAs, openInstance, openStage } from '../support/admin-world.ts'
import { onPostgres } from '../support/database-template.ts'
import { fuzzed } from '../support/fuzz.ts'
import { createTestDatabase, startService } from '../support/harness.ts'

const database = await createTestDatabase()
// Only one process may have the embedded database.
const start = () => startService({ database, env: { BETTER_AUTH_URL: 'http://localhost:3000' } })
const services = [await start(), ...(onPostgres ? [await start()] : [])]
const [first, ...more] = await Promise.all(services.map(openInstance))
const instances: [Instance, ...Instance[]] = [first as Instance, ...more]
afterAll(async () => {
  for (const service of services) await service.stop()
  await database.remove()
})

const roles: Role[] = ['admin', 'admin', 'moderator', 'user']
const cheap: Kind[] = [
  'role',
  'role',
  'ban',
  'ban',
  'unban',
  'delete',
  'revoke',
  'act as',
  'act as',
  'sign out',
  'expire',
]
// These hash a password.
const dear: Kind[] = ['sign in', 'sign in', 'create', 'leave', 'password']
const doorsOf: Partial<Record<Kind, Operation['door'][]>> = {
  role: ['v1', 'auth', 'cli'],
  'sign in': ['auth'],
  'sign out': ['auth'],
  'act as': ['auth'],
  leave: ['auth'],
  password: ['cli'],
  expire: ['cli'],
}

/** An operation whose places are any numbers, to be folded into those that there are. */
interface Step extends Omit<Operation, 'key'> {
  at: number
}

const step: fc.Arbitrary<Step> = fc
  .oneof({ weight: 5, arbitrary: fc.constantFrom(...cheap) }, { weight: 2, arbitrary: fc.constantFrom(...dear) })
  .chain((kind) =>
    fc.record({
      kind: fc.constant(kind),
      door: fc.constantFrom(...(doorsOf[kind] ?? (['v1', 'auth'] as const))),
      // The admins ask most.
      session: fc.oneof({ weight: 3, arbitrary: fc.constantFrom(0, 1, 0, 1, 2) }, { weight: 2, arbitrary: fc.nat(30) }),
      target: fc.nat(30),
      role: fc.constantFrom<Role[]>('user', 'moderator', 'admin', 'user'),
      isLimited: fc.boolean(),
      at: fc.nat(1),
    }),
  )

let lastKey = 1_000
function placed({ people, sessions }: World, { session, target, ...rest }: Step): Operation {
  const key = lastKey++
  return { ...rest, key, session: session % sessions.length, target: target % people.length }
}

const instanceOf = ({ at }: Step): Instance => instances[at % instances.length] ?? instances[0]
const failures = () =>
  services.flatMap(({ logLines }) => logLines().filter((line) => (JSON.parse(line) as { level: number }).level > 40))

// Whoever impersonates does nothing to themselves, nor to whom they act as: what is one's own there has rules of its own.
function isClear({ sessions }: World, { session, target, kind }: Operation): boolean {
  const { person, by = null } = sessions[session] ?? {}
  if (kind === 'act as' && person === target) return false
  return by === null || person !== target || kind === 'sign out'
}

test('E-08 to E-13, A-02 to A-07 one after the other, administrators do what the model says', async () => {
  let operations = 0
  const property = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
    const stage = await openStage(instances, roles)
    let { world } = stage
    for (const one of steps) {
      const operation = placed(world, one)
      if (!isClear(world, operation)) continue
      await stage.assertWorth({ ...world, sessions: world.sessions.filter((_, n) => n === operation.session) }, [
        instanceOf(one),
      ])
      const answer = await stage.perform(world, operation, instanceOf(one))
      const [outcome, next] = after(world, operation)
      expect([operation, answer, isAs(outcome, operation, answer) || outcome]).toEqual([operation, answer, true])
      world = next
      expect([operation, await stage.stateOf(world)]).toEqual([operation, expectedState(world)])
      operations += 1
    }
    await stage.assertWorth(world)
    expect(failures()).toEqual([])
  })
  await fc.assert(property, fuzzed({ short: 10, nightly: 300 }))
  expect(operations).toBeGreaterThan(50)
})

test('E-08 to E-13 at once, they leave what some order of what was done leaves, and an administrator', async () => {
  const batches = fc.array(fc.array(step, { minLength: 2, maxLength: 4 }), { minLength: 2, maxLength: 6 })
  const property = fc.asyncProperty(batches, async (plan) => {
    const stage = await openStage(instances, roles)
    let { world } = stage
    for (const batch of plan) {
      const before = world
      const placedOnes = batch
        .map((one) => [one, placed(before, one)] as const)
        .filter(([, one]) => isClear(before, one))
      const answers = await Promise.all(
        placedOnes.map(async ([one, operation]) => ({
          operation,
          ...(await stage.perform(before, operation, instanceOf(one))),
        })),
      )
      expect(answers.filter(({ status }) => status >= 500)).toEqual([])
      const done = answers.filter(({ isOk }) => isOk).map(({ operation }) => operation)
      const left = await Promise.all([...ordersOf(done)].map(async (order) => reached(before, order)))
      const states: [World, unknown][] = []
      for (const possible of left) if (possible) states.push([possible, await stage.stateOf(possible)])
      const found = states.find(([possible, state]) => isEqual(state, expectedState(possible)))
      expect([answers, before, states.map(([, state]) => state), found !== undefined]).toEqual([
        answers,
        before,
        states.map(([, state]) => state),
        true,
      ])
      world = found?.[0] ?? before
      expect(world.people.some(isActiveAdmin)).toBe(true)
      await stage.assertWorth(world)
    }
    expect(failures()).toEqual([])
  })
  await fc.assert(property, { ...fuzzed({ short: 5, nightly: 300 }), endOnFailure: true })
})

/** The world after some operations in this order; undefined where one of them would have been refused. */
function reached(before: World, order: Operation[]): World | undefined {
  let world: World | undefined = before
  for (const operation of order) {
    const [outcome, next]: [unknown, World] = after(world, operation)
    if (outcome !== 'ok') return undefined
    world = next
  }
  return world
}

const isEqual = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other)
