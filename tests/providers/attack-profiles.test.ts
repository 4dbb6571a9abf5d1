import { randomInt, randomUUID } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import { goodPicture, hostilePictures } from '../support/hostile-pictures.ts'
import { lookalikesOf } from '../support/lookalikes.ts'
import { startAtStandIns } from '../support/standins/service.ts'

const { standIns, visit, ask } = await startAtStandIns()

interface Session {
  user: { id: string; email: string; name: string; image: string | null }
}

/** Comes back from a provider as this person; tells as whom they are signed in. */
async function comeAs(provider: string, known: object) {
  standIns.person = { id: String(randomInt(1e9)), isVerified: true, ...known }
  const { at, cookies } = await visit(provider)
  return { at, user: ((await ask('/get-session', cookies)) as Session | null)?.user }
}

const newEmail = () => `kim.${randomUUID()}@example.com`

describe.each(['google', 'github'])('N-12 an address of %s', (provider) => {
  const email = newEmail()
  let kim: Session['user'] | undefined
  beforeEach(async () => {
    kim ??= (await comeAs('google', { email, name: 'Kim' })).user
  })

  test('is that of who has it here, in capitals, too', async () => {
    const capitals = await comeAs(provider, { email: email.toUpperCase() })
    expect(capitals).toMatchObject({ at: '/account', user: { id: kim?.id, email } })
  })

  test.each(lookalikesOf(email))('is nobody’s with %s', async (_what, address) => {
    const { at, user } = await comeAs(provider, { email: address, name: 'Eve' })

    expect([at, user]).toEqual(['/error?error=email_not_found', undefined])
  })
})

describe.each(['google', 'github'])('N-13, N-14 a name of %s', (provider) => {
  test.each([
    ['line breaks', 'Ada\r\nBcc: eve@example.com', 'Ada  Bcc: eve@example.com'],
    ['control characters', 'A\u0000d\u001ba', 'A d a'],
    ['sixty thousand characters', 'n'.repeat(60_000), 'n'.repeat(200)],
    ['ten thousand of two units', '🔑'.repeat(10_000), '🔑'.repeat(200)],
    ['half a character', 'Ada \ud800', 'Ada \ufffd'],
    ['blanks', ' \n ', undefined],
  ])('is made fit to be kept: %s', async (_what, name, kept) => {
    const email = newEmail()
    const { user } = await comeAs(provider, { email, name })
    expect(user).toMatchObject({ email, name: kept ?? email.split('@')[0] })
  })
})

describe.each(['google', 'github'])('N-15 a picture of %s', (provider) => {
  test.each(hostilePictures)('is left out where it is %j', async (picture) => {
    expect(await comeAs(provider, { email: newEmail(), picture })).toMatchObject({
      at: '/account',
      user: { image: null },
    })
  })

  test('is kept where it is one by https', async () => {
    const { user } = await comeAs(provider, { email: newEmail(), picture: goodPicture })
    expect(user).toMatchObject({ image: goodPicture })
  })
})
