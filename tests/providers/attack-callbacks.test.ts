import { describe, expect, test } from 'vitest'
import { startAtStandIns } from '../support/standins/service.ts'
import { createVisitor, textOf, type Visitor } from '../support/visitor.ts'

const { door, leave } = await startAtStandIns()
const sessionCookie = 'better-auth.session_token'

const pathOf = ({ pathname, search }: URL) => `${pathname}${search}`
const comeBack = (visitor: Visitor, back: URL) => visitor.open(pathOf(back))

/** The same address with other parameters; those that are undefined are left out. */
function withParameters(back: URL, change: Record<string, string | undefined>): URL {
  const changed = new URL(back)
  for (const [name, value] of Object.entries(change)) {
    if (value === undefined) changed.searchParams.delete(name)
    else changed.searchParams.set(name, value)
  }
  return changed
}

/** Somebody signs in, as an address leads back. */
async function expectSignIn(visitor: Visitor, provider: string) {
  expect((await comeBack(visitor, await leave(visitor, provider))).at).toBe('/account')
  expect(visitor.cookies.has(sessionCookie)).toBe(true)
}

describe.each(['google', 'github'])('X-01 coming back from %s', (provider) => {
  test.each<[string, (back: URL) => URL, string]>([
    ['without a state', (back) => withParameters(back, { state: undefined }), 'state_not_found'],
    ['with an empty state', (back) => withParameters(back, { state: '' }), 'state_not_found'],
    ['with a state of nobody', (back) => withParameters(back, { state: 'x'.repeat(32) }), 'state_mismatch'],
    ['with two states', (back) => new URL(`${back.href}&state=${'x'.repeat(32)}`), 'invalid_callback_request'],
    ['with its state twice', (back) => new URL(`${back.href}&${back.search.slice(1)}`), 'invalid_callback_request'],
    ['without a code', (back) => withParameters(back, { code: undefined }), 'no_code'],
  ])('%s signs nobody in', async (_what, change, error) => {
    const visitor = createVisitor(door)

    const sight = await comeBack(visitor, change(await leave(visitor, provider)))

    expect(sight.at).toBe(`/error?error=${error}`)
    expect(visitor.cookies.has(sessionCookie)).toBe(false)
    await expectSignIn(visitor, provider)
  })

  test('signs in the browser that has left, and only once', async () => {
    const [visitor, other] = [createVisitor(door), createVisitor(door)]
    const back = await leave(visitor, provider)

    expect((await comeBack(other, back)).at).toBe('/error?error=state_mismatch')
    expect((await comeBack(visitor, back)).at).toBe('/account')
    expect((await comeBack(visitor, back)).at).toBe('/error?error=state_mismatch')

    expect(other.cookies.has(sessionCookie)).toBe(false)
    expect(visitor.cookies.has(sessionCookie)).toBe(true)
  })

  test('with a form leads to the same checks', async () => {
    const visitor = createVisitor(door)
    const { pathname, searchParams } = await leave(visitor, provider)
    const fields = Object.fromEntries(searchParams)

    const sight = await visitor.submit(pathname, { ...fields, state: 'x'.repeat(32) })

    expect(sight.at).toBe('/error?error=state_mismatch')
    expect(visitor.cookies.has(sessionCookie)).toBe(false)
    expect((await visitor.submit(pathname, fields)).at).toBe('/account')
  })
})

test.each([
  ['google', 'github'],
  ['github', 'google'],
])('X-08 what %s led back with is refused at the callback of %s, and taken at its own', async (provider, another) => {
  const visitor = createVisitor(door)
  const back = await leave(visitor, provider)
  const elsewhere = new URL(back)
  elsewhere.pathname = `/api/auth/callback/${another}`

  const sight = await comeBack(visitor, elsewhere)

  expect(sight.at).toBe('/error?error=state_mismatch')
  expect(textOf(sight)).toContain('begun in another browser')
  expect(visitor.cookies.has(sessionCookie)).toBe(false)
  expect((await comeBack(visitor, back)).at).toBe('/account')
})

test.each([
  ['google', 'github'],
  ['github', 'google'],
])('X-08 a code of %s is no code of %s', async (provider, another) => {
  const [visitor, victim] = [createVisitor(door), createVisitor(door)]
  const code = (await leave(victim, provider)).searchParams.get('code') ?? ''
  const back = await leave(visitor, another)

  const sight = await comeBack(visitor, withParameters(back, { code }))

  expect(sight.at).toBe('/error?error=invalid_code')
  expect(visitor.cookies.has(sessionCookie)).toBe(false)
  await expectSignIn(visitor, another)
})
