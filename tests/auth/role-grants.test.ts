import { randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { defineAuth } from '../../src/auth/auth-config.ts'
import { createDoors } from '../support/doors.ts'
import { password, startServiceForFile } from '../support/harness.ts'

// Roles that may make users, and give roles, but have less than an admin.
const auth = defineAuth({
  brand: { name: 'Latchkey', color: { light: '#2b53c4', dark: '#8fb0ff' } },
  roles: {
    user: [],
    helpdesk: ['users:read', 'users:write'],
    hr: ['users:read', 'users:write', 'users:role'],
    admin: 'all',
  },
  session: { idleDays: 7 },
  signingKey: { rotationDays: 90, publishHoursAhead: 24 },
})
const service = await startServiceForFile({ auth })
const doors = await createDoors(service)
const newUser = () => ({ email: `${randomUUID()}@example.com`, name: 'Eve', password })

const roleOf = async (id: string) =>
  (await service.db.selectFrom('user').select('role').where('id', '=', id).executeTakeFirst())?.role
const exists = async (email: string) =>
  (await service.db.selectFrom('user').select('id').where('email', '=', email).executeTakeFirst()) !== undefined

describe.each([
  // Their own, which has nothing that they lack: whoever may not give roles gives none.
  ['helpdesk', 'helpdesk'],
  ['helpdesk', 'admin'],
  ['helpdesk', 'hr'],
  ['hr', 'admin'],
])('who is %s', (own, wanted) => {
  test(`makes no user with the role ${wanted} through either door`, async () => {
    const caller = await service.createSignedIn(own)
    const [first, second] = [newUser(), newUser()]

    expect((await doors.v1(caller, 'POST', '/users', { ...first, role: wanted })).status).toBe(403)
    expect((await doors.auth(caller, '/admin/create-user', { ...second, role: wanted })).status).toBe(403)
    expect([await exists(first.email), await exists(second.email)]).toEqual([false, false])
  })

  test(`gives nobody the role ${wanted} through either door`, async () => {
    const [caller, user] = [await service.createSignedIn(own), await service.createUser()]

    expect((await doors.v1(caller, 'PUT', `/users/${user.id}/role`, { role: wanted })).status).toBe(403)
    expect((await doors.auth(caller, '/admin/set-role', { userId: user.id, role: wanted })).status).toBe(403)
    const update = { userId: user.id, data: { role: wanted } }
    expect((await doors.auth(caller, '/admin/update-user', update)).status).toBe(403)
    expect(await roleOf(user.id)).toBe('user')
  })
})

test('who may give roles gives those that they cover', async () => {
  const [hr, user] = [await service.createSignedIn('hr'), await service.createUser()]
  const given = newUser()

  expect((await doors.v1(hr, 'POST', '/users', { ...given, role: 'helpdesk' })).status).toBe(201)
  expect((await doors.v1(hr, 'PUT', `/users/${user.id}/role`, { role: 'hr' })).status).toBe(200)
  expect(await roleOf(user.id)).toBe('hr')
})

test('who may make users and give no roles makes plain users through both doors', async () => {
  const caller = await service.createSignedIn('helpdesk')

  expect((await doors.v1(caller, 'POST', '/users', { ...newUser(), role: 'user' })).status).toBe(201)
  expect((await doors.v1(caller, 'POST', '/users', newUser())).status).toBe(201)
  expect((await doors.auth(caller, '/admin/create-user', newUser())).status).toBe(200)
})
