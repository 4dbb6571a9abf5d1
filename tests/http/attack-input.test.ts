import { describe, expect, test } from 'vitest'
import { loadDocuments } from '../support/document.ts'
import { password, type SignedIn, startServiceForFile } from '../support/harness.ts'
import { clientOf, grantClient } from '../support/openapi.ts'
import { type Slot, slotsOf } from '../support/wrong-input.ts'

const service = await startServiceForFile()
const { own, auth, ajv, faultOf } = await loadDocuments(service)
const user = await grantClient(service, await service.createSignedIn())

const good = {
  email: user.email,
  newEmail: 'new@example.com',
  name: 'Ada',
  password,
  newPassword: password,
  currentPassword: password,
  userId: user.id,
  sid: user.sessionId,
  clientId: clientOf(user.id),
  role: 'user',
}
const ownSlots = slotsOf(own, { ...good, id: user.id })
const authSlots = slotsOf(auth, { ...good, id: 'google', token: 'x', callbackURL: '/account', provider: 'google' })

const isText = ({ schema }: Slot) => [schema.type ?? 'string'].flat().includes('string')
const isField = ({ at }: Slot) => at.startsWith('/')

const nul = ['a\0b', '\0']
// What a log or a mail would be at a loss with. Half of a surrogate pair travels as an escape only.
const control = ['a\u001b\r\nb']
const surrogate = ['a\ud800']
const named = (values: unknown[]) => values.map((value) => [JSON.stringify(value), value] as const)

const anything = [[], {}, null, true, 7, 'text', [[1]], { a: 1 }]

/** Values of another type than that of a field. */
function wrongTypes({ schema }: Slot): unknown[] {
  return anything.filter((value) => !ajv.validate(schema, value))
}

/** Sends a value to one slot of an operation, as an admin; each call may end the session. */
async function send(base: '/api/v1' | '/api/auth', slot: Slot, value: unknown) {
  const admin: SignedIn = await service.createSignedIn('admin')
  const { target, options } = slot.callWith(value)
  const path = base === '/api/v1' ? target.replace(`/clients/${user.id}`, `/clients/${clientOf(user.id)}`) : target
  const credential = base === '/api/v1' ? { token: admin.token } : {}
  const cookie = { cookie: admin.cookie, origin: service.baseUrl }
  const headers = { ...options.headers, ...(base === '/api/auth' && cookie) }
  const response = await service.request(base + path, { ...options, ...credential, headers })
  const fault = await faultOf(response.clone(), [base === '/api/v1' ? 'own' : 'auth', slot.path, slot.method])
  return { status: response.status, location: response.headers.get('location') ?? '', fault }
}

test('there is much to try', () => {
  expect(ownSlots.length).toBeGreaterThan(50)
  expect(authSlots.length).toBeGreaterThan(100)
})

// It tells nothing of what is no token of ours.
const isAboutToken = ({ name }: Slot) => name === 'post /auth/verify /token'

describe.each(ownSlots.filter((slot) => !isField(slot) || isText(slot)))('N-04, N-26 /api/v1: $name', (slot) => {
  const refusal = isAboutToken(slot) ? 200 : 422
  test.each(named([...nul, ...control, ...(isField(slot) ? surrogate : [])]))(
    'refuses %s, as documented',
    async (_name, value) => {
      expect(await send('/api/v1', slot, value)).toMatchObject({ status: refusal, fault: undefined })
    },
  )
})

describe.each(ownSlots.filter(isField))('N-07, N-26 /api/v1: $name', (slot) => {
  test.each(named(wrongTypes(slot)))('refuses %s, as documented', async (_name, value) => {
    expect(await send('/api/v1', slot, value)).toMatchObject({ status: 422, fault: undefined })
  })
})

// What Better-Auth documents and does not look at.
const unheard = ['post /sign-out /state']

describe.each(authSlots.filter((slot) => isText(slot) && !unheard.includes(slot.name)))(
  'N-04 /api/auth: $name',
  (slot) => {
    test.each(named(nul))('refuses %s, or leads on to a page of ours', async (_name, value) => {
      const { status, location } = await send('/api/auth', slot, value)
      const leadsOn = [302, 303].includes(status) && new URL(location, service.baseUrl).origin === service.baseUrl
      expect([status, leadsOn || (status >= 400 && status < 500)]).toEqual([status, true])
    })

    test.each(named([...control, ...(isField(slot) ? surrogate : [])]))(
      'is no failure with %s',
      async (_name, value) => {
        expect((await send('/api/auth', slot, value)).status).toBeLessThan(500)
      },
    )
  },
)

describe.each(authSlots.filter((slot) => isField(slot) && !slot.isForm))('N-07 /api/auth: $name', (slot) => {
  // Many clients send null for what they do not have.
  const isOptional = slot.name === 'post /change-email /callbackURL'
  test.each(named(wrongTypes(slot).filter((value) => value !== null || !isOptional)))(
    'refuses %s',
    async (_name, value) => {
      const { status } = await send('/api/auth', slot, value)
      expect(status).toBeGreaterThanOrEqual(400)
      expect(status).toBeLessThan(500)
    },
  )
})

test('N-26 what Better-Auth refuses is documented', async () => {
  const faults: unknown[] = []
  for (const slot of authSlots.filter(({ path, isForm }) => !isForm && !/^\/(oauth2|callback)\b/.test(path))) {
    const { status, fault } = await send('/api/auth', slot, isText(slot) ? 'a\0b' : {})
    if (fault) faults.push([slot.name, status, fault])
  }
  expect(faults).toEqual([])
})
