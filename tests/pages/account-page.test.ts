import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { password, startServiceForFile } from '../support/harness.ts'
import { mailedToken } from '../support/mails.ts'
import { createVisitor, signUp, textOf } from '../support/visitor.ts'

const service = await startServiceForFile()
const { db } = service

const signedUp = () => signUp(service)

describe('the account', () => {
  test('shows where its owner is signed in, and ends one session or all others', async () => {
    const { visitor, email } = await signedUp()
    const [phone, laptop] = [createVisitor(service), createVisitor(service)]
    for (const other of [phone, laptop]) await other.submit('/sign-in', { email, password })

    const page = await visitor.open('/account')
    expect(page.html.match(/this one/g)).toHaveLength(1)
    const [id = ''] = [...page.html.matchAll(/name="id" value="([^"]+)"/g)].map(([, value]) => value)
    expect((await visitor.submit('/account/sessions', { id })).at).toBe('/account?notice=sessions')
    const ended = [(await phone.open('/account')).at, (await laptop.open('/account')).at]
    expect(ended.filter((at) => at === '/sign-in')).toHaveLength(1)
    await visitor.submit('/account/sessions', {})

    expect([(await phone.open('/account')).at, (await laptop.open('/account')).at]).toEqual(['/sign-in', '/sign-in'])
    expect((await visitor.open('/account')).at).toBe('/account')
  })

  test('shows the newest sessions and this one, however many there are', async () => {
    const { visitor, email } = await signedUp()
    const { id: user_id } = await db
      .selectFrom('user')
      .select('id')
      .where('email', '=', email)
      .executeTakeFirstOrThrow()
    const [created_at, expires_at] = [new Date(Date.now() + 60_000), new Date(Date.now() + 3_600_000)]
    const rows = Array.from({ length: 101 }, () => ({
      id: randomUUID(),
      token: randomUUID(),
      user_id,
      created_at,
      updated_at: created_at,
      expires_at,
      not_after: expires_at,
    }))
    await db.insertInto('session').values(rows).execute()

    const page = await visitor.open('/account')
    expect(page.html.match(/this one/g)).toHaveLength(1)
    expect(page.html.match(/aria-label="End the session/g)).toHaveLength(100)
    expect(textOf(page)).toContain('Not shown, as they are older: 1')
    await visitor.submit('/account/sessions', {})

    const left = await visitor.open('/account')
    expect(left.html).not.toContain('End the session')
    expect(textOf(left)).not.toContain('Not shown')
  })

  test('gets another address by the link that is mailed to it, in a session of its owner', async () => {
    const { visitor, email } = await signedUp()
    const newEmail = `${randomUUID()}@example.com`

    const wrong = await visitor.submit('/account/email', { newEmail, password: 'wrong' })
    expect(textOf(wrong)).toContain('This is not your password.')
    const asked = await visitor.submit('/account/email', { newEmail, password })
    expect(asked.at).toBe('/account?notice=email')
    const change = mailedToken(service, newEmail)
    const link = { change, email: newEmail }
    expect((await signedUp().then((eve) => eve.visitor.submit('/verify-email/change', link))).html).toContain(
      'This link',
    )
    const nobody = await createVisitor(service).submit('/verify-email/change', link)
    expect(nobody.at).toMatch(/^\/sign-in\?next=%2Fverify-email/)
    expect((await visitor.submit('/verify-email/change', { ...link, email: `2${newEmail}` })).html).toContain(
      'This link',
    )

    expect((await visitor.submit('/verify-email/change', link)).at).toBe('/account?notice=email-changed')

    const rows = await db
      .selectFrom('user')
      .select(['email', 'email_verified'])
      .where('email', 'in', [email, newEmail])
      .execute()
    expect(rows).toEqual([{ email: newEmail, email_verified: true }])
    expect((await visitor.submit('/verify-email/change', link)).html).toContain('This link')
    const told = service.logLines().filter((line) => line.includes('Your e-mail address was changed'))
    expect([email, newEmail].map((to) => told.filter((line) => line.includes(`"to":"${to}"`)).length)).toEqual([1, 1])
  })

  test.each<[string, Record<string, string>, string, string]>([
    ['/account/profile', { name: ' ' }, 'name', 'It must have 1 to 200 characters.'],
    ['/account/email', { newEmail: 'a@b', password }, 'newEmail', 'This is not an e-mail address that can be used.'],
    ['/forgot-password', { email: 'a@b' }, 'email', 'This is not an e-mail address that can be used.'],
  ])('tells beside the field of %s what is wrong with it, and keeps it', async (action, fields, field, says) => {
    const { visitor } = await signedUp()

    const { html } = await visitor.submit(action, fields)

    expect(html).toContain(`<p class="error" id="${field}-error">${says}</p>`)
    expect(html).toContain(`value="${Object.values(fields)[0]}"`)
    expect(html).not.toContain('role="alert"')
  })

  test('says when the session to end is gone', async () => {
    const { visitor } = await signedUp()

    expect(textOf(await visitor.submit('/account/sessions', { id: 'nothing' }))).toContain('This is not there any more')
  })

  test('does not tell that somebody else has an address, and does not take it', async () => {
    const { visitor, email } = await signedUp()
    const other = await signedUp()

    const asked = await visitor.submit('/account/email', { newEmail: other.email, password })

    expect(asked.at).toBe('/account?notice=email')
    expect(mailedToken(service, other.email)).toBe('')
    expect(await db.selectFrom('user').select('id').where('email', 'in', [email, other.email]).execute()).toHaveLength(
      2,
    )
  })

  test('is deleted with the password', async () => {
    const { visitor, email } = await signedUp()

    expect(textOf(await visitor.submit('/account/delete', { password: 'wrong' }))).toContain(
      'This is not your password.',
    )
    expect((await visitor.submit('/account/delete', { password })).at).toBe('/sign-in?notice=deleted')

    expect(await db.selectFrom('user').select('id').where('email', '=', email).execute()).toEqual([])
  })

  test('of somebody whom an admin acts as says so, and lets them return', async () => {
    const admin = await service.createSignedIn('admin')
    const { email } = await signedUp()
    const user = await db.selectFrom('user').select('id').where('email', '=', email).executeTakeFirstOrThrow()
    const response = await service.request('/api/auth/admin/impersonate-user', {
      cookie: admin.cookie,
      json: { userId: user.id },
    })
    const visitor = createVisitor(service)
    for (const cookie of response.headers.getSetCookie()) {
      const [pair = ''] = cookie.split(';')
      visitor.cookies.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1))
    }

    const page = await visitor.open('/account')
    expect(textOf(page)).toContain('You look at the account of Ada Lovelace as an administrator.')
    const actions = [...page.html.matchAll(/action="([^"]+)"/g)].map(([, action]) => action)
    expect(actions.toSorted()).toEqual(['/account/return', '/sign-out'])
    const refused = await visitor.submit('/account/profile', { name: 'Eve' })
    expect(textOf(refused)).toContain('You may not do this.')
    const returned = await visitor.submit('/account/return', {})
    expect(textOf(returned)).toContain(admin.email)
  })
})
