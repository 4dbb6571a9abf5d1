import { expect, test } from 'vitest'
import { startServiceForFile } from './harness.ts'
import { startMailServer } from './mail-server.ts'
import { createVisitor, newUser, textOf } from './visitor.ts'

const { mails, url } = await startMailServer()
const service = await startServiceForFile({ env: { SMTP_URL: url, MAIL_FROM: 'auth@example.com' } })

/** The tokens of the links that were mailed to an address, once there are so many. */
async function tokensFor(email: string, count: number): Promise<string[]> {
  const tokens = () =>
    mails
      .filter(({ to }) => to.includes(email))
      .flatMap(({ content }) => /verify-email\?token=([\w.-]+)/.exec(content)?.[1] ?? [])
  await expect.poll(() => tokens().length, { timeout: 5_000 }).toBe(count)
  return tokens()
}

test('who signs up looks into their mail, confirms the address, and signs in', async () => {
  const visitor = createVisitor(service)
  const user = newUser()

  const sent = await visitor.submit('/sign-up', user)
  expect(sent.at).toBe('/verify-email?sent')
  expect(textOf(sent)).toContain('A link is on its way to you.')
  const early = await visitor.submit('/sign-in', user)
  expect(textOf(early)).toContain('Your e-mail address is not confirmed yet.')
  const [token = ''] = await tokensFor(user.email, 2)
  expect(textOf(await visitor.open(`/verify-email?token=${token}`))).toContain('Confirm the address')
  const confirmed = await visitor.submit('/verify-email', { token })
  expect(textOf(confirmed)).toContain('Your e-mail address is confirmed.')

  expect((await visitor.submit('/sign-in', user)).at).toBe('/account')
})

test('who signs up with an address that is taken sees the same', async () => {
  const user = newUser()
  const [first, second] = [
    await createVisitor(service).submit('/sign-up', user),
    await createVisitor(service).submit('/sign-up', { ...user, name: 'Eve' }),
  ]

  expect([second.at, second.html]).toEqual([first.at, first.html])
})

test('the link is sent again, and to nobody for an address that nobody has', async () => {
  const visitor = createVisitor(service)
  const user = newUser()
  await visitor.submit('/sign-up', user)
  await tokensFor(user.email, 1)

  expect(textOf(await visitor.open('/verify-email'))).toContain('you are sent a new link')
  const [known, unknown] = [
    await visitor.submit('/verify-email/resend', { email: user.email }),
    await visitor.submit('/verify-email/resend', { email: `2${user.email}` }),
  ]

  expect(known.at).toBe('/verify-email?sent')
  expect(known.html).toBe(unknown.html)
  await tokensFor(user.email, 2)
  expect(mails.filter(({ to }) => to.includes(`2${user.email}`))).toEqual([])
})

test('what is no address is told beside the field', async () => {
  const page = await createVisitor(service).submit('/verify-email/resend', { email: 'ada' })

  expect(page.html).toContain('value="ada"')
  expect(textOf(page)).toContain('This did not work.')
})

test('a link that is no good says so, and how to get a new one', async () => {
  const page = await createVisitor(service).submit('/verify-email', { token: 'x' })

  expect(textOf(page)).toContain('Ask for a new one.')
  expect(page.html).toContain('action="/verify-email/resend"')
})
