import { sql } from 'kysely'
import { describe, expect, test } from 'vitest'
import { actionsOf, eventsOf } from '../support/audit.ts'
import { createBareClient, type Reply, refusalOf, tokensIn, userInfo } from '../support/bare-client.ts'
import { startServiceForFile } from '../support/harness.ts'
import { redirectUri, registerClient } from '../support/relying-party.ts'
import { createVisitor } from '../support/visitor.ts'

const service = await startServiceForFile()
const { db, request } = service
const client = createBareClient(service, await registerClient(service))
const admin = await service.createSignedIn('admin')

const statusOf = async (token: string) => (await request('/api/v1/auth/me', { token })).status

describe('a client that is disabled', () => {
  const disable = (id: string, disabled: boolean) =>
    request(`/api/v1/clients/${id}`, { token: admin.token, method: 'PATCH', json: { disabled } })

  test('is told so whatever it presents, and nothing is written of it', async () => {
    const other = createBareClient(service, await registerClient(service))
    await disable(other.id, true)
    const replies: Reply[] = []
    const rows = await eventsOf(db, async () => {
      replies.push(await other.redeem({ code: 'made-up', verifier: 'x'.repeat(43) }), await other.refresh('made-up'))
    })
    expect(replies.map(refusalOf)).toEqual([
      [401, 'invalid_client'],
      [401, 'invalid_client'],
    ])
    expect(rows).toEqual([])
  })

  test('uses up no code', async () => {
    const other = createBareClient(service, await registerClient(service))
    const code = await other.codeFor(createVisitor(service, (await service.createSignedIn()).cookie))
    await disable(other.id, true)
    expect(refusalOf(await other.redeem(code, { redirect_uri: `${redirectUri}/` }))).toEqual([401, 'invalid_client'])
    await disable(other.id, false)
    expect((await other.redeem(code)).status).toBe(200)
  })
})

test('of a request for tokens that names no client nothing is written', async () => {
  const replies: Reply[] = []
  const rows = await eventsOf(db, async () => {
    // With no header of its own and no id in the form.
    replies.push(
      await client.send(
        'token',
        { client_id: undefined, grant_type: 'refresh_token', refresh_token: 'x' },
        { auth: 'none' },
      ),
    )
  })
  expect(replies.map(refusalOf)).toEqual([[400, 'invalid_request']])
  expect(rows).toEqual([])
})

describe('a refresh token beside another grant', () => {
  test('does not hide that a code comes again', async () => {
    const { refresh_token } = await client.tokensFor(await service.createSignedIn())
    const user = await service.createSignedIn()
    const code = await client.codeFor(createVisitor(service, user.cookie))
    await client.redeem(code)
    const again = await eventsOf(db, () => client.redeem(code, { refresh_token }))
    expect(again).toMatchObject([{ action: 'token.reused', target_id: user.id }])
    const madeUp = await eventsOf(db, () => client.redeem({ ...code, code: 'made-up' }, { refresh_token }))
    expect(madeUp).toMatchObject([{ action: 'token.refused', target_type: 'client', target_id: client.id }])
  })

  test('is nothing to a machine', async () => {
    const machine = createBareClient(
      service,
      await registerClient(service, { clientCredentialsScopes: ['users:read'] }),
    )
    const { refresh_token } = await machine.tokensFor(await service.createSignedIn(), {
      scope: 'openid offline_access',
    })
    const resource = `${service.baseUrl}/api/v1`
    const issued = await eventsOf(db, async () =>
      tokensIn(await machine.send('token', { grant_type: 'client_credentials', resource, refresh_token })),
    )
    expect(issued).toMatchObject([{ action: 'token.issued', target_type: 'client', target_id: machine.id }])
  })
})

test('a code that comes again in a request that cannot be answered ends nothing', async () => {
  const app = createBareClient(service, await registerClient(service, { tokenEndpointAuthMethod: 'none' }))
  const code = await app.codeFor(createVisitor(service, (await service.createSignedIn()).cookie))
  const { access_token } = tokensIn(await app.redeem(code, {}, { auth: 'none' }))
  const rows = await eventsOf(db, () => app.redeem(code, { code_verifier: undefined }, { auth: 'none' }))
  expect(rows).toMatchObject([{ action: 'token.refused', reason: 'invalid_request' }])
  expect(await statusOf(access_token)).toBe(200)
})

test('nothing ends of which the audit log cannot be told', async () => {
  const first = await client.tokensFor(await service.createSignedIn())
  const second = tokensIn(await client.refresh(first.refresh_token))
  const rule = sql.raw(`create function refuse_reused() returns trigger language plpgsql as $$ begin
      if new.action = 'token.reused' then raise exception 'no' using errcode = '53100'; end if;
      return new;
    end $$;
    create trigger refuse_reused before insert on audit_pending for each row execute function refuse_reused()`)
  await rule.execute(db)
  const replies: Reply[] = []
  const rows = await eventsOf(db, async () => replies.push(await client.refresh(first.refresh_token)))
  await sql`drop function refuse_reused cascade`.execute(db)
  expect(actionsOf(rows)).toEqual([])
  expect(replies[0]?.status).toBeGreaterThanOrEqual(500)
  expect(await statusOf(second.access_token)).toBe(200)
  expect((await client.refresh(second.refresh_token)).status).toBe(200)
})

test('a token without a session ends with the offline access of its grant', async () => {
  const user = await service.createSignedIn()
  const { refresh_token } = await client.tokensFor(user)
  await db.deleteFrom('session').where('user_id', '=', user.id).execute()
  const { access_token } = tokensIn(await client.refresh(refresh_token, { scope: 'openid account:read' }))
  expect(await statusOf(access_token)).toBe(200)
  await sql`update oauth_grant set scopes = scopes - 'offline_access' where user_id = ${user.id}`.execute(db)
  expect(await statusOf(access_token)).toBe(401)
})

test('a machine that was given openid in SQL is nobody to learn of', async () => {
  const machine = createBareClient(service, await registerClient(service, { clientCredentialsScopes: ['users:read'] }))
  await sql`update oauth_client set client_credentials_scopes = '["openid", "users:read"]'
    where client_id = ${machine.id}`.execute(db)
  const reply = await machine.send('token', { grant_type: 'client_credentials' })
  expect(reply).toMatchObject({ status: 200, body: { scope: 'openid users:read' } })
  expect((await userInfo(service, String(reply.body['access_token']))).status).toBe(401)
})
