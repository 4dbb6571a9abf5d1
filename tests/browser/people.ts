import { createDoors, sessionCookieIn } from '../support/doors.ts'
import type { SignedIn, TestService, TestUser } from '../support/harness.ts'
import { linkAccount } from '../support/linked-account.ts'

/** Somebody with a password and a provider, signed in on two devices, whom an admin looks at. */
export async function createUsual(service: TestService): Promise<SignedIn> {
  const { createMember } = await createDoors(service)
  const member = await createMember()
  const [admin, elsewhere] = [await service.createUser({ role: 'admin' }), await service.signIn(member)]
  const user_id = member.id
  await linkAccount(service.db, user_id, { account_id: '1' })
  const device = {
    ip_address: '203.0.113.7',
    user_agent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  }
  await service.db.updateTable('session').set(device).where('user_id', '=', user_id).execute()
  await service.db
    .insertInto('session')
    .values({
      id: `impersonated-${user_id}`,
      token: `impersonated-${user_id}`,
      user_id,
      impersonated_by: admin.id,
      updated_at: new Date(),
      expires_at: new Date(Date.now() + 3_600_000),
      not_after: new Date(Date.now() + 3_600_000),
    })
    .execute()
  return elsewhere
}

/** The session of an admin who acts as somebody. */
export async function actAs(service: TestService, { id }: TestUser): Promise<SignedIn> {
  const { createMember, auth, open } = await createDoors(service)
  return open(sessionCookieIn(await auth(await createMember('admin'), '/admin/impersonate-user', { userId: id })))
}
