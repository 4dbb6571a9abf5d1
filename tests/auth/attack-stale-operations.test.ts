import { describe, expect, test } from 'vitest'
import { createDoors } from '../support/doors.ts'
import { password, type SignedIn, startServiceForFile } from '../support/harness.ts'
import { documentedOperations, grantClient } from '../support/openapi.ts'
import { createCalls, refusal, refusalOf } from '../support/refusals.ts'

// That each operation answers an admin with a token or a cookie that is good is in attack-operations.test.ts.
const service = await startServiceForFile()
const operations = await documentedOperations(service)
const { v1, auth, whois, createMember } = await createDoors(service)
const admin = await service.createSignedIn('admin')
const target = await grantClient(service, await service.createSignedIn())
const { call, stateOf } = createCalls(service, target)

type Change = (user: SignedIn) => Promise<unknown>

const changes: [name: string, change: Change, token: string][] = [
  ['A-01 who has signed out', (user) => auth(user, '/sign-out'), 'session-ended'],
  ['A-02 who is banned through /api/v1', ({ id }) => v1(admin, 'POST', `/users/${id}/ban`), 'banned'],
  [
    'A-02 who is banned through Better-Auth',
    ({ id }) => auth(admin, '/admin/ban-user', { userId: id, banExpiresIn: 3_600 }),
    'banned',
  ],
  ['A-03 who was deleted through /api/v1', ({ id }) => v1(admin, 'DELETE', `/users/${id}`), 'session-ended'],
  [
    'A-03 who was removed through Better-Auth',
    ({ id }) => auth(admin, '/admin/remove-user', { userId: id }),
    'session-ended',
  ],
  ['A-03 who has deleted the account', (user) => auth(user, '/delete-user', { password }), 'session-ended'],
  [
    'A-06 whose session was ended',
    ({ id, sessionId }) => v1(admin, 'DELETE', `/users/${id}/sessions/${sessionId}`),
    'session-ended',
  ],
  ['A-08 who has changed the password', changePassword, 'session-ended'],
  [
    'S-02 whose session was not used for too long',
    ({ sessionId }) =>
      service.db.updateTable('session').set({ expires_at: new Date() }).where('id', '=', sessionId).execute(),
    'session-ended',
  ],
]

function changePassword(user: SignedIn) {
  return auth(user, '/change-password', { currentPassword: password, newPassword: 'another horse battery' })
}

describe.each(changes)('an admin %s', async (_name, change, tokenProblem) => {
  const user = await createMember('admin')
  const before = [await whois({ token: user.token }), await whois({ cookie: user.cookie })]
  const answer = await change(user)

  test('was let in before', () => {
    expect(before).toEqual([user.id, user.id])
    expect(answer).not.toHaveProperty('refusal', expect.any(String))
  })

  describe.each(operations)('$id', (operation) => {
    // A ban ends the sessions; a cookie tells no more of them than that.
    test.each([
      ['token', tokenProblem],
      ['cookie', 'session-ended'],
    ] as const)('is refused with a %s', async (credential, type) => {
      const state = await stateOf(target.id)

      const response = await call(operation, { [credential]: user[credential] })

      expect(await refusalOf(response)).toEqual(refusal(401, type, 'Bearer error="invalid_token"'))
      expect(await stateOf(target.id)).toEqual(state)
    })
  })
})
